import type { ViewProps } from "../app";
import { link } from "../route";
import { Empty } from "../parts/empty";
import { TraceBody } from "./trace";

/** Two traces side by side. */
export function CompareView({ route }: ViewProps) {
  const ids = [route.params.get("left"), route.params.get("right")];
  return (
    <section>
      <p class="crumbs">
        <a href={link("traces")}>Traces</a>
      </p>
      <h1>Two traces</h1>
      {ids.some((id) => !id) ? (
        <Empty>Choose two traces in the list of traces.</Empty>
      ) : (
        <div class="sides">
          {ids.map((id, side) => (
            <div key={side}>
              <h2>
                <a href={link("trace", {}, id!)}>
                  <code class="long">{id}</code>
                </a>
              </h2>
              <TraceBody id={id!} />
            </div>
          ))}
        </div>
      )}
    </section>
  );
}
