// A small course of numbers, drawn as one SVG path.

interface Props {
  /** Pairs of time and value. */
  points: [number, number][];
  /** Pairs of time and value that are drawn in red, such as errors. */
  faults?: [number, number][];
  since: number;
  until: number;
  /** What the line shows, for a screen reader. */
  label: string;
  width?: number;
  height?: number;
}

export function Sparkline({ points, faults = [], since, until, label, width = 120, height = 28 }: Props) {
  const most = Math.max(1e-9, ...points.map(([, value]) => value));
  const x = (t: number) => ((t - since) / Math.max(1, until - since)) * width;
  const y = (value: number) => height - 1 - (value / most) * (height - 3);
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={label} preserveAspectRatio="none">
      <path class="line" d={path(points, x, y)} />
      {faults.filter(([, value]) => value > 0).map(([t, value]) => (
        <line key={t} class="fault" x1={x(t)} x2={x(t)} y1={height} y2={Math.min(y(value), height - 3)} />
      ))}
    </svg>
  );
}

function path(points: [number, number][], x: (t: number) => number, y: (value: number) => number): string {
  if (points.length === 1) {
    const [t, value] = points[0]!;
    return `M${x(t).toFixed(1)} ${y(0).toFixed(1)}V${y(value).toFixed(1)}`;
  }
  return points.map(([t, value], at) => `${at === 0 ? "M" : "L"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
