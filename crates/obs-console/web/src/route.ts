// The part of the address that says what is shown. A copied link shows the same.

import { useEffect, useState } from "preact/hooks";

export interface Route {
  /** First part of the path, such as `traces`. */
  view: string;
  /** Second part of the path, such as a trace ID. */
  id: string | null;
  params: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s, 2);
  const [view = "", id] = path.split("/", 2);
  return { view: view || "overview", id: id ? decoded(id) : null, params: new URLSearchParams(search) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Returns a link to a view. Parameters that are not set are left out. */
export function link(
  view: string,
  params: Record<string, string | number | boolean | null | undefined> = {},
  id?: string,
): string {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) set.set(name, String(value));
  }
  const search = set.toString();
  return `#/${view}${id === undefined ? "" : `/${encodeURIComponent(id)}`}${search === "" ? "" : `?${search}`}`;
}

/** Changes parameters of the present view. `replace` adds no step for the back button, such as for each letter that is typed. */
export function change(values: Record<string, string | number | boolean | null | undefined>, replace = false): void {
  const { view, id, params } = parse(location.hash);
  const all: Record<string, string | number | boolean | null | undefined> = Object.fromEntries(params);
  const target = link(view, { ...all, ...values }, id ?? undefined);
  if (target === location.hash) return;
  if (replace) {
    history.replaceState(null, "", target);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = target;
  }
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return route;
}
