//! Log lines of one trace, and what they tell of its root.

use serde_json::Value;

use super::{LogLine, Trace, TraceDetail};

/// Maximum number of lines with a trace. A page shows them below the waterfall; a search of the log has the rest.
const MAX_LINES: usize = 200;
/// Maximum bytes of these lines. One line may have a backtrace.
const MAX_BYTES: usize = 256 << 10;
/// Maximum number of ends. Records that share an ID are rare: a client that retries.
const MAX_ENDS: usize = 32;
/// Members of an end that are no fields of the root, because the trace has them itself.
const OWN: [&str; 8] = ["ts", "level", "logger", "msg", "trace_id", "capability", "status", "ms"];
/// Difference of two durations of the same trace at most: a line has rounded milliseconds.
const ROUNDED_MS: f64 = 1.0;

/// Collector of the log lines of one trace.
///
/// ```
/// use obs_console::api::{LogLine, TraceDetail, TraceLog};
///
/// let line: LogLine = serde_json::from_str(r#"{"level":"info","logger":"hearthnet.bus","msg":"called"}"#).unwrap();
/// let mut log = TraceLog::default();
/// log.add(64, false, || Some(line));
/// let id = "01HXR3F2M9Z5T1V8Q4W7N6K0JD".to_owned();
/// let mut detail = TraceDetail { trace_id: id, parts: vec![], lines: None, lines_cut_off: false, log: vec![] };
/// log.fill(&mut detail);
/// assert_eq!((detail.lines, detail.log.len()), (Some(1), 1));
/// ```
#[derive(Clone, Debug, Default)]
pub struct TraceLog {
    count: u64,
    bytes: usize,
    lines: Vec<LogLine>,
    ends: Vec<LogLine>,
    is_cut_off: bool,
}

impl TraceLog {
    /// Counts a line of `length` bytes, and keeps it if there is room. `is_end` is whether it may be the line `done` with
    /// which the log ends a trace. `parse` makes the line; it is called for few of many lines.
    pub fn add(&mut self, length: usize, is_end: bool, parse: impl FnOnce() -> Option<LogLine>) {
        self.count += 1;
        let has_room = self.lines.len() < MAX_LINES && self.bytes + length <= MAX_BYTES;
        let is_wanted_end = is_end && self.ends.len() < MAX_ENDS;
        if !has_room && !is_wanted_end {
            return;
        }
        let Some(line) = parse() else { return };
        if is_wanted_end && is_done(&line) {
            self.ends.push(line.clone());
        }
        if has_room {
            self.bytes += length;
            self.lines.push(line);
        }
    }

    /// Notes that the search ended before it had seen all lines that there may be.
    pub fn cut_off(&mut self) {
        self.is_cut_off = true;
    }

    /// Fills in the lines of a trace, and the fields of the roots of its parts so far, which are those of this node.
    pub fn fill(self, detail: &mut TraceDetail) {
        for part in &mut detail.parts {
            if let Some(trace) = &mut part.trace {
                self.fill_root(trace);
            }
        }
        detail.lines = Some(self.count);
        detail.lines_cut_off = self.is_cut_off;
        detail.log = self.lines;
    }

    fn fill_root(&self, trace: &mut Trace) {
        let distance = |end: &LogLine| {
            let ms = end.get("ms").and_then(Value::as_f64)?;
            let is_same = end.get("status").and_then(Value::as_str) == Some(&trace.status);
            Some((ms - trace.duration_ms).abs()).filter(|distance| is_same && *distance < ROUNDED_MS)
        };
        let near = self.ends.iter().filter_map(|end| Some((distance(end)?, end)));
        let is_other =
            |end: &LogLine| end.get("capability").and_then(Value::as_str) != Some(&trace.capability);
        let nearest = near.min_by(|(one, line), (other, other_line)| {
            is_other(line).cmp(&is_other(other_line)).then(one.total_cmp(other))
        });
        if let Some((_, end)) = nearest {
            let fields = end.iter().filter(|(key, _)| !OWN.contains(&key.as_str()) && *key != "spans");
            trace.fields.extend(fields.map(|(key, value)| (key.clone(), value.clone())));
        }
    }
}

