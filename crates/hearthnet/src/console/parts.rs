//! Parts of a trace on the peers, on the clock of this node.

use std::time::Duration;

use futures_util::future::join_all;
use obs_facade::console::api::{Span, Trace as ShownTrace, TraceDetail, TracePart};
use obs_facade::trace::{Query, TraceId, query};
use reqwest::Url;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::bus::Bus;
use crate::trace::part::{self, MAX_BYTES, MAX_RECORDS, Part};
use crate::trace::record::Trace;
use crate::wire::client;

/// Maximum time of each peer. All are asked side by side.
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum number of peers that are asked, as many as a configuration may have.
const MAX_PEERS: usize = 64;
/// Maximum length of a text of a peer. The longest cause that a node keeps is shorter.
const MAX_TEXT_CHARS: usize = 2_000;

/// Returns the parts of the trace on the peers. A peer that does not answer is a part with the reason, and one without a part
/// is left out.
pub(super) async fn of_peers(bus: &Bus, own: &TraceDetail) -> Vec<TracePart> {
    let Ok(id) = own.trace_id.parse::<TraceId>() else { return Vec::new() };
    let peers: Vec<_> = bus.peer_addresses().into_iter().take(MAX_PEERS).collect();
    let answers = join_all(peers.iter().map(|(url, name)| ask(bus.http(), url, name, id))).await;
    // Own parts first: the first part that has an ID counts.
    let mut parts = own_parts(bus, id);
    let own_count = parts.len();
    let mut missing = Vec::new();
    for ((_, name), answer) in peers.iter().zip(answers) {
        match answer {
            Ok(found) => parts.extend(found),
            Err(reason) => missing.push(gap(name, reason)),
        }
    }
    let placed = place(&parts);
    let peers = parts.into_iter().zip(placed).skip(own_count);
    peers.map(|(part, placed)| shown(part, placed)).chain(missing).collect()
}

fn own_parts(bus: &Bus, id: TraceId) -> Vec<Part> {
    let mut records = query(&Query::default().n(MAX_RECORDS).id(id));
    records.sort_by_key(|record| record.started_at());
    let records = records.iter().filter_map(|record| serde_json::to_value(record.with_span_ids()).ok());
    part::parts(records.collect(), false, bus.display_name())
}

/// Asks a peer for its parts. The error is a reason for people.
async fn ask(http: &reqwest::Client, peer: &Url, name: &str, id: TraceId) -> Result<Vec<Part>, String> {
    let mut url = client::join(peer, "/trace/recent");
    let (n, text) = (MAX_RECORDS.to_string(), id.to_string());
    url.query_pairs_mut().extend_pairs([("n", n.as_str()), ("id", &text), ("span_ids", "true")]);
    let answer = async {
        let response = http.get(url).send().await.map_err(|error| client::reason(&error))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(format!("HTTP {}", status.as_u16()));
        }
        client::read(response, MAX_BYTES, PATIENCE).await.map_err(|error| error.cause())
    };
    let late = || Err(format!("no answer within {} s", PATIENCE.as_secs()));
    let bytes = timeout(PATIENCE, answer).await.unwrap_or_else(|_| late())?;
    let mut answer: Value =
        serde_json::from_slice(&bytes).map_err(|_| "the answer is not that of a node".to_owned())?;
    let records = answer["traces"].as_array_mut().map(std::mem::take);
    let records = records.ok_or_else(|| "the answer is not that of a node".to_owned())?;
    let mut parts = part::parts(records, false, name);
    // A peer may answer with anything.
    parts.retain(|part| part.trace.id() == Some(id) && is_sound(&part.trace));
    parts.truncate(MAX_RECORDS);
    Ok(parts)
}

/// Returns whether the times of a trace are times.
fn is_sound(trace: &Trace) -> bool {
    // Longer than any call, and short enough that sums stay exact.
    const LONGEST_MS: f64 = 1e12;
    let is_time = |ms: f64| (0.0..LONGEST_MS).contains(&ms);
    trace.started_ms().is_some()
        && is_time(trace.duration_ms)
        && trace.spans.iter().all(|span| span.start_ms.abs() < LONGEST_MS && is_time(span.duration_ms))
}

/// Place of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Placed {
    /// Begin after that of the first part.
    offset_ms: f64,
    /// Correction of the peer's clock.
    correction_ms: f64,
}

/// Places all parts on the clock of the first one. A part is within the span that called it. One without a caller here has its
/// own clock.
fn place(parts: &[Part]) -> Vec<Placed> {
    let parents = part::parents(parts);
    let offsets = part::offsets(parts, &parents);
    let begin = parts.first().and_then(|part| part.trace.started_ms());
    let by_clock = |at: usize| -> f64 {
        let began = parts[at].trace.started_ms();
        began.zip(begin).map_or(0.0, |(began, begin)| began - begin)
    };
    let place = |at: usize| {
        // The parts above it, up to the one that begins a tree.
        let above = std::iter::successors(Some(at), |at| parents[*at].map(|place| place.part));
        let root = above.last().unwrap_or(at);
        let offset_ms = by_clock(root) + offsets[at];
        let correction_ms = if root == at { 0.0 } else { offset_ms - by_clock(at) };
        Placed { offset_ms, correction_ms }
    };
    (0..parts.len()).map(place).collect()
}

