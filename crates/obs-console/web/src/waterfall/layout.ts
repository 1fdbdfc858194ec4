// Rows of a waterfall: the spans of all nodes as a tree, with gaps and the critical path.

import type { Span, Trace, TraceDetail, TracePart } from "../api";

export interface Row {
  key: string;
  node: string;
  name: string;
  status: string;
  depth: number;
  /** Begin and end in milliseconds after the begin of the first part. */
  begin: number;
  end: number;
  fields: Record<string, unknown>;
  isRoot: boolean;
  /** Gaps: parts of the time of this row in which no span below it ran. Empty if there is none below it. */
  own: [number, number][];
  /** Parts of the time of this row that the whole call waited for. */
  critical: [number, number][];
  /** Reason for which the spans of a node are missing. Such a row has no time. */
  missing: string | null;
}

interface Node {
  row: Row;
  children: Node[];
}

/** Deepest nesting that is drawn further to the right. */
const DEEPEST = 24;

export interface Layout {
  rows: Row[];
  begin: number;
  end: number;
}

export function layout(detail: TraceDetail): Layout {
  const bySpan = new Map<string, Node>();
  const roots: Node[] = [];
  for (const [at, part] of detail.parts.entries()) {
    if (part.trace) roots.push(...nodesOf(part, part.trace, at, bySpan));
  }
  // A part of a peer belongs under the client span that called it.
  const top = roots.filter((root) => {
    const parent = root.row.isRoot ? bySpan.get(parentOf(detail, root)) : undefined;
    if (!parent || parent === root || isBelow(parent, root)) return true;
    parent.children.push(root);
    return false;
  });
  const rows: Row[] = [];
  top.forEach((root) => {
    const seen = new Set<Node>();
    markCritical(root, root.row.begin, root.row.end, seen);
    flatten(root, 0, rows);
  });
  for (const part of detail.parts) {
    if (!part.trace) rows.push(missingRow(part));
  }
  const timed = rows.filter((row) => row.missing === null);
  const begin = Math.min(0, ...timed.map((row) => row.begin));
  return { rows, begin, end: Math.max(begin + 0.001, ...timed.map((row) => row.end)) };
}

function parentOf(detail: TraceDetail, root: Node): string {
  const at = Number(root.row.key.split("/", 1)[0]);
  return detail.parts[at]?.trace?.parent_span_id ?? "";
}

/** Returns whether `node` is below `root`, which would make a circle. */
function isBelow(node: Node, root: Node): boolean {
  return root.children.some((child) => child === node || isBelow(node, child));
}

function nodesOf(part: TracePart, trace: Trace, at: number, bySpan: Map<string, Node>): Node[] {
  const begin = part.offset_ms;
  const root: Node = {
    row: row(`${at}/root`, part.node, trace.capability, trace.status, begin, begin + trace.duration_ms, trace.fields, true),
    children: [],
  };
  if (trace.span_id) bySpan.set(trace.span_id, root);
  const nodes = trace.spans.map((span: Span, of: number): [Span, Node] => {
    const from = begin + span.offset_ms;
    const node = {
      row: row(`${at}/${of}`, part.node, span.name, span.status, from, from + span.duration_ms, span.fields, false),
      children: [],
    };
    if (span.span_id) bySpan.set(span.span_id, node);
    return [span, node];
  });
  for (const [span, node] of nodes) {
    const parent = span.parent_span_id === null ? undefined : bySpan.get(span.parent_span_id);
    const isUsable = parent !== undefined && parent !== node && !isBelow(parent, node);
    (isUsable ? parent : root).children.push(node);
  }
  return [root];
}

function row(
  key: string,
  node: string,
  name: string,
  status: string,
  begin: number,
  end: number,
  fields: Record<string, unknown>,
  isRoot: boolean,
): Row {
  return { key, node, name, status, depth: 0, begin, end, fields, isRoot, own: [], critical: [], missing: null };
}

function missingRow(part: TracePart): Row {
  const missing = row(`missing/${part.node}`, part.node, part.node, "missing", 0, 0, {}, true);
  missing.missing = part.missing ?? "no answer";
  return missing;
}

/**
 * Marks what the end of `node` waited for between `since` and `until`: from the end backwards, the child that ended last before
 * that moment, then what that child waited for, and the node itself where no child ran. A child can begin before its parent or
 * end after it; only the time of the parent counts.
 */
function markCritical(node: Node, since: number, until: number, seen: Set<Node>): void {
  if (seen.has(node)) return;
  seen.add(node);
  const first = Math.max(since, node.row.begin);
  let at = Math.min(until, node.row.end);
  const children = [...node.children].sort((one, other) => other.row.end - one.row.end);
  for (const child of children) {
    if (child.row.begin >= at || child.row.end <= first) continue;
    const end = Math.min(child.row.end, at);
    if (end < at) node.row.critical.push([end, at]);
    markCritical(child, first, end, seen);
    at = Math.max(child.row.begin, first);
    if (at <= first) break;
  }
  if (at > first) node.row.critical.push([first, at]);
}

function flatten(node: Node, depth: number, rows: Row[]): void {
  node.row.depth = Math.min(depth, DEEPEST);
  // The whole time of a span without spans below it is its own, which needs no mark.
  node.row.own = node.children.length === 0 ? [] : uncovered(node);
  rows.push(node.row);
  node.children.sort((one, other) => one.row.begin - other.row.begin);
  node.children.forEach((child) => flatten(child, depth + 1, rows));
}

/** Returns the parts of a node's time that no child covers. */
function uncovered(node: Node): [number, number][] {
  const gaps: [number, number][] = [];
  let at = node.row.begin;
  for (const child of [...node.children].sort((one, other) => one.row.begin - other.row.begin)) {
    if (child.row.begin > at) gaps.push([at, Math.min(child.row.begin, node.row.end)]);
    at = Math.max(at, child.row.end);
  }
  if (at < node.row.end) gaps.push([at, node.row.end]);
  return gaps.filter(([begin, end]) => end > begin);
}
