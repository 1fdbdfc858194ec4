//! One trace with its parts.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs_console::Failure;
use obs_console::api::{TraceDetail, TracePart};
use obs_trace::{ActiveTrace, Query, TraceId, TraceRecord};

use super::list::pattern;
use super::record::{self, Running};
use crate::console::logs;
use crate::console::node::ConsoleNode;

/// Maximum number of records of one ID that are shown. Calls that share an ID are rare: a client that retries.
const MAX_RECORDS: usize = 32;

/// Returns the trace with this ID, with the parts of other nodes if `peers` is set.
pub(in crate::console) fn detail(
    node: &dyn ConsoleNode,
    log_dir: &Path,
    text: &str,
    peers: bool,
) -> Result<TraceDetail, Failure> {
    let pattern = pattern(text)?;
    let mut found = obs_trace::query(&Query::default().n(MAX_RECORDS).id_like(pattern.clone()));
    // The oldest first: it began the call, and later ones are attempts.
    found.sort_by_key(|record| record.started_at());
    let active = obs_trace::active();
    let running: Vec<_> = active.iter().filter(|active| pattern.matches(active.trace().id())).collect();
    let id = found.first().map(|record| record.trace_id());
    let id = id.or_else(|| running.first().map(|active| active.trace().id())).or(pattern.whole());
    let Some(id) = id else { return Err(unknown(text)) };
    if found.iter().any(|record| record.trace_id() != id) {
        let problem = format!("id: several traces have an ID like {text}; give more of it");
        return Err(Failure::BadQuery(problem));
    }
    let time = time(id, &found, &running);
    let mut detail = TraceDetail {
        trace_id: id.to_string(),
        parts: own_parts(node, &found, &running),
        lines: None,
        lines_cut_off: false,
        log: Vec::new(),
    };
    // The trace is worth showing without its lines.
    if (peers || !detail.parts.is_empty())
        && let Ok(log) = logs::of_trace(log_dir, id, time)
    {
        log.fill(&mut detail);
    }
    with_peers(node, detail, id, peers)
}

fn own_parts(node: &dyn ConsoleNode, found: &[Arc<TraceRecord>], running: &[&ActiveTrace]) -> Vec<TracePart> {
    let begin = found.first().map(|record| record.started_at());
    let own = |trace, offset_ms| TracePart {
        node: node.name(),
        trace: Some(trace),
        missing: None,
        offset_ms,
        clock_correction_ms: 0.0,
    };
    let completed = found.iter().map(|record| {
        own(record::whole(record), begin.map_or(0.0, |begin| between(begin, record.started_at())))
    });
    let running = running.iter().map(|active| own(Running::of(active).whole(), 0.0));
    completed.chain(running).take(MAX_RECORDS).collect()
}

/// Returns the time from the begin of the first part to the end of the last one. The ID tells the time of a trace that has no
/// part on this node.
fn time(id: TraceId, found: &[Arc<TraceRecord>], running: &[&ActiveTrace]) -> Range<SystemTime> {
    let now = SystemTime::now();
    let made = UNIX_EPOCH + Duration::from_millis(id.timestamp_ms());
    let begins = found.iter().map(|record| record.started_at());
    let begins = begins.chain(running.iter().map(|active| active.trace().started_at()));
    let begin = begins.min().unwrap_or(made);
    let ends = found.iter().map(|record| record.started_at() + record.duration());
    let end = ends.chain((!running.is_empty()).then_some(now)).max().unwrap_or(begin);
    begin..end
}

fn with_peers(
    node: &dyn ConsoleNode,
    mut detail: TraceDetail,
    id: TraceId,
    peers: bool,
) -> Result<TraceDetail, Failure> {
    if peers {
        if detail.parts.is_empty() {
            let missing = Some("not kept on this node".to_owned());
            let (offset_ms, clock_correction_ms) = (0.0, 0.0);
            detail.parts.push(TracePart {
                node: node.name(),
                trace: None,
                missing,
                offset_ms,
                clock_correction_ms,
            });
        }
        let parts = node.peer_parts(&detail);
        detail.parts.extend(parts);
    }
    match detail.parts.iter().any(|part| part.trace.is_some()) {
        true => Ok(detail),
        false => Err(unknown(&id.to_string())),
    }
}

fn unknown(id: &str) -> Failure {
    Failure::NotFound(format!("no trace {id} is kept here; the last 10 000, the failed and the slowest are"))
}

/// Returns the milliseconds from one instant to another, which may be earlier.
fn between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs_f64() * 1e3,
        Err(before) => -before.duration().as_secs_f64() * 1e3,
    }
}
