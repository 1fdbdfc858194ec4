// Numbers, durations and times as text.

// Lines of the log have hours from 0 to 23. All other times have the same, so that they can be compared.
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const NONE = "–";

export function count(value: number): string {
  return NUMBER.format(value);
}

/** Returns three significant digits, such as `1.28` or `0.034`. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return count(value);
  const size = Math.abs(value);
  return size >= 1000 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** Returns a duration with its unit: `0.12 ms`, `840 ms`, `12.3 s`, `4 min`, `3 h 20 min`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  if (ms < 1000) return `${number(ms)} ms`;
  if (ms < 60_000) return `${number(ms / 1000)} s`;
  return age(ms / 1000);
}

/** Returns a long time in its two largest units. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const BYTES = ["B", "kB", "MB", "GB", "TB"];

/** Returns a number of bytes. 1 kB is 1 000 B. */
export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1000 && unit < BYTES.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${number(Number(size.toPrecision(3)))} ${BYTES[unit]}`;
}

/** Returns a value of a gauge with its unit. */
export function quantity(value: number | null, unit: string): string {
  if (value === null) return NONE;
  switch (unit) {
    case "bytes":
      return bytes(value);
    case "percent":
      return `${number(value)} %`;
    case "seconds":
      return duration(value * 1000);
    case "flag":
      return value > 0 ? "yes" : "no";
    default:
      return number(value);
  }
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return NONE;
  const share = (100 * part) / whole;
  return share > 0 && share < 0.1 ? "< 0.1 %" : `${Number(share.toPrecision(2))} %`;
}

/** Returns a rate of calls. Below one a second it is a minute's, below one a minute an hour's. */
export function rate(perSecond: number): string {
  if (perSecond >= 1) return `${number(perSecond)} / s`;
  if (perSecond * 60 >= 1) return `${number(perSecond * 60)} / min`;
  return perSecond === 0 ? "0" : `${number(perSecond * 3600)} / h`;
}

function parsed(instant: string | number): Date | null {
  const date = new Date(typeof instant === "number" ? instant * 1000 : instant);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function localTime(instant: string | number): string {
  const date = parsed(instant);
  return date ? LOCAL.format(date) : String(instant);
}

/** Returns the time of the day, with the day if that is not today. */
export function shortTime(instant: string | number): string {
  const date = parsed(instant);
  if (!date) return String(instant);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
}

/** Returns the time of the day to the minute, with the day if that is not today. */
export function minuteTime(instant: string | number): string {
  const date = parsed(instant);
  if (!date) return String(instant);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? MINUTE.format(date) : `${DAY.format(date)} ${MINUTE.format(date)}`;
}

/** Returns the texts of an axis of time: hours and minutes, and the day where it begins or where steps are whole days. */
export function axisTimes(times: number[]): string[] {
  let before = "";
  return times.map((t) => {
    const date = new Date(t * 1000);
    const day = DAY.format(date);
    const isNew = day !== before && before !== "";
    before = day;
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
    return isMidnight || (isNew && (times[1] ?? t) - (times[0] ?? t) >= 86_400) ? day : MINUTE.format(date);
  });
}

/** Returns a value of a metric family with the unit that the family's name tells. */
export function measure(family: string, value: number): string {
  if (!Number.isFinite(value)) return NONE;
  if (/_bytes(_total)?$/.test(family)) return bytes(value);
  if (/_time(stamp)?_seconds$/.test(family)) return value > 0 ? localTime(value) : NONE;
  if (/_seconds(_total)?$/.test(family)) return duration(value * 1000);
  return number(value);
}

/** Returns the time of the day with milliseconds. */
export function clock(instant: string): string {
  const date = parsed(instant);
  return date ? `${CLOCK.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}` : instant;
}

export function utc(instant: string | number): string {
  const date = parsed(instant);
  return date ? `${date.toISOString().replace("T", " ").replace("Z", "")} UTC` : String(instant);
}

/** Returns the beginning and the end of a trace ID. */
export function shortId(id: string): string {
  return id.length > 14 ? `${id.slice(0, 6)}…${id.slice(-4)}` : id;
}

/** Returns any value of a field as text. */
export function fieldText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
}

/** Returns the names of fields, those that tell why something failed first. */
export function fieldNames(fields: Record<string, unknown>): string[] {
  const names = Object.keys(fields);
  const first = ["cause", "error"].filter((name) => names.includes(name));
  return [...first, ...names.filter((name) => !first.includes(name))];
}
