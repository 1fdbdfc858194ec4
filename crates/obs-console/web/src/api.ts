// Types of the console's API, version 1. Generated from crates/obs-console/src/api; do not edit.
// OBS_CONSOLE_BLESS=1 cargo test -p obs-console the_types_of_the_page

/** Calls of one capability in the window. */
export type Capability = {
  /** Name. */
  capability: string,
  /** Number of calls. */
  calls: number,
  /** Number of failed calls. */
  errors: number,
  /** Failed calls by code, the most frequent first. */
  codes: Array<CodeCount>,
  /** Calls that run now. 0 in a window of the past. */
  in_flight: number,
  /** Calls a second. */
  rate: number,
  /** Median of the duration. */
  p50_ms: number | null,
  /** 95th percentile of the duration. */
  p95_ms: number | null,
  /** 99th percentile of the duration. */
  p99_ms: number | null,
  /** Points of the chart, oldest first. A step without calls has no point. */
  points: Array<Point>,
};

/** Result of a check. */
export type Check = {
  /** Name. */
  name: string,
  /** Category. */
  category: string,
  /** `pass`, `warn`, `fail`, `skip` or `error`. */
  status: string,
  /** Finding of the check. */
  detail: string,
  /** Advice. */
  fix: string | null,
  /** Reason of a skip. */
  skip_reason: string | null,
  /** Check whose failure is the cause of this one. */
  caused_by: string | null,
  /** Evidence. */
  evidence: Record<string, unknown>,
  /** Duration. */
  duration_ms: number,
};

/** Number of calls that failed with a code. */
export type CodeCount = {
  /** Error code. */
  code: string,
  /** Number of calls. */
  calls: number,
};

/** A report of the doctor. */
export type Doctor = {
  /** Instant of the run. `None` if no run has ended yet. */
  ran_at: string | null,
  /** Whether no check failed. */
  ok: boolean,
  /** Number of checks by status. */
  summary: DoctorSummary,
  /** Results in the order of the checks. */
  checks: Array<Check>,
};

/** Number of checks by status. */
export type DoctorSummary = {
  /** Passed. */
  pass: number,
  /** Passed with a warning. */
  warn: number,
  /** Failed. */
  fail: number,
  /** Not run, with a reason. */
  skip: number,
  /** Could not be run. */
  error: number,
};

/** Trace of an observation. */
export type Exemplar = {
  /** Trace ID. */
  trace_id: string,
  /** Observed value. */
  value: number,
};

/** All metric families of the node. */
export type Families = {
  /** Families by name. */
  families: Array<Family>,
};

/** A metric family. */
export type Family = {
  /** Name. */
  name: string,
  /** `counter`, `gauge`, `histogram` or `summary`. */
  kind: string,
  /** Help text. */
  help: string,
  /** Series. Their number is bounded. */
  samples: Array<Sample>,
  /** Number of series that were left out. */
  left_out: number,
  /** Whether the history keeps the family. */
  in_history: boolean,
};

/** A gauge with its course over the window. */
export type Gauge = {
  /** Name for people, such as `Memory`. */
  title: string,
  /** Name of the metric family. */
  family: string,
  /** Unit: `bytes`, `percent`, `seconds`, `count` or `flag`. */
  unit: string,
  /** Value at the end of the window: the last point, or the value of now in a window that reaches the present. */
  value: number | null,
  /** Pairs of time and value, oldest first. */
  points: Array<[number, number]>,
};

/** Number of lines in one step. */
export type LogCount = {
  /** Begin of the step in seconds since 1970. */
  t: number,
  /** Lines. */
  lines: number,
  /** Lines of level `warning` or `error`. */
  faults: number,
};

/** Lines that match a query. */
export type LogLines = {
  /** The newest lines that match, oldest first. */
  lines: Array<Record<string, unknown>>,
  /** Number of matching lines over time, oldest first. */
  counts: Array<LogCount>,
  /** Length of a count's step in seconds. */
  step_seconds: number,
  /** Number of matching lines in the part that was searched. A damaged line matches nothing. */
  matched: number,
  /** Instant back to which the files were searched. It is later than `since` if the search was cut off. */
  searched_since: string | null,
  /** Instant of the oldest line in the files. */
  oldest: string | null,
};

/** Request of a session by token. */
export type Login = {
  /** Token of the console. */
  token: string,
};

/** Request to mute a problem. */
export type Mute = {
  /** End of the mute in seconds since 1970. `null` unmutes. */
  until: number | null,
};

/** The node. */
export type Node = {
  /** ID of the node. */
  id: string,
  /** Name of the machine or the node. */
  name: string,
  /** Version of the program. */
  version: string,
  /** Start of the process. */
  started_at: string,
  /** Age of the process in seconds. */
  uptime_seconds: number,
};

