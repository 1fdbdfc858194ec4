import type { ComponentChildren } from "preact";

/** Shows a name such as `hearthnet_requests_total`. A line breaks after a separator rather than within a word. */
export function Name({ of }: { of: string }) {
  const parts = of.split(/(?<=[_./:])/);
  return (
    <bdi>
      {parts.map((part, at): ComponentChildren => (at === 0 ? part : [<wbr key={at} />, part]))}
    </bdi>
  );
}
