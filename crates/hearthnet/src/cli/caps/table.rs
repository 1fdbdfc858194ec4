//! Capabilities as a table.

use ratatui::text::Span;
use serde_json::Value;

use super::known::{Capability, Known};
use crate::cli::visible::{short_id, visible};

const COLUMNS: [&str; 8] =
    ["name", "version", "stability", "node", "model/params", "health", "p50ms", "in_flight"];

/// Maximum width of a cell. Names of peers may be long.
const MAX_WIDTH: usize = 48;

/// Cell without a value.
const NONE: &str = "-";

/// Columns that a narrow terminal does without, the least important one first.
const OPTIONAL: [usize; 2] = [2, 1];

/// Columns of texts, which a terminal that is narrower still cuts: name, node and model.
const TEXTS: [usize; 3] = [0, 3, 4];
/// Width to which texts are cut at most. Less says nothing.
const LEAST_WIDTH: usize = 8;

/// Returns the capabilities in aligned columns under a header. The text is safe for a terminal of `columns`.
pub(super) fn render(known: &Known, capabilities: &[&Capability], columns: Option<usize>) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(capabilities.iter().map(|capability| row(known, capability)));
    let mut widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default())
        .collect();
    let shown = shown(&widths, columns);
    if let Some(columns) = columns {
        narrow(&mut widths, &shown, columns);
    }
    rows.iter().map(|row| line(row, &widths, &shown)).collect()
}

/// Returns the numbers of the columns that fit.
fn shown(widths: &[usize], columns: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    for optional in OPTIONAL {
        if columns.is_some_and(|columns| total(widths, &shown) > columns) {
            shown.retain(|column| *column != optional);
        }
    }
    shown
}

/// Returns the width of a line. The last column has no gap.
fn total(widths: &[usize], shown: &[usize]) -> usize {
    shown.iter().map(|column| widths[*column] + 2).sum::<usize>().saturating_sub(2)
}

/// Makes the widest texts narrower until a line fits. The head of a column stays whole.
fn narrow(widths: &mut [usize], shown: &[usize], columns: usize) {
    while total(widths, shown) > columns {
        let has_room = |column: &&usize| widths[**column] > LEAST_WIDTH.max(width(COLUMNS[**column]));
        let Some(&widest) = TEXTS.iter().filter(has_room).max_by_key(|column| widths[**column]) else {
            return;
        };
        widths[widest] -= 1;
    }
}

fn row(known: &Known, capability: &Capability) -> [String; 8] {
    let text = |text: &Option<String>| cell(text.as_deref().unwrap_or(NONE));
    [
        cell(&capability.name),
        text(&capability.version),
        text(&capability.stability),
        node(known, capability),
        cell(&model(capability)),
        health(known, capability),
        capability.p50_ms.map_or(NONE.to_owned(), milliseconds),
        capability.in_flight.map_or(NONE.to_owned(), |calls| calls.to_string()),
    ]
}

/// Returns the name of the node that offers the capability. Its ID follows if the name is missing or not the only one.
fn node(known: &Known, capability: &Capability) -> String {
    let us = (Some(&known.node.id), known.node.name.as_deref());
    let peers = known.peers.iter().map(|peer| (peer.node_id.as_ref(), peer.name.as_deref()));
    let nodes: Vec<_> = std::iter::once(us).chain(peers).collect();
    let id = &capability.node;
    let short = short_id(id.trim_start_matches("ed25519:"), 4, '…');
    match nodes.iter().find(|node| node.0 == Some(id)).and_then(|node| node.1) {
        None => short,
        Some(name) if nodes.iter().filter(|node| node.1 == Some(name)).count() > 1 => {
            cell(&format!("{name} {short}"))
        }
        Some(name) => cell(name),
    }
}

fn model(capability: &Capability) -> String {
    let params = match &capability.params {
        Value::Null => None,
        params => Some(params.to_string()),
    };
    let parts: Vec<String> = capability.model.iter().cloned().chain(params).collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join(" ") }
}

/// Returns the share of successful calls, or that the node does not answer at all.
fn health(known: &Known, capability: &Capability) -> String {
    let is_silent =
        known.peers.iter().any(|peer| !peer.answers() && peer.node_id.as_ref() == Some(&capability.node));
    match capability.health {
        _ if is_silent => "silent".to_owned(),
        Some(share) => format!("{:.0} %", (share * 100.0).floor()),
        None => NONE.to_owned(),
    }
}

fn milliseconds(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

fn cell(text: &str) -> String {
    cut(&visible(text), MAX_WIDTH)
}

/// Returns a text of at most `limit` columns.
fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        cut.push(letter);
        // One column is for the mark.
        if width(&cut) + 1 > limit {
            cut.pop();
            break;
        }
    }
    cut + "…"
}

/// Returns the number of columns on a terminal.
fn width(text: &str) -> usize {
    Span::raw(text).width()
}

fn line(row: &[String; 8], widths: &[usize], shown: &[usize]) -> String {
    let cell = |column: &usize| {
        let cell = cut(&row[*column], widths[*column]);
        format!("{cell}{}", " ".repeat(widths[*column].saturating_sub(width(&cell))))
    };
    let line = shown.iter().map(cell).collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_hostile_text_is_harmless() {
        let known: Known = serde_json::from_value(json!({
            "node": { "id": "ed25519:AAAAAAAAAAAA", "name": "küche" },
            "capabilities": [
                { "name": "llm.chat", "version": "1.0", "stability": "stable", "node": "ed25519:AAAAAAAAAAAA",
                  "local": true, "model": "qwen", "params": { "ctx": 4096 }, "health": 0.996, "p50_ms": 840.4,
                  "in_flight": 2 },
                { "name": "rag.query", "version": null, "stability": null, "node": "ed25519:BBBBBBBBBBBB",
                  "local": false, "model": "\u{1b}[2J".repeat(99), "params": null, "health": 0.5, "p50_ms": 0.44,
                  "in_flight": 0 },
            ],
            "peers": [{ "node_id": "ed25519:BBBBBBBBBBBB", "name": "日本", "url": "http://b:1", "state": "silent",
                        "since": "2026-01-01T00:00:00Z", "error": "connection refused" }],
        }))
        .unwrap();
        let all: Vec<&Capability> = known.capabilities.iter().collect();
        let table = render(&known, &all, None);
        let lines: Vec<&str> = table.lines().collect();
        assert!(!table.contains('\u{1b}'), "{table}");
        assert!(lines[1].starts_with("llm.chat   1.0      stable     küche  qwen {\"ctx\":4096}"), "{table}");
        assert!(lines[1].ends_with("99 %    840    2"), "{table}");
        assert!(lines[2].ends_with("silent  0.4    0"), "{table}");
        let column = |line: &str, text: &str| width(&line[..line.find(text).unwrap()]);
        assert_eq!(column(lines[0], "health"), column(lines[2], "silent"));

        let narrow = render(&known, &all, Some(105));
        assert!(!narrow.contains("stability") && narrow.contains("version"), "{narrow}");
        assert!(narrow.lines().all(|line| width(line) <= 105), "{narrow}");
        assert!(!render(&known, &all, Some(20)).contains("version"));
        for columns in 60..200 {
            let shown = render(&known, &all, Some(columns));
            assert!(shown.lines().all(|line| width(line) <= columns), "{columns}: {shown}");
            assert!(
                shown.lines().next().unwrap().ends_with("health  p50ms  in_flight"),
                "{columns}: {shown}"
            );
        }
    }
}