/** State of the node and its calls in a window of time. */
export type Overview = {
  /** The node. */
  node: Node,
  /** Instant of this answer. */
  now: string,
  /** Whether all is well: the worst severity of the remarks. */
  severity: Severity,
  /** Remarks on what is not well, the worst first. Empty when all is well. Those of a window of the past are about the window. */
  remarks: Array<Remark>,
  /** Window of the calls. It can be shorter than the one that was asked for. */
  window: Window,
  /** Length of a point in seconds. */
  step_seconds: number,
  /** Calls by capability, those with most calls first. */
  capabilities: Array<Capability>,
  /** Gauges: streams, peers, memory, processor, disk, emergency mode, lost lines and traces. */
  gauges: Array<Gauge>,
  /** Runs of the node in the window. The boundary of two runs is a restart. */
  runs: Array<Run>,
  /** Number of problems that are open now, whatever the window. */
  problems_open: number,
  /** Reason for which there is no history, or for which it stopped. */
  history_missing: string | null,
};

/** A peer. */
export type Peer = {
  /** Node ID, if it was told. */
  id: string | null,
  /** Name or address. */
  name: string,
  /** Address. */
  address: string,
  /** Whether it answers. */
  up: boolean,
  /** Instant of the last change between up and down. */
  since: string | null,
  /** Latency of its last answer. */
  latency_ms: number | null,
  /** Version that it tells. */
  version: string | null,
  /** Number of calls to it. */
  calls: number,
  /** Number of failed calls to it. */
  errors: number,
  /** Last failure. */
  last_error: string | null,
  /** Number of its open problems, if it tells. */
  problems_open: number | null,
};

/** The peers. */
export type Peers = {
  /** Peers by name. */
  peers: Array<Peer>,
  /** Reason for which there are none. */
  none_because: string | null,
};

/** Calls in one step of a chart. */
export type Point = {
  /** Begin of the step in seconds since 1970. */
  t: number,
  /** Number of calls. */
  calls: number,
  /** Number of failed calls. */
  errors: number,
  /** Median of the duration. */
  p50_ms: number | null,
  /** 95th percentile of the duration. */
  p95_ms: number | null,
  /** 99th percentile of the duration. */
  p99_ms: number | null,
};

/** Faults of one cause. */
export type Problem = {
  /** ID. */
  id: string,
  /** Kind. */
  kind: ProblemKind,
  /** Logger, capability or check. */
  place: string,
  /** Message without its variable parts, error code, or detail of the check. */
  title: string,
  /** First cause. Of failed calls it is the cause of one of the last ones; others may have another. */
  cause: string | null,
  /** Advice of a check. */
  fix: string | null,
  /** Number of faults. */
  count: number,
  /** First time. */
  first_seen: string,
  /** Last time. */
  last_seen: string,
  /** Trace of one of the faults. */
  trace_id: string | null,
  /** State. */
  state: ProblemState,
  /** End of the mute. */
  muted_until: string | null,
};

/** Kind of a problem. */
export type ProblemKind = "line" | "trace" | "panic" | "check";

/** State of a problem. */
export type ProblemState = "open" | "muted" | "cleared";

/** The problems, open ones first, then by the last time they were seen. */
export type Problems = {
  /** Problems. */
  problems: Array<Problem>,
  /** Number of faults of causes that have no place in the table. */
  ungrouped: number,
};

/** Number and quantiles of a histogram's observations. */
export type Quantiles = {
  /** Number of observations. */
  count: number,
  /** Median. */
  p50: number | null,
  /** 95th percentile. */
  p95: number | null,
  /** 99th percentile. */
  p99: number | null,
};

/** Answer to a refused request. */
export type Refusal = {
  /** `bad_request`, `unauthorized`, `forbidden`, `not_found`, `method_not_allowed`, `payload_too_large`,
   * `too_many_requests`, `unavailable` or `internal`. */
  error: string,
  /** Reason. */
  message: string,
};

/** One thing that is not well. */
export type Remark = {
  /** Severity. */
  severity: Severity,
  /** One sentence. */
  text: string,
  /** Address within the page that shows more, such as `traces?status=failed&capability=llm.chat`. */
  link: string | null,
};

/** A run of the node's process. */
export type Run = {
  /** First second, since 1970. */
  since: number,
  /** Last second that is known, since 1970. */
  until: number,
  /** Version of the program. */
  version: string,
  /** End of the run, such as `stopped` or `killed`. `None` for the present run. */
  ended: string | null,
};

/** A series with its present value. */
export type Sample = {
  /** Labels. */
  labels: Record<string, string>,
  /** Value of a counter or gauge; sum of a histogram. */
  value: number,
  /** Number and quantiles of a histogram or summary. */
  quantiles: Quantiles | null,
  /** A trace of one of the newest observations. */
  exemplar: Exemplar | null,
};

