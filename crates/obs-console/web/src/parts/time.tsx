import { age, localTime, minuteTime, shortTime, utc } from "../format";

/** Shows an instant in local time, with UTC as the title. */
export function Time({ at, form = "full" }: { at: string | number; form?: "full" | "short" | "minute" | "ago" }) {
  const iso = typeof at === "number" ? new Date(at * 1000).toISOString() : at;
  const text = form === "short" ? shortTime(iso) : form === "minute" ? minuteTime(iso) : form === "ago" ? ago(iso) : localTime(at);
  const title = form !== "full" ? `${localTime(at)} · ${utc(at)}` : utc(at);
  return (
    <time dateTime={iso} title={title}>
      {text}
    </time>
  );
}

function ago(iso: string): string {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds)) return iso;
  return seconds < 5 ? "now" : `${age(seconds)} ago`;
}
