/** Shows a status as text with a mark, so that it does not depend on colour. */
export function Status({ status }: { status: string }) {
  const [kind, mark] = kindOf(status);
  return (
    <span class={`status ${kind}`}>
      <span aria-hidden="true">{mark}</span> <bdi>{status}</bdi>
    </span>
  );
}

export function kindOf(status: string): [string, string] {
  switch (status) {
    case "ok":
    case "pass":
    case "cleared":
    case "up":
      return ["good", "✓"];
    case "active":
    case "skip":
    case "muted":
    case "cancelled":
      return ["quiet", "○"];
    case "warn":
    case "warning":
      return ["warn", "!"];
    case "info":
    case "debug":
      return ["quiet", "·"];
    default:
      return ["bad", "✕"];
  }
}