/** Points of a family over time, summed over the matching series. */
export type Series = {
  /** Window of the points. */
  window: Window,
  /** Length of a step in seconds. */
  step_seconds: number,
  /** Points, oldest first. */
  points: Array<SeriesPoint>,
};

/** Point of a family. */
export type SeriesPoint = {
  /** Begin of the step in seconds since 1970. */
  t: number,
  /** Growth of a counter, last value of a gauge, number of a histogram's observations. */
  value: number,
  /** Quantiles of a histogram. */
  quantiles: Quantiles | null,
};

/** A session. */
export type Session = {
  /** Number of the session. It is not its secret. */
  id: string,
  /** Address of the viewer. */
  address: string,
  /** Begin. */
  since: string,
  /** Last request. */
  last_seen: string,
  /** Whether it is the session of this request. */
  is_own: boolean,
};

/** Open sessions. */
export type Sessions = {
  /** Sessions, newest first. */
  sessions: Array<Session>,
};

/** Severity of a remark. */
export type Severity = "well" | "attention" | "broken";

/** A span. */
export type Span = {
  /** Name. */
  name: string,
  /** Span ID. */
  span_id: string,
  /** Span ID of the enclosing span, or of the root. */
  parent_span_id: string | null,
  /** Begin in milliseconds after that of the trace. */
  offset_ms: number,
  /** Duration. */
  duration_ms: number,
  /** Status, such as `ok`, `cancelled` or an error code. */
  status: string,
  /** Fields. */
  fields: Record<string, unknown>,
};

/** Lines of a tail since the last event. Over the whole tail, `shown` + `filtered` + `skipped` = lines written. */
export type TailLines = {
  /** Matching lines. */
  lines: Array<Record<string, unknown>>,
  /** Matching lines that were left out because there were too many. */
  skipped: number,
  /** Lines that do not match, and damaged lines. */
  filtered: number,
  /** Lines written since the tail began. */
  written: number,
};

/** A trace of one node. */
export type Trace = {
  /** Capability or route. */
  capability: string,
  /** Begin. */
  started_at: string,
  /** Duration. */
  duration_ms: number,
  /** `ok`, an error code, or `active`. */
  status: string,
  /** Span ID of the root. */
  span_id: string | null,
  /** Span ID of the caller's span. */
  parent_span_id: string | null,
  /** Fields of the root, as the log's line `done` has them: the address of the caller and others. None for a trace that
   * runs, for that of a peer, and where the log has no such line. */
  fields: Record<string, unknown>,
  /** Spans by begin. */
  spans: Array<Span>,
  /** Number of spans that were left out. */
  dropped_spans: number,
};

/** A trace with the parts of all nodes that are known. */
export type TraceDetail = {
  /** ID. */
  trace_id: string,
  /** Parts; that of this node is the first. */
  parts: Array<TracePart>,
  /** Number of log lines of this trace on this node around its time. There is none if the log cannot be read. */
  lines: number | null,
  /** Whether there may be more lines, because the search of the log was cut off. */
  lines_cut_off: boolean,
  /** The first of these lines, at most 200 and 256 KiB. */
  log: Array<Record<string, unknown>>,
};

/** Part of a trace on one node. */
export type TracePart = {
  /** Name or ID of the node. */
  node: string,
  /** The trace of that node. */
  trace: Trace | null,
  /** Reason for which there is no trace, such as `connection refused`. */
  missing: string | null,
  /** Begin of this part in milliseconds after the begin of the first part. The clock of a peer is aligned by the client
   * span that encloses it. */
  offset_ms: number,
  /** Correction of the peer's clock that the alignment needed. */
  clock_correction_ms: number,
};

/** A trace in a list. */
export type TraceSummary = {
  /** ID. */
  trace_id: string,
  /** Capability or route. */
  capability: string,
  /** Begin. */
  started_at: string,
  /** Duration so far. */
  duration_ms: number,
  /** `ok`, an error code, or `active`. */
  status: string,
  /** Number of spans. */
  spans: number,
  /** Cause of a failure. */
  cause: string | null,
  /** Whether the trace ended before the present run of the node. */
  before_restart: boolean,
};

/** Traces that match a query. */
export type Traces = {
  /** The traces in the order of the query. */
  traces: Array<TraceSummary>,
  /** Number of kept traces, matching or not. */
  kept: number,
  /** Begin of the oldest kept trace. */
  oldest: string | null,
};

/** Window of time, in seconds since 1970. */
export type Window = {
  /** First second. */
  since: number,
  /** Second after the last one. */
  until: number,
};
