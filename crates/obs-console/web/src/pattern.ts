// Pattern of a message: its text with `…` in the place of what varies.

/** Returns the longest part of a pattern that its messages have, which a search can look for. */
export function fixedPart(pattern: string): string {
  const parts = pattern.split(/…|\[redacted\]/).map((part) => part.trim());
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}
