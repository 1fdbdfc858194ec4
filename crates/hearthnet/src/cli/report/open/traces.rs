//! Traces of an archive in the forms of the API.

use std::collections::BTreeSet;

use chrono::DateTime;
use obs_facade::console::Failure;
use obs_facade::console::api::{self, TraceDetail, TracePart, TraceQuery, TraceSummary};
use serde_json::{Map, Value};

use super::super::place::{ACTIVE, FAILED, Place, RECENT, SLOWEST};
use super::files::Files;
use super::lines::{Lines, is_like};
use crate::trace::record::{Trace, Traces};

/// Maximum number of traces of an answer.
const MAX_TRACES: usize = 1_000;
/// Status of a trace that runs and has not failed.
const RUNNING: &str = "active";

/// Traces of an archive.
#[derive(Debug)]
pub(super) struct KeptTraces {
    /// Completed traces, newest first.
    completed: Vec<Trace>,
    running: Vec<Trace>,
}

impl KeptTraces {
    pub(super) fn of(files: &Files) -> KeptTraces {
        let read = |place: Place| {
            let found: Option<Traces> = files.json(place);
            found.into_iter().flat_map(|found| found.traces).map(Trace::bounded)
        };
        let mut seen = BTreeSet::new();
        let is_new = |trace: &Trace| {
            seen.insert((trace.trace_id.clone(), trace.span_id.clone(), trace.started_at.clone()))
        };
        let mut completed: Vec<Trace> =
            [RECENT, FAILED, SLOWEST].into_iter().flat_map(read).filter(is_new).collect();
        completed.sort_by(|one, other| other.started_at.cmp(&one.started_at));
        let mut running: Vec<Trace> = read(ACTIVE).collect();
        running
            .iter_mut()
            .filter(|trace| trace.status == "ok")
            .for_each(|trace| trace.status = RUNNING.to_owned());
        KeptTraces { completed, running }
    }

    pub(super) fn list(&self, query: &TraceQuery) -> Result<api::Traces, Failure> {
        let of = if query.active { &self.running } else { &self.completed };
        let mut found: Vec<&Trace> = of.iter().filter(|trace| matches(trace, query)).collect();
        if query.slowest {
            found.sort_by(|one, other| other.duration_ms.total_cmp(&one.duration_ms));
        }
        Ok(api::Traces {
            traces: found.into_iter().take(query.n.min(MAX_TRACES)).map(summary).collect(),
            kept: self.completed.len() as u64,
            oldest: self.completed.last().map(|trace| trace.started_at.clone()),
        })
    }

    /// Returns the trace with an ID, and those of the lines that have it.
    pub(super) fn detail(&self, id: &str, node: &str, lines: &Lines) -> Result<TraceDetail, Failure> {
        let all = || self.completed.iter().chain(&self.running);
        let unknown = || Failure::NotFound("the report has no such trace".to_owned());
        let first = all().find(|trace| is_like(&trace.trace_id, id)).ok_or_else(unknown)?;
        let mut parts: Vec<&Trace> = all().filter(|trace| trace.trace_id == first.trace_id).collect();
        parts.sort_by(|one, other| one.started_at.cmp(&other.started_at));
        let begin = parts.first().and_then(|trace| trace.started_ms()).unwrap_or_default();
        let part = |trace: &Trace| TracePart {
            node: node.to_owned(),
            trace: Some(whole(trace)),
            missing: None,
            offset_ms: trace.started_ms().map_or(0.0, |at| at - begin),
            clock_correction_ms: 0.0,
        };
        let mut detail = TraceDetail {
            trace_id: first.trace_id.clone(),
            parts: parts.into_iter().map(part).collect(),
            lines: None,
            lines_cut_off: false,
            log: Vec::new(),
        };
        lines.of_trace(&first.trace_id).fill(&mut detail);
        Ok(detail)
    }
}

fn matches(trace: &Trace, query: &TraceQuery) -> bool {
    let began = DateTime::parse_from_rfc3339(&trace.started_at).ok();
    let began = began.and_then(|time| u64::try_from(time.timestamp()).ok());
    query.capability.as_ref().is_none_or(|wanted| *wanted == trace.capability)
        && query.min_ms.is_none_or(|ms| trace.duration_ms >= ms)
        && query.id.as_ref().is_none_or(|id| is_like(&trace.trace_id, id))
        && query.since.is_none_or(|since| began.is_some_and(|began| began >= since))
        && query.until.is_none_or(|until| began.is_some_and(|began| began < until))
        && query.status.as_ref().is_none_or(|wanted| match wanted.as_str() {
            "failed" => trace.has_failed() && trace.status != RUNNING,
            wanted => trace.status == wanted,
        })
}

