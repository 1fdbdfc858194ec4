import type { ComponentChildren } from "preact";

import type { Polled } from "../poll";

/** Shows an answer, or why there is none yet. */
export function Answer<T>({ of, children }: { of: Polled<T>; children: (value: T) => ComponentChildren }) {
  const refused = of.error !== null && of.error.status !== 0;
  return (
    <>
      {refused && (
        <p class="refused" role="alert">
          <bdi>{of.error?.message}</bdi>
        </p>
      )}
      {of.value !== null ? (
        <div class={of.isOld ? "old" : undefined} aria-busy={of.isOld}>
          {children(of.value)}
        </div>
      ) : (
        !refused && <p class="loading">Loading …</p>
      )}
    </>
  );
}
