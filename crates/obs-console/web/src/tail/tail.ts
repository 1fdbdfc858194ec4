// Live tail of the log: lines as they are written, counted, with a bounded memory.

import type { Refusal, TailLines } from "../api";
import { address, connection, parsed, refusalOf } from "../client";

export type Line = Record<string, unknown>;

/** Lines that are kept for scrolling, and lines that may wait during a pause. */
const KEPT = 5000;
const LONGEST_PAUSE_MS = 15_000;

export interface TailState {
  lines: Line[];
  /** Number of lines that left the front of `lines`, so that a line keeps its number. */
  first: number;
  /** Lines that wait while the tail is paused. */
  waiting: number;
  /** Lines that are or were in the list since the connection began. `shown`, `filtered`, `skipped` and `waiting` are `written`. */
  shown: number;
  /** Lines among `shown` that have left the list, because newer ones needed their place. */
  gone: number;
  skipped: number;
  filtered: number;
  written: number;
  /** Time of the last break of the connection, in RFC 3339. */
  lostAt: string | null;
  /** Whether `lines` are from before that break, because the tail is paused. The counts are those since then. */
  isFromBefore: boolean;
  isOpen: boolean;
  /** Reason that the node gave for the end of the tail. */
  reason: string | null;
  /** Whether the node refuses the filter, so that another attempt is of no use. */
  isRefused: boolean;
}

/** A tail of one filter. `changed` is called at most once a frame. */
export class Tail {
  state: TailState = {
    lines: [],
    first: 0,
    waiting: 0,
    shown: 0,
    gone: 0,
    skipped: 0,
    filtered: 0,
    written: 0,
    lostAt: null,
    isFromBefore: false,
    isOpen: false,
    reason: null,
    isRefused: false,
  };
  private source: EventSource | null = null;
  private pending: Line[] = [];
  private paused = false;
  private frame = 0;
  private timer = 0;
  private failures = 0;
  private ended = false;
  /** Whether nothing has come yet over this connection. */
  private isNew = true;
  private lostAt: string | null = null;

  constructor(
    private readonly search: string,
    private readonly changed: (state: TailState) => void,
  ) {
    this.open();
  }

  pause(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (!paused) this.take();
    this.tell();
  }

  end(): void {
    this.ended = true;
    this.source?.close();
    window.clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }

  private open(): void {
    const source = new EventSource(address(`logs/tail${this.search}`));
    this.source = source;
    source.addEventListener("open", () => {
      this.failures = 0;
      this.isNew = true;
      this.state = { ...this.state, isOpen: true, reason: null };
      connection.set("ok");
      this.tell();
    });
    source.addEventListener("lines", (event) => this.receive(parsed<TailLines>((event as MessageEvent<string>).data)));
    source.addEventListener("failed", (event) => {
      const refusal = parsed<Refusal>((event as MessageEvent<string>).data);
      if (refusal.error === "unauthorized") connection.set("login");
      this.state = { ...this.state, reason: refusal.message };
    });
    source.addEventListener("error", () => {
      // The browser's own attempts have no growing pause, and end after some answers. So this page makes them itself.
      source.close();
      if (this.ended) return;
      const wasOpen = this.state.isOpen;
      if (wasOpen) this.lostAt = new Date().toISOString();
      this.state = { ...this.state, isOpen: false };
      this.tell();
      void this.again(wasOpen);
    });
  }

  /** Opens the tail again after a pause, unless the node has refused the filter. */
  private async again(wasOpen: boolean): Promise<void> {
    const refused = wasOpen ? null : await refusalOf(`logs/tail${this.search}`);
    if (this.ended) return;
    if (refused !== null && refused.status !== 0) {
      this.state = { ...this.state, reason: refused.message, isRefused: refused.status === 400 };
      this.tell();
      if (this.state.isRefused) return;
    }
    this.failures += 1;
    this.timer = window.setTimeout(() => this.open(), Math.min(1000 * 2 ** (this.failures - 1), LONGEST_PAUSE_MS));
  }

  /** Begins anew. The node begins each connection with its last lines, of which some may be here already, and counts from zero. */
  private begin(): void {
    this.isNew = false;
    this.pending = [];
    const isFromBefore = this.state.lines.length > 0;
    this.state = { ...this.state, waiting: 0, shown: 0, gone: 0, skipped: 0, filtered: 0, written: 0, lostAt: this.lostAt, isFromBefore };
  }

  private receive(event: TailLines): void {
    if (this.isNew) this.begin();
    for (const line of event.lines) this.pending.push(line);
    const surplus = Math.max(0, this.pending.length - KEPT);
    this.pending.splice(0, surplus);
    const { state } = this;
    this.state = {
      ...state,
      waiting: this.pending.length,
      skipped: state.skipped + event.skipped + surplus,
      filtered: state.filtered + event.filtered,
      written: event.written,
    };
    if (!this.paused) this.take();
    this.tell();
  }

  private take(): void {
    const { state } = this;
    const before = state.isFromBefore ? [] : state.lines;
    const all = before.concat(this.pending);
    const gone = Math.max(0, all.length - KEPT);
    this.state = {
      ...state,
      lines: gone > 0 ? all.slice(gone) : all,
      first: state.first + state.lines.length - before.length + gone,
      waiting: 0,
      shown: state.shown + this.pending.length,
      gone: state.gone + gone,
      isFromBefore: false,
    };
    this.pending = [];
  }

  private tell(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.changed(this.state);
    });
  }
}