fn gap(name: &str, reason: String) -> TracePart {
    let (offset_ms, clock_correction_ms) = (0.0, 0.0);
    TracePart {
        node: bounded(name),
        trace: None,
        missing: Some(bounded(&reason)),
        offset_ms,
        clock_correction_ms,
    }
}

fn shown(part: Part, placed: Placed) -> TracePart {
    let Part { node, trace, .. } = part;
    let ids: Vec<String> = (0..trace.spans.len())
        .map(|at| trace.spans[at].span_id.as_deref().map_or_else(|| format!("span-{at}"), bounded))
        .collect();
    let root = trace.span_id.as_deref().map(bounded);
    let spans = trace.spans.iter().enumerate().map(|(at, span)| Span {
        name: bounded(&span.name),
        span_id: ids[at].clone(),
        // A parent is before its children in the list, so that there is no circle.
        parent_span_id: match span.parent.filter(|parent| *parent < at) {
            Some(parent) => Some(ids[parent].clone()),
            None => root.clone(),
        },
        offset_ms: span.start_ms,
        duration_ms: span.duration_ms,
        status: span.fields.get("error").and_then(Value::as_str).map_or_else(|| "ok".to_owned(), bounded),
        fields: fields(&span.fields),
    });
    let shown = ShownTrace {
        capability: bounded(&trace.capability),
        started_at: bounded(&trace.started_at),
        duration_ms: trace.duration_ms,
        status: bounded(&trace.status),
        span_id: root.clone(),
        parent_span_id: trace.parent_span_id.as_deref().map(bounded),
        fields: Map::new(),
        spans: spans.collect(),
        dropped_spans: trace.dropped_spans,
    };
    TracePart {
        node: bounded(&node),
        trace: Some(shown),
        missing: None,
        offset_ms: placed.offset_ms,
        clock_correction_ms: placed.correction_ms,
    }
}

/// Returns the fields of a peer's span, with bounded texts and without depth.
fn fields(found: &Map<String, Value>) -> Map<String, Value> {
    let flat = |value: &Value| match value {
        Value::String(text) => Value::String(bounded(&obs_facade::doctor::redact(text))),
        Value::Array(_) | Value::Object(_) => Value::String(bounded(&value.to_string())),
        other => other.clone(),
    };
    found.iter().map(|(key, value)| (bounded(key), flat(value))).collect()
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(node: &str, started: &str, ms: f64, ids: (&str, Option<&str>), spans: &Value) -> Part {
        let record = json!({
            "trace_id": "01HXR3F2M9Z5T1V8Q4W7N6K0JD", "capability": "llm.chat", "status": "ok",
            "started_at": started, "duration_ms": ms, "spans": spans, "dropped_spans": 0,
            "span_id": ids.0, "parent_span_id": ids.1,
        });
        part::parts(vec![record], false, node).remove(0)
    }

    #[test]
    fn a_peer_with_another_clock_is_within_the_span_that_called_it() {
        let forward = json!([{ "name": "forward", "parent": null, "start_ms": 10.0, "duration_ms": 100.0,
                               "fields": {}, "span_id": "a1" }]);
        let parts = [
            part("ada", "2026-05-26T08:00:00.000Z", 120.0, ("a", None), &forward),
            // An hour ahead.
            part("bob", "2026-05-26T09:00:00.000Z", 80.0, ("b", Some("a1")), &json!([])),
            part("eve", "2026-05-26T08:00:00.050Z", 5.0, ("e", None), &json!([])),
        ];
        let placed = place(&parts);
        assert_eq!(placed[0], Placed::default());
        assert_eq!(placed[1].offset_ms, 20.0, "in the middle of the span");
        assert_eq!(placed[1].correction_ms, 20.0 - 3_600_000.0);
        assert_eq!(placed[2], Placed { offset_ms: 50.0, correction_ms: 0.0 }, "without a caller here");
    }

    #[test]
    fn the_texts_and_times_of_a_peer_are_bounded() {
        let spans = json!([
            { "name": "x".repeat(10_000), "parent": 7, "start_ms": 0.0, "duration_ms": 1.0,
              "fields": { "deep": [[[["y".repeat(10_000)]]]], "error": "http://u:hunter2@host" } },
            { "name": "b", "parent": 1, "start_ms": 0.0, "duration_ms": 1.0, "fields": {} },
        ]);
        let found = part("bob", "2026-05-26T08:00:00.000Z", 5.0, ("b", None), &spans);
        assert!(is_sound(&found.trace));
        let TracePart { trace: Some(trace), .. } = shown(found, Placed::default()) else { panic!("a part") };
        assert_eq!(trace.spans[0].name.len(), MAX_TEXT_CHARS);
        assert!(trace.spans[0].fields["deep"].as_str().is_some_and(|text| text.len() == MAX_TEXT_CHARS));
        assert!(!serde_json::to_string(&trace.spans[0].fields).unwrap().contains("hunter2"));
        assert!(trace.spans.iter().all(|span| span.parent_span_id.as_deref() == Some("b")));
        for (started, ms) in
            [("yesterday", 1.0), ("2026-05-26T08:00:00Z", 1e300), ("2026-05-26T08:00:00Z", -1.0)]
        {
            let hostile = part("bob", started, ms, ("b", None), &json!([]));
            assert!(!is_sound(&hostile.trace), "{started} {ms}");
        }
    }
}
