import { useState } from "preact/hooks";

import { Refused, write } from "../client";

export interface Writing {
  /** Why the last write was refused. */
  refusal: string | null;
  isRunning: boolean;
  /** Sends a write, and returns whether it was done. */
  send: (method: "POST" | "DELETE", path: string, body?: unknown) => Promise<boolean>;
}

/** Sends writes of a view. `after` runs after each of them, such as to read again what it changed. */
export function useWrite(after: () => void): Writing {
  const [state, setState] = useState<{ refusal: string | null; isRunning: boolean }>({ refusal: null, isRunning: false });
  const send: Writing["send"] = async (method, path, body) => {
    setState({ refusal: null, isRunning: true });
    let refusal: string | null = null;
    try {
      await write(method, path, body);
    } catch (error) {
      refusal = error instanceof Refused ? error.message : String(error);
    }
    setState({ refusal, isRunning: false });
    after();
    return refusal === null;
  };
  return { ...state, send };
}

/** Shows why a write was refused. */
export function Refusal({ of }: { of: Writing }) {
  if (of.refusal === null) return null;
  return (
    <p class="refused" role="alert">
      <bdi>{of.refusal}</bdi>
    </p>
  );
}
