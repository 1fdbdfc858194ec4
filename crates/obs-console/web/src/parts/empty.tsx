import type { ComponentChildren } from "preact";

/** Says what will be here, and how to cause it. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
