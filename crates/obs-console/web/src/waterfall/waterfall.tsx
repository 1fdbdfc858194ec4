import { useState } from "preact/hooks";

import type { TraceDetail } from "../api";
import { duration, fieldText } from "../format";
import { FieldList } from "../parts/field-list";
import { Name } from "../parts/name";
import { Status, kindOf } from "../parts/status";
import { layout, type Layout, type Row } from "./layout";

/** Spans of a trace as bars over time. A row opens to its fields. */
export function Waterfall({ detail }: { detail: TraceDetail }) {
  const shown = layout(detail);
  const nodes = [...new Set(shown.rows.map((row) => row.node))];
  const [open, setOpen] = useState<string | null>(null);
  return (
    <div class="waterfall">
      <p class="legend">
        <span class="swatch critical" aria-hidden="true" /> the whole call waited for this
        <span class="swatch own" aria-hidden="true" /> no span below it ran
      </p>
      <p class="scale" aria-hidden="true">
        <span />
        <span class="ticks">
          {TICKS.map((share) => (
            <span key={share} style={{ left: `${100 * share}%` }}>
              {duration(shown.begin + share * (shown.end - shown.begin))}
            </span>
          ))}
        </span>
        <span />
      </p>
      <ol>
        {shown.rows.map((row) => (
          <RowLine
            key={row.key}
            row={row}
            shown={shown}
            lane={nodes.length > 1 ? nodes.indexOf(row.node) : -1}
            isOpen={open === row.key}
            onToggle={() => setOpen(open === row.key ? null : row.key)}
          />
        ))}
      </ol>
    </div>
  );
}

/** Parts of the whole time that are named above the bars. */
const TICKS = [0, 0.25, 0.5, 0.75];

interface LineProps {
  row: Row;
  shown: Layout;
  lane: number;
  isOpen: boolean;
  onToggle: () => void;
}

function RowLine({ row, shown, lane, isOpen, onToggle }: LineProps) {
  if (row.missing !== null) {
    return (
      <li class="row gap">
        <p>
          <span class={`lane lane-${lane % 6}`}>
            <bdi>{row.node}</bdi>
          </span>{" "}
          no part of this trace: <bdi>{row.missing}</bdi>
        </p>
      </li>
    );
  }
  const took = row.end - row.begin;
  const critical = total(row.critical);
  const hasFailed = kindOf(row.status)[0] === "bad";
  return (
    <li class={`row ${row.isRoot ? "root" : ""}`}>
      <button type="button" aria-expanded={isOpen} onClick={onToggle}>
        <span class="name" style={{ paddingInlineStart: `${row.depth * 0.9}rem` }}>
          {lane >= 0 && row.isRoot && (
            <span class={`lane lane-${lane % 6}`}>
              <bdi>{row.node}</bdi>
            </span>
          )}
          <span class="clamp" title={row.name}>
            <Name of={row.name} />
          </span>{" "}
          {kindOf(row.status)[0] !== "good" && <Status status={row.status} />}
        </span>
        <span class="track" aria-hidden="true">
          <span class={`span ${kindOf(row.status)[0]} ${lane >= 0 ? `lane-${lane % 6}` : ""}`} style={extent(row.begin, row.end, shown)} />
          {row.own.map(([begin, end]) => (
            <span key={begin} class="own" style={extent(begin, end, shown)} />
          ))}
          {row.critical.map(([begin, end]) => (
            <span key={begin} class="critical" style={extent(begin, end, shown)} />
          ))}
        </span>
        <span class="took">
          <span class="unseen">after {duration(row.begin - shown.begin)}, takes </span>
          {duration(took)}
        </span>
        {hasFailed && row.fields["cause"] !== undefined && (
          <span class="cause" style={{ paddingInlineStart: `${row.depth * 0.9}rem` }}>
            <bdi>{fieldText(row.fields["cause"])}</bdi>
          </span>
        )}
      </button>
      {isOpen && (
        <div class="detail">
          <p>
            <Status status={row.status} /> begins after {duration(row.begin - shown.begin)}, takes {duration(took)}
            {row.own.length > 0 && `, ${duration(total(row.own))} of it without a span below it`}. The whole call waited{" "}
            {duration(critical)} for it.
          </p>
          <FieldList fields={row.fields} />
        </div>
      )}
    </li>
  );
}

function total(parts: [number, number][]): number {
  return parts.reduce((sum, [begin, end]) => sum + end - begin, 0);
}

function extent(begin: number, end: number, shown: Layout): { left: string; width: string } {
  const whole = shown.end - shown.begin;
  // A bar is 2 px wide at least (`min-width`). One that begins at the very end stays inside of its track.
  return { left: `min(${(100 * (begin - shown.begin)) / whole}%, calc(100% - 2px))`, width: `${(100 * (end - begin)) / whole}%` };
}
