//! Parts of one trace on several nodes, and the tree that they form.

use std::collections::HashMap;

use serde_json::Value;

use super::record::Trace;

/// Maximum number of records that are asked for. Calls that share an ID are rare: a client that retries.
pub(crate) const MAX_RECORDS: usize = 32;
/// Maximum size of an answer: records of 128 spans with all their fields.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// Part of a trace: the record of one node.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Name or address of the node.
    pub(crate) node: String,
    pub(crate) is_running: bool,
    pub(crate) trace: Trace,
    /// The record as the node sent it.
    pub(crate) raw: Value,
}

/// Place in the tree: a part itself, or one of its spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) part: usize,
    pub(crate) span: Option<usize>,
}

/// Returns the place of the caller of each part. `None` for a part that begins a tree.
///
/// The IDs come from other nodes, which may repeat each other's or form a cycle. The first part that has an ID counts, so
/// the own parts come first.
pub(crate) fn parents(parts: &[Part]) -> Vec<Option<Place>> {
    let mut places: HashMap<&str, Place> = HashMap::new();
    for (at, part) in parts.iter().enumerate() {
        let root = part.trace.span_id.iter().map(|id| (id, None));
        let spans = part.trace.spans.iter().enumerate();
        let spans = spans.filter_map(|(index, span)| Some((span.span_id.as_ref()?, Some(index))));
        for (id, span) in root.chain(spans) {
            places.entry(id).or_insert(Place { part: at, span });
        }
    }
    let mut parents: Vec<Option<Place>> = vec![None; parts.len()];
    for (at, part) in parts.iter().enumerate() {
        let caller = part.trace.parent_span_id.as_deref().and_then(|id| places.get(id)).copied();
        let would_enclose_itself = |place: &Place| {
            // Ends, because the links that are set form no cycle.
            let above =
                std::iter::successors(Some(place.part), |part| parents[*part].map(|place| place.part));
            above.into_iter().any(|part| part == at)
        };
        parents[at] = caller.filter(|place| !would_enclose_itself(place));
    }
    parents
}

/// Returns the start of each part, in milliseconds since the start of its tree.
pub(crate) fn offsets(parts: &[Part], parents: &[Option<Place>]) -> Vec<f64> {
    let mut known: Vec<Option<f64>> = parents.iter().map(|parent| parent.is_none().then_some(0.0)).collect();
    // A part is at most as deep as there are parts.
    for _ in 0..parts.len() {
        for (at, parent) in parents.iter().enumerate() {
            if let (None, Some(place)) = (known[at], parent)
                && let Some(offset) = known[place.part]
            {
                known[at] = Some(offset + within(&parts[at].trace, &parts[place.part].trace, place.span));
            }
        }
    }
    known.into_iter().map(Option::unwrap_or_default).collect()
}

/// Returns the start of `part` since the start of the `caller`, by the clocks of both nodes. If they disagree, the part is
/// in the middle of the caller's span.
fn within(part: &Trace, caller: &Trace, span: Option<usize>) -> f64 {
    let (start, duration) = match span {
        Some(span) => (caller.spans[span].start_ms, caller.spans[span].duration_ms),
        None => (0.0, caller.duration_ms),
    };
    let by_clocks = part.started_ms().zip(caller.started_ms()).map(|(part, caller)| part - caller);
    // A clock of milliseconds is off by one at each end.
    let fits = |offset: &f64| *offset >= start - 1.0 && offset + part.duration_ms <= start + duration + 1.0;
    match by_clocks.filter(fits) {
        Some(offset) => offset.max(start),
        None => start + (duration - part.duration_ms).max(0.0) / 2.0,
    }
}

/// Returns the parts that these records are. A record of another form is left out.
pub(crate) fn parts(records: Vec<Value>, is_running: bool, node: &str) -> Vec<Part> {
    let part = |raw: Value| {
        let trace: Trace = serde_json::from_value(raw.clone()).ok()?;
        let trace = if is_running { trace.runs() } else { trace };
        Some(Part { node: node.to_owned(), is_running, trace: trace.bounded(), raw })
    };
    records.into_iter().filter_map(part).collect()
}
