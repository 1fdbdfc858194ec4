// Drawing of a chart by uPlot. The page loads this file with its first chart. It imports no other file of the page: a page
// that is open while the node is updated may load the file of the new version.

import uPlot from "uplot";

export interface Line {
  label: string;
  /** Name of a colour of the style sheet, such as `--good`. */
  colour: string;
  values: (number | null)[];
  bars?: boolean;
}

/** Parts of a chart that change while it is shown. */
export interface Latest {
  /** Writes a value with its unit. */
  form: (value: number) => string;
  /** Writes a time. */
  time: (t: number) => string;
  /** Writes the times of the axis. */
  axis: (times: number[]) => string[];
  /** Restarts of the node in seconds since 1970. */
  restarts: number[];
  since: number;
  until: number;
}

/** A chart in a place of the page. */
export class Plot {
  private readonly chart: uPlot;

  constructor(place: HTMLElement, height: number, lines: Line[], data: uPlot.AlignedData, latest: { current: Latest }) {
    this.chart = new uPlot(options(place.clientWidth, height, lines, latest), data, place);
  }

  show(data: uPlot.AlignedData, since: number, until: number): void {
    this.chart.setData(data, false);
    this.chart.setScale("x", { min: since, max: until });
    showLast(this.chart);
  }

  resize(width: number, height: number): void {
    this.chart.setSize({ width: Math.max(width, 100), height });
  }

  end(): void {
    this.chart.destroy();
  }
}

function options(width: number, height: number, lines: Line[], latest: { current: Latest }): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const text = colour("--soft");
  const grid = { stroke: colour("--edge"), width: 1 };
  const font = "12px system-ui, sans-serif";
  return {
    width: Math.max(width, 100),
    height,
    cursor: { points: { size: 6 }, y: false, drag: { x: false, y: false } },
    legend: { live: true },
    scales: {
      x: { time: true, range: () => [latest.current.since, latest.current.until] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: [
      { stroke: text, grid, ticks: grid, font, values: (_, times) => latest.current.axis(times) },
      { stroke: text, grid, ticks: grid, font, size: 68, values: (_, values) => values.map((value) => latest.current.form(value)) },
    ],
    series: [
      { value: (_, t) => (t === null ? "" : latest.current.time(t)), label: "Time" },
      ...lines.map((line): uPlot.Series => {
        const stroke = colour(line.colour);
        const bars = line.bars ? uPlot.paths.bars?.({ size: [0.9, 24] }) : undefined;
        return {
          label: line.label,
          stroke,
          width: 1.5,
          points: { show: line.values.filter((value) => value !== null).length < 3 },
          value: (_, value) => (value === null ? "" : latest.current.form(value)),
          ...(bars ? { paths: bars, fill: stroke } : {}),
        };
      }),
    ],
    hooks: {
      ready: [showLast],
      setCursor: [(chart) => chart.cursor.idx == null && showLast(chart)],
      draw: [(chart) => drawRestarts(chart, latest.current.restarts, colour("--warn"))],
    },
  };
}

/** Shows the newest values in the legend while the pointer is elsewhere. */
function showLast(chart: uPlot): void {
  if (chart.cursor.idx == null && chart.data[0].length > 0) chart.setLegend({ idx: chart.data[0].length - 1 }, false);
}

function drawRestarts(chart: uPlot, restarts: number[], colour: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([4, 4]);
  for (const t of restarts) {
    const x = Math.round(chart.valToPos(t, "x", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