/// Returns whether a line is the end of a trace.
fn is_done(line: &LogLine) -> bool {
    line.get("msg").and_then(Value::as_str) == Some("done") && line.contains_key("capability")
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::super::TracePart;
    use super::*;

    fn line(value: Value) -> LogLine {
        match value {
            Value::Object(line) => line,
            other => panic!("{other}"),
        }
    }

    fn part(capability: &str, status: &str, duration_ms: f64) -> TracePart {
        let trace = Trace {
            capability: capability.to_owned(),
            started_at: "2026-05-26T08:14:22.281Z".to_owned(),
            duration_ms,
            status: status.to_owned(),
            span_id: None,
            parent_span_id: None,
            fields: Map::new(),
            spans: vec![],
            dropped_spans: 0,
        };
        let node = "ada".to_owned();
        TracePart { node, trace: Some(trace), missing: None, offset_ms: 0.0, clock_correction_ms: 0.0 }
    }

    fn filled(log: TraceLog, parts: Vec<TracePart>) -> TraceDetail {
        let trace_id = "01HXR3F2M9Z5T1V8Q4W7N6K0JD".to_owned();
        let mut detail = TraceDetail { trace_id, parts, lines: None, lines_cut_off: false, log: vec![] };
        log.fill(&mut detail);
        detail
    }

    #[test]
    fn each_root_has_the_fields_of_its_own_end() {
        let done = |capability: &str, status: &str, ms: f64, from: &str| {
            line(
                json!({ "ts": "t", "level": "info", "logger": "hearthnet.trace", "msg": "done", "trace_id": "i",
                         "capability": capability, "status": status, "ms": ms, "spans": 2, "from": from }),
            )
        };
        let mut log = TraceLog::default();
        for end in [
            done("llm.chat", "timeout", 12.25, "retry"),
            done("llm.chat", "ok", 40.0, "eve"),
            done("rag.query", "ok", 40.1, "bob"),
            line(json!({ "msg": "done", "ms": 40.0, "status": "ok", "from": "a program's own line" })),
        ] {
            log.add(100, true, || Some(end));
        }
        let parts = vec![
            part("llm.chat", "timeout", 12.2501),
            part("rag.query", "ok", 40.0),
            part("llm.chat", "ok", 500.0),
            part("llm.chat", "active", 40.0),
        ];
        let detail = filled(log, parts);
        let fields = |at: usize| json!(detail.parts[at].trace.as_ref().unwrap().fields);
        assert_eq!(fields(0), json!({ "from": "retry" }));
        assert_eq!(fields(1), json!({ "from": "bob" }), "of its capability, though another is nearer");
        assert_eq!((fields(2), fields(3)), (json!({}), json!({})), "no end is theirs");
        assert_eq!((detail.lines, detail.log.len(), detail.lines_cut_off), (Some(4), 4, false));
    }

    #[test]
    fn lines_are_bounded_in_number_and_bytes_and_all_are_counted() {
        let many = |length: usize, count: usize| {
            let mut log = TraceLog::default();
            let mut parsed = 0;
            for at in 0..count {
                log.add(length, false, || {
                    parsed += 1;
                    Some(line(json!({ "n": at })))
                });
            }
            log.add(length, true, || {
                Some(line(json!({ "msg": "done", "capability": "a", "status": "ok", "ms": 1, "x": 1 })))
            });
            log.cut_off();
            (filled(log, vec![part("a", "ok", 1.0)]), parsed)
        };
        let (detail, parsed) = many(100, 10_000);
        assert_eq!((detail.lines, detail.log.len(), parsed), (Some(10_001), MAX_LINES, MAX_LINES));
        assert_eq!(detail.log[0]["n"], 0, "the first ones");
        assert_eq!(detail.parts[0].trace.as_ref().unwrap().fields["x"], 1, "the end is beyond them");
        assert!(detail.lines_cut_off);
        let (detail, _) = many(128 << 10, 10);
        assert_eq!((detail.lines, detail.log.len()), (Some(11), 2));
        let mut broken = TraceLog::default();
        broken.add(9, true, || None);
        assert_eq!(filled(broken, vec![]).lines, Some(1), "a line that is no JSON counts");
    }
}
