//! Rendering of one trace.

use chrono::{DateTime, Local};
use obs_facade::doctor::render::{ColorChoice, TextStyle};
use serde_json::{Value, json};

use super::peers::Answer;
use super::rows;
use super::{Part, Shown};
use crate::cli::log::line::{Level, Line as LogLine, Paint};
use crate::cli::log::time::Zone;
use crate::cli::output::{self, not_written};
use crate::cli::trace::line::{Color, Line};
use crate::cli::trace::text::wrapped;
use crate::cli::trace::tree::{self, Detail};
use crate::cli::visible::visible_json;
use crate::failure::Failure;
use crate::trace::part::{self, Place};

/// Prints the trace on stdout.
pub(super) fn print(shown: &Shown, as_json: bool) -> Result<(), Failure> {
    let text = match as_json {
        true => visible_json(&format!("{:#}", json(shown))),
        false => text(shown, &TextStyle::for_stdout(ColorChoice::Auto)),
    };
    output::print(&text).map_err(|error| not_written(&error))
}

fn text(shown: &Shown, style: &TextStyle) -> String {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let parents = part::parents(&shown.parts);
    let has_nodes = shown.parts.iter().any(|part| part.node != shown.parts[0].node);
    let mut text = String::new();
    for root in (0..shown.parts.len()).filter(|at| parents[*at].is_none()) {
        let part = &shown.parts[root];
        text += &tree::header(&part.trace, shown.id.to_string(), style, now_ms).painted(style);
        text += &began(part, has_nodes).painted(style);
        let mut rows = rows::rows(&shown.parts, &parents, root);
        if !has_nodes {
            rows.iter_mut().for_each(|row| row.node = None);
        }
        for line in tree::draw(&rows, part.trace.duration_ms, style, Detail::Full) {
            text += &line.painted(style);
        }
    }
    if shown.parts.is_empty() {
        text += &Line::new().with(Color::Dim, shown.id.to_string()).painted(style);
    }
    if !shown.lines.lines.is_empty() {
        text += &Line::new().with(Color::Dim, "log of this node").painted(style);
        // Without colours inside, so that a line can be broken between words.
        let paint = Paint::new(&style.color(false), Zone::Local);
        for line in shown.lines.lines.iter().filter_map(|line| LogLine::parse(line.as_bytes())) {
            log_line(&line, paint, style).iter().for_each(|line| text += &line.painted(style));
        }
    }
    text
}

/// Renders a line of the log. What does not fit in the width continues below, indented.
fn log_line(line: &LogLine, paint: Paint, style: &TextStyle) -> Vec<Line> {
    const INDENT: usize = 4;
    let color = match line.level {
        Level::Error => Color::Red,
        Level::Warning => Color::Yellow,
        _ => Color::Dim,
    };
    let text = line.pretty(paint);
    // The columns of a line are kept where nothing has to be broken.
    let pieces = match style.width {
        Some(width) if text.chars().count() + 2 > width => {
            wrapped(&text, width.saturating_sub(INDENT).max(1))
        }
        _ => vec![text],
    };
    let indent = |at: usize| if at == 0 { "  " } else { "    " };
    let pieces = pieces.into_iter().enumerate();
    pieces.map(|(at, piece)| Line::new().with(color, format!("{}{piece}", indent(at)))).collect()
}

/// Renders `began 2026-05-26 08:14:22.281 +02:00 on ada`.
fn began(part: &Part, has_nodes: bool) -> Line {
    let time = DateTime::parse_from_rfc3339(&part.trace.started_at).map(|time| time.with_timezone(&Local));
    let time = time.map(|time| time.format("%Y-%m-%d %H:%M:%S%.3f %:z").to_string());
    let on =
        if has_nodes { format!(" on {}", crate::cli::visible::visible(&part.node)) } else { String::new() };
    let runs = if part.is_running { ", runs now" } else { "" };
    Line::new().with(
        Color::Dim,
        format!("began {}{on}{runs}", time.unwrap_or_else(|_| "at an unknown time".to_owned())),
    )
}

fn json(shown: &Shown) -> Value {
    let parents = part::parents(&shown.parts);
    let parts = shown.parts.iter().zip(&parents).map(|(part, parent)| {
        json!({
            "node": part.node, "running": part.is_running,
            "parent": parent.map(|Place { part, span }| json!({ "part": part, "span": span })),
            "trace": part.raw,
        })
    });
    let peers = shown.answers.iter().map(|Answer { peer, parts }| {
        json!({
            "node": peer.label(), "url": peer.url.to_string(),
            "parts": parts.as_ref().ok().map(Vec::len), "error": parts.as_ref().err(),
        })
    });
    let lines = shown
        .lines
        .lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| Value::String(line.clone())));
    json!({
        "trace_id": shown.id.to_string(),
        "parts": parts.collect::<Vec<_>>(),
        "peers": peers.collect::<Vec<_>>(),
        "log": lines.collect::<Vec<_>>(),
        "more_log_lines": shown.lines.more,
    })
}
