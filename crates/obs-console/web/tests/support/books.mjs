// What the live tail says became of the lines.

/** Returns the counts in the sum of the live tail. Lines wait for a frame, or while the list is read. */
export function books(text) {
  const of = (name) => Number(new RegExp(`([\\d,]+) ${name}`).exec(text)[1].replaceAll(",", ""));
  const waiting = text.includes("waiting") ? of("waiting") : 0;
  return { written: of("written"), shown: of("shown"), filtered: of("filtered"), skipped: of("skipped"), waiting };
}