fn summary(trace: &Trace) -> TraceSummary {
    let cause = || trace.spans.iter().rev().find_map(|span| span.fields.get("cause"));
    TraceSummary {
        trace_id: trace.trace_id.clone(),
        capability: trace.capability.clone(),
        started_at: trace.started_at.clone(),
        duration_ms: trace.duration_ms,
        status: trace.status.clone(),
        spans: u32::try_from(trace.spans.len()).unwrap_or(u32::MAX),
        cause: cause().filter(|_| trace.has_failed()).map(shown),
        before_restart: false,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the trace with its spans. A span without an ID has its position instead.
fn whole(trace: &Trace) -> api::Trace {
    let id = |at: usize| match trace.spans.get(at).and_then(|span| span.span_id.clone()) {
        Some(id) => id,
        None => format!("span-{at}"),
    };
    let spans = trace.spans.iter().enumerate().map(|(at, span)| api::Span {
        name: span.name.clone(),
        span_id: id(at),
        // A span begins after the one around it. Any other place would be a circle.
        parent_span_id: match span.parent.filter(|parent| *parent < at) {
            Some(parent) => Some(id(parent)),
            None => trace.span_id.clone(),
        },
        offset_ms: span.start_ms,
        duration_ms: span.duration_ms,
        status: span.fields.get("error").map_or_else(|| "ok".to_owned(), shown),
        fields: span.fields.clone(),
    });
    api::Trace {
        capability: trace.capability.clone(),
        started_at: trace.started_at.clone(),
        duration_ms: trace.duration_ms,
        status: trace.status.clone(),
        span_id: trace.span_id.clone(),
        parent_span_id: trace.parent_span_id.clone(),
        fields: Map::new(),
        spans: spans.collect(),
        dropped_spans: trace.dropped_spans,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::files::tests::{archive, manifest};
    use super::*;

    #[test]
    fn a_trace_of_several_files_is_listed_once_and_shown_whole() {
        let trace = |id: &str, ms: f64, status: &str| {
            json!({
                "trace_id": id, "capability": "llm.chat", "started_at": "2026-11-28T02:00:00.000Z",
                "duration_ms": ms, "status": status, "span_id": "root", "dropped_spans": 0,
                "spans": [
                    { "name": "a", "parent": 7, "start_ms": 0.0, "duration_ms": 1.0, "fields": {} },
                    { "name": "b", "parent": 0, "start_ms": 0.5, "duration_ms": 1.0,
                      "fields": { "error": "timeout", "cause": "no answer" } },
                ],
            })
        };
        let page = |traces: Value| json!({ "traces": traces }).to_string();
        let one = trace("01A", 5.0, "timeout");
        let line = |id: &str, msg: &str| {
            json!({ "ts": "2026-11-28T02:00:00.001Z", "level": "info", "logger": "a", "msg": msg, "trace_id": id,
                    "capability": "llm.chat", "status": "timeout", "ms": 5.0, "from": "eve" })
        };
        let log = format!("{}\n{}\n{}\n", line("01A", "one"), line("01B", "other"), line("01A", "done"));
        let files = archive(&[
            ("r/traces/recent.json", &page(json!([one, trace("01B", 9.0, "ok")]))),
            ("r/traces/failed.json", &page(json!([one]))),
            ("r/traces/slowest.json", "[["),
            ("r/traces/active.json", &page(json!([trace("01C", 1.0, "ok")]))),
            ("r/log.jsonl", &log),
            ("r/manifest.json", &manifest().to_string()),
        ]);
        let files = Files::of(&*files).unwrap();
        let (traces, lines) = (KeptTraces::of(&files), Lines::of(&files));
        let list = |change: &dyn Fn(&mut TraceQuery)| {
            let mut query = TraceQuery { n: 10, ..TraceQuery::default() };
            change(&mut query);
            let found = traces.list(&query).unwrap();
            assert_eq!(found.kept, 2);
            found.traces
        };
        assert_eq!(list(&|_| {}).len(), 2);
        let failed = list(&|query| query.status = Some("failed".to_owned()));
        assert_eq!((failed.len(), failed[0].cause.as_deref()), (1, Some("no answer")));
        assert_eq!(list(&|query| query.slowest = true)[0].trace_id, "01B");
        assert_eq!(list(&|query| query.active = true)[0].status, RUNNING);
        assert!(list(&|query| query.until = Some(5)).is_empty());
        let detail = traces.detail("01A", "ada", &lines).unwrap();
        let shown = detail.parts[0].trace.as_ref().unwrap();
        assert_eq!(shown.spans[0].parent_span_id.as_deref(), Some("root"), "a later span encloses none");
        assert_eq!(shown.spans[1].parent_span_id.as_deref(), Some("span-0"));
        assert_eq!((detail.lines, &detail.log[0]["msg"]), (Some(2), &json!("one")));
        assert_eq!(json!(shown.fields), json!({ "from": "eve" }), "of the line done");
        assert!(matches!(traces.detail("01X", "ada", &lines), Err(Failure::NotFound(_))));
    }
}
