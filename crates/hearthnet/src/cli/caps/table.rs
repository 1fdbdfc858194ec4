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

/// Returns the capabilities in aligned columns under a header. The text is safe for a terminal.
pub(super) fn render(known: &Known, capabilities: &[&Capability]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(capabilities.iter().map(|capability| row(known, capability)));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default())
        .collect();
    rows.iter().map(|row| line(row, &widths)).collect()
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

/// Returns the name of the node that offers the capability, and its ID in short.
fn node(known: &Known, capability: &Capability) -> String {
    let id = &capability.node;
    let of_peer = || known.peers.iter().find(|peer| peer.node_id.as_ref() == Some(id));
    let name = match *id == known.node.id {
        true => known.node.name.clone(),
        false => of_peer().and_then(|peer| peer.name.clone()),
    };
    // Two peers may have one name.
    let id = short_id(id.trim_start_matches("ed25519:"), 4, '…');
    match name {
        Some(name) => cell(&format!("{name} {id}")),
        None => id,
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
    let text = visible(text);
    if width(&text) <= MAX_WIDTH {
        return text;
    }
    let mut cut = String::new();
    for letter in text.chars() {
        if width(&cut) + 2 > MAX_WIDTH {
            break;
        }
        cut.push(letter);
    }
    cut + "…"
}

/// Returns the number of columns on a terminal.
fn width(text: &str) -> usize {
    Span::raw(text).width()
}

fn line(row: &[String; 8], widths: &[usize]) -> String {
    let cells =
        row.iter().zip(widths).map(|(cell, wanted)| format!("{cell}{}", " ".repeat(wanted - width(cell))));
    let line = cells.collect::<Vec<_>>().join("  ");
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
        let table = render(&known, &all);
        let lines: Vec<&str> = table.lines().collect();
        assert!(!table.contains('\u{1b}'), "{table}");
        assert!(
            lines[1].starts_with("llm.chat   1.0      stable     küche AAAA…AAAA  qwen {\"ctx\":4096}"),
            "{table}"
        );
        assert!(lines[1].ends_with("99 %    840    2"), "{table}");
        assert!(lines[2].ends_with("silent  0.4    0"), "{table}");
        let column = |line: &str, text: &str| width(&line[..line.find(text).unwrap()]);
        assert_eq!(column(lines[0], "health"), column(lines[2], "silent"));
    }
}
