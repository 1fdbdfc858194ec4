// Characters of untrusted text that are shown by their numbers.

/**
 * Characters that nobody sees or that change the direction of the text around them: those that the commands escape on a terminal. The
 * joiner of emoji is none of them.
 */
const UNSAFE =
  /[\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Makes unsafe characters visible. A name from the network could otherwise be read as another one. */
export function escaped(json: string): string {
  return json.replace(UNSAFE, (letter) => `\\\\u${(letter.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}
