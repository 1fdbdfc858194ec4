// Requests to the node, and whether it answers.

import type { Refusal } from "./api";
import { escaped } from "./escaped";
import { Store } from "./store";

const BASE = "api/v1/";
const PATIENCE_MS = 20_000;

/** Refused or failed request. Status 0 stands for a node that does not answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** State of the connection to the node. */
export type Connection = "ok" | "lost" | "login";

export const connection = new Store<Connection>("ok");

export function address(path: string): string {
  return BASE + path;
}

/** Builds a query from the values that are set. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) set.set(name, String(value));
  }
  const text = set.toString();
  return text === "" ? "" : `?${text}`;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { signal: signal ?? null });
  return parsed<T>(await response.text());
}

declare global {
  interface JSON {
    /** Has no type in TypeScript yet. */
    rawJSON(text: string): unknown;
  }
}

/** Whole number that a number of JavaScript would round. It keeps its digits, also in JSON. */
class LargeNumber {
  constructor(private readonly digits: string) {}

  toString(): string {
    return this.digits;
  }

  toJSON(): unknown {
    return JSON.rawJSON(this.digits);
  }
}

/** Parses JSON of the node. A browser of before 2025 does not tell the digits of a number, and rounds large ones. */
export function parsed<T>(json: string): T {
  const text = escaped(json);
  // Most answers have no large number, and are parsed faster without it.
  return JSON.parse(text, /\d{16}/.test(text) ? exact : undefined) as T;
}

function exact(_: string, value: unknown, context?: { source?: string }): unknown {
  const digits = context?.source ?? "";
  return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(digits) ? new LargeNumber(digits) : value;
}

/** Sends a write. The header shows the node that the request comes from a script of this page and not from a form elsewhere. */
export async function write(method: "POST" | "DELETE", path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { "X-HearthNet-Console": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return send(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
}

/** Returns why the node refuses a read, or `null` if it answers. An `EventSource` does not tell that. */
export async function refusalOf(path: string): Promise<Refused | null> {
  try {
    await (await send(path, {})).body?.cancel();
    return null;
  } catch (error) {
    return error instanceof Refused ? error : new Refused(0, String(error));
  }
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const late = AbortSignal.timeout(PATIENCE_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, late]) : late;
  let response: Response;
  try {
    response = await fetch(address(path), { ...init, signal, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    connection.set("lost");
    throw new Refused(0, "the node does not answer");
  }
  if (response.status === 401) connection.set("login");
  else if (connection.value !== "login" || response.ok) connection.set("ok");
  if (!response.ok) throw new Refused(response.status, await reason(response));
  return response;
}

async function reason(response: Response): Promise<string> {
  try {
    return ((await response.json()) as Refusal).message;
  } catch {
    return `the node answered with status ${response.status}`;
  }
}
