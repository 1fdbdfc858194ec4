// Repeated reading of one address.

import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";

import { Refused, get } from "./client";

export interface Polled<T> {
  /** Last answer to this address, or to the one before until this one is answered. */
  value: T | null;
  /** Whether `value` is of the address before. */
  isOld: boolean;
  /** Why there is no newer answer. */
  error: Refused | null;
  reload: () => void;
}

/** Longest pause between attempts while the node does not answer. */
const LONGEST_PAUSE_MS = 15_000;

/**
 * Reads an address now and every `everyMs` while the page is visible. `everyMs` of 0 reads once. A node that does not answer
 * is asked again after 1, 2, 4, … seconds. With `keeps`, what was seen of the address before stays until the answer is there.
 */
export function usePoll<T>(path: string | null, everyMs: number, keeps = false): Polled<T> {
  const [state, setState] = useState<{ path: string | null; value: T | null; error: Refused | null }>({
    path: null,
    value: null,
    error: null,
  });
  const [asked, setAsked] = useState(0);
  const reload = useCallback(() => setAsked((before) => before + 1), []);
  const failures = useRef(0);

  // Before the first painting: the request is under way while the frame of the page is drawn.
  useLayoutEffect(() => {
    if (path === null) return;
    const ended = new AbortController();
    let timer: number | undefined;
    const again = (ms: number) => {
      timer = window.setTimeout(read, ms);
    };
    const read = async () => {
      if (document.hidden && everyMs > 0) return again(Math.max(everyMs, 1000));
      try {
        const value = await get<T>(path, ended.signal);
        if (ended.signal.aborted) return;
        failures.current = 0;
        setState({ path, value, error: null });
        if (everyMs > 0) again(everyMs);
      } catch (error) {
        if (ended.signal.aborted) return;
        const refused = error instanceof Refused ? error : new Refused(0, String(error));
        setState((before) => {
          // What is kept of the address before is not taken for an answer to this one.
          if (keeps && refused.status === 0 && before.path !== path) return before;
          return { path, value: before.path === path ? before.value : null, error: refused };
        });
        if (refused.status === 0 || refused.status === 503 || everyMs > 0) {
          failures.current += 1;
          again(Math.min(1000 * 2 ** (failures.current - 1), LONGEST_PAUSE_MS));
        }
      }
    };
    void read();
    return () => {
      ended.abort();
      window.clearTimeout(timer);
    };
  }, [path, everyMs, asked]);

  const isOfPath = state.path === path;
  return { value: isOfPath || keeps ? state.value : null, isOld: !isOfPath && state.value !== null, error: isOfPath ? state.error : null, reload };
}
