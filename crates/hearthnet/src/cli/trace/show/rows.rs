//! Tree of the parts of one trace, as rows.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::cli::trace::tree::{self, Row};
use crate::trace::part::{Part, Place, offsets};
use crate::trace::record::Trace;

/// Returns the rows of the tree that begins with the part `root`, without the root itself.
pub(super) fn rows(parts: &[Part], parents: &[Option<Place>], root: usize) -> Vec<Row> {
    let mut children: HashMap<Place, Vec<usize>> = HashMap::new();
    for (at, parent) in parents.iter().enumerate() {
        if let Some(place) = parent {
            children.entry(*place).or_default().push(at);
        }
    }
    let offsets = offsets(parts, parents);
    let mut rows = Vec::new();
    // A stack instead of recursion: other nodes choose the depth.
    let mut next = vec![(Place { part: root, span: None }, 0)];
    while let Some((place, depth)) = next.pop() {
        let Part { node, trace, .. } = &parts[place.part];
        let offset = offsets[place.part];
        let is_root = place == Place { part: root, span: None };
        if !is_root {
            let mut row = match place.span {
                Some(span) => Row::of(&trace.spans[span], depth),
                None => part_row(trace, depth),
            };
            row.start_ms += offset;
            row.node = Some(node.clone());
            rows.push(row);
        }
        let depth = if is_root { 0 } else { depth + 1 };
        let inner = (0..trace.spans.len()).filter(|index| tree::parent(&trace.spans, *index) == place.span);
        let mut inner: Vec<(f64, Place)> = inner
            .filter(|index| Some(*index) != place.span)
            .map(|index| {
                (trace.spans[index].start_ms + offset, Place { part: place.part, span: Some(index) })
            })
            .collect();
        let called = children.get(&place).into_iter().flatten();
        inner.extend(called.map(|part| (offsets[*part], Place { part: *part, span: None })));
        inner.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        // In reverse, so that the stack returns them in their order.
        next.extend(inner.into_iter().rev().map(|(_, place)| (place, depth)));
    }
    rows
}

/// Returns the row of a part that another node answered.
fn part_row(trace: &Trace, depth: usize) -> Row {
    let mut fields = Map::new();
    if trace.has_failed() {
        fields.insert("error".to_owned(), Value::String(trace.status.clone()));
    }
    Row {
        node: None,
        depth,
        name: trace.capability.clone(),
        start_ms: 0.0,
        duration_ms: trace.duration_ms,
        fields,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trace::part::parents;

    fn part(node: &str, id: &str, parent: Option<&str>, spans: &[(&str, Option<usize>)]) -> Part {
        let spans: Vec<_> = spans
            .iter()
            .map(|(id, parent)| {
                json!({ "name": format!("span {id}"), "parent": parent, "start_ms": 1.0, "duration_ms": 10.0,
                        "fields": {}, "span_id": id })
            })
            .collect();
        let raw = json!({
            "trace_id": "01HXR3F2M9Z5T1V8Q4W7N6K0JD", "capability": format!("cap {node}"), "status": "ok",
            "started_at": "2026-05-26T08:14:22.281Z", "duration_ms": 8.0, "spans": spans, "dropped_spans": 0,
            "span_id": id, "parent_span_id": parent,
        });
        let trace = serde_json::from_value(raw.clone()).unwrap();
        Part { node: node.to_owned(), is_running: false, trace, raw }
    }

    fn tree(parts: &[Part]) -> Vec<(String, usize, String)> {
        let parents = parents(parts);
        let roots = (0..parts.len()).filter(|at| parents[*at].is_none());
        let rows = roots.flat_map(|root| rows(parts, &parents, root));
        rows.map(|row| (row.node.unwrap(), row.depth, row.name)).collect()
    }

    #[test]
    fn a_part_is_a_child_of_the_span_that_called_it() {
        let parts = [
            part("ada", "a", None, &[("a1", None), ("a2", Some(0)), ("a3", None)]),
            part("eve", "e", Some("a2"), &[("e1", None)]),
            part("bob", "b", Some("e"), &[]),
        ];
        let expected = [
            ("ada", 0, "span a1"),
            ("ada", 1, "span a2"),
            ("eve", 2, "cap eve"),
            ("bob", 3, "cap bob"),
            ("eve", 3, "span e1"),
            ("ada", 0, "span a3"),
        ];
        assert_eq!(tree(&parts), expected.map(|(node, depth, name)| (node.into(), depth, name.into())));
    }

    #[test]
    fn parts_without_a_caller_here_begin_trees() {
        let parts = [part("ada", "a", Some("elsewhere"), &[("a1", None)]), part("eve", "e", None, &[])];
        assert_eq!(parents(&parts), [None, None]);
    }

    /// Another node may send any IDs.
    #[test]
    fn cycles_and_repeated_ids_lose_and_double_no_part() {
        let parts = [
            part("ada", "a", Some("b1"), &[("a1", None)]),
            part("bob", "b", Some("a1"), &[("b1", None), ("a1", Some(9)), ("b3", Some(2))]),
            part("eve", "e", Some("e"), &[("e", None)]),
            part("sam", "a", Some("a1"), &[]),
        ];
        let parents = parents(&parts);
        let roots: Vec<_> = (0..parts.len()).filter(|at| parents[*at].is_none()).collect();
        assert!(!roots.is_empty());
        let shown: usize = roots.iter().map(|root| rows(&parts, &parents, *root).len() + 1).sum();
        let all: usize = parts.iter().map(|part| part.trace.spans.len() + 1).sum();
        assert_eq!(shown, all);
        assert_eq!(parents[3], Some(Place { part: 0, span: Some(0) }), "the first part with an ID counts");
    }

    #[test]
    fn a_deep_chain_of_parts_is_shown() {
        let chain: Vec<_> = (0..500)
            .map(|at: usize| {
                let parent = at.checked_sub(1).map(|at| format!("s{at}"));
                part("n", &format!("s{at}"), parent.as_deref(), &[])
            })
            .collect();
        assert_eq!(tree(&chain).len(), 499);
    }
}
