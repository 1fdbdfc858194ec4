import { utc } from "../format";
import { CopyButton } from "../parts/copy";
import { FieldList } from "../parts/field-list";
import { Status } from "../parts/status";
import { Time } from "../parts/time";
import { link } from "../route";
import type { Line } from "./tail";

/** All of one line, with the ways from it. */
export function LineDetail({ line, onClose }: { line: Line; onClose: () => void }) {
  const { ts, level, logger, msg, trace_id: trace, ...fields } = line;
  const at = String(ts ?? "");
  return (
    <aside class="card line-detail" aria-label="Line">
      <p>
        <Status status={String(level ?? "")} /> <Time at={at} /> <span class="soft">{utc(at)}</span>
      </p>
      <p class="whole">
        <bdi>{String(msg ?? "")}</bdi>
      </p>
      <FieldList fields={{ logger, ...fields }} />
      <p class="links">
        {typeof trace === "string" && (
          <>
            <a href={link("trace", {}, trace)}>Its trace</a>{" "}
            <a href={link("logs", { mode: "search", trace, span: "14d" })}>Lines of the trace</a>{" "}
          </>
        )}
        <a href={link("logs", { mode: "around", around: at })}>Lines around it</a>{" "}
        <CopyButton label="Copy as JSON" text={() => JSON.stringify(line)} />{" "}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
    </aside>
  );
}
