//! Trace as a tree of its spans, each with a bar on the time line of the trace.

use chrono::DateTime;
use obs_facade::doctor::render::TextStyle;
use serde_json::Value;

use super::line::{Color, Line};
use super::recent::{Span, Trace};
use super::text::{age, duration, shortened, visible};
use crate::cli::visible::short_id;

/// Renders the traces in their order. Ages are relative to `now_ms`, the time since the Unix epoch.
pub(super) fn render(traces: &[Trace], style: &TextStyle, now_ms: i64) -> String {
    if traces.is_empty() {
        return "no traces yet\n".to_owned();
    }
    let lines = traces.iter().flat_map(|trace| lines(trace, style, now_ms));
    lines.map(|line| line.painted(style)).collect()
}

fn lines(trace: &Trace, style: &TextStyle, now_ms: i64) -> Vec<Line> {
    let rows = rows(&trace.spans, style);
    let columns = Columns::of(&rows, style);
    let spans = rows.iter().map(|row| span(row, trace.duration_ms, &columns, style));
    [header(trace, style, now_ms)].into_iter().chain(spans).collect()
}

/// Number of characters shown of the start of a trace ID. `--json` has all of it.
const ID_HEAD: usize = 8;
// Longer than every name in use, short enough for the rest of the line.
const CAPABILITY_SHOWN: usize = 40;

/// Renders `01HXR3F2…K0JD  llm.chat  timeout  30.02 s   3 spans   2 s ago`.
fn header(trace: &Trace, style: &TextStyle, now_ms: i64) -> Line {
    let id = short_id(&trace.trace_id, ID_HEAD, if style.ascii { '~' } else { '…' });
    let capability = shortened(&visible(&trace.capability, style.ascii), CAPABILITY_SHOWN, style.ascii);
    let status = visible(&trace.status, style.ascii);
    let count = trace.spans.len();
    let spans = format!("   {count} span{}", if count == 1 { "" } else { "s" });
    let lost = match trace.dropped_spans {
        0 => String::new(),
        lost => format!(", {lost} not kept"),
    };
    Line::new()
        .with(Color::Dim, id)
        .with(Color::Bold, format!("  {capability}"))
        .with(Color::of_status(&trace.status), format!("  {status}"))
        .plain(format!("  {}{spans}", duration(trace.duration_ms)))
        .with(Color::Yellow, lost)
        .with(
            Color::Dim,
            ended(trace, now_ms).map(|ms| format!("   {}", age(now_ms - ms))).unwrap_or_default(),
        )
}

/// Returns the end of the trace, in milliseconds since the Unix epoch.
fn ended(trace: &Trace, now_ms: i64) -> Option<i64> {
    let started = DateTime::parse_from_rfc3339(&trace.started_at).ok()?.timestamp_millis();
    // The clocks of two machines may differ. An age is never negative.
    Some(started.saturating_add(trace.duration_ms as i64).min(now_ms))
}

/// Span at its place in the tree.
struct Row<'a> {
    /// Name, indented by the depth of the span.
    name: String,
    span: &'a Span,
}

/// Maximum depth that is indented.
const MAX_DEPTH: usize = 12;

/// Returns every span once. A span follows the one that encloses it.
fn rows<'a>(spans: &'a [Span], style: &TextStyle) -> Vec<Row<'a>> {
    let mut children = vec![Vec::new(); spans.len()];
    // A stack instead of recursion: the depth comes from the node and has no bound here.
    let mut next = Vec::new();
    // In reverse, so that the stack returns the spans in their order.
    for (index, span) in spans.iter().enumerate().rev() {
        match span.parent {
            // A parent has a smaller index than its children. Any other index does not make a tree.
            Some(parent) if parent < index => children[parent].push(index),
            _ => next.push((index, 0)),
        }
    }
    let mut rows = Vec::with_capacity(spans.len());
    while let Some((index, depth)) = next.pop() {
        let indent = "  ".repeat(depth.min(MAX_DEPTH));
        let name = format!("{indent}{}", visible(&spans[index].name, style.ascii));
        rows.push(Row { name, span: &spans[index] });
        next.extend(children[index].iter().map(|child| (*child, depth + 1)));
    }
    rows
}

/// Widths of the columns, in characters.
struct Columns {
    name: usize,
    bar: usize,
}

// For pipes and files, which have no width.
const DEFAULT_WIDTH: usize = 100;
const NAME_WIDTHS: (usize, usize) = (10, 32);
const BAR_WIDTHS: (usize, usize) = (8, 40);
// The longest duration, such as `30.02 s`, and a blank.
const DURATION_WIDTH: usize = 8;

impl Columns {
    /// Gives the names up to a third of the line, and the bars a third.
    fn of(rows: &[Row<'_>], style: &TextStyle) -> Columns {
        let third = style.width.unwrap_or(DEFAULT_WIDTH) / 3;
        let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let most = third.clamp(NAME_WIDTHS.0, NAME_WIDTHS.1);
        Columns { name: longest.clamp(NAME_WIDTHS.0, most), bar: third.clamp(BAR_WIDTHS.0, BAR_WIDTHS.1) }
    }
}

/// Field of a span that failed.
const ERROR: &str = "error";
const VALUE_SHOWN: usize = 60;

/// Renders `  forward    ▕███████████████████████████▏ 30.01 s  to=7H4G-Y9KL  ✘ timeout`.
fn span(row: &Row<'_>, total_ms: f64, columns: &Columns, style: &TextStyle) -> Line {
    let error = row.span.fields.get(ERROR);
    let bar = bar(row.span, total_ms, columns.bar, style.ascii);
    let name = shortened(&row.name, columns.name, style.ascii);
    let mut line = Line::new()
        .plain(format!("  {name:width$} ", width = columns.name))
        .with(if error.is_some() { Color::Red } else { Color::Cyan }, bar)
        .plain(format!(" {:>DURATION_WIDTH$}", duration(row.span.duration_ms)));
    for (at, (key, value)) in row.span.fields.iter().filter(|(key, _)| *key != ERROR).enumerate() {
        let gap = if at == 0 { "  " } else { " " };
        line = line
            .with(Color::Dim, format!("{gap}{}=", visible(key, style.ascii)))
            .plain(shown_value(value, style));
    }
    match error {
        Some(error) => line.with(Color::Red, format!("  {} {}", cross(style), shown_value(error, style))),
        None => line,
    }
}

fn cross(style: &TextStyle) -> char {
    if style.ascii { 'x' } else { '✘' }
}

/// Renders a string without its quotes, and any other value as JSON.
fn shown_value(value: &Value, style: &TextStyle) -> String {
    let text = match value {
        Value::String(text) => visible(text, style.ascii),
        other => visible(&other.to_string(), style.ascii),
    };
    shortened(&text, VALUE_SHOWN, style.ascii)
}

/// Renders the time of the span within its trace, in exactly `width` characters.
fn bar(span: &Span, total_ms: f64, width: usize, ascii: bool) -> String {
    // Clamped, because a span may begin before its trace or end after it if the node's clock was set.
    let column = |ms: f64| if total_ms > 0.0 { (ms / total_ms).clamp(0.0, 1.0) * width as f64 } else { 0.0 };
    let (from, to) = (column(span.start_ms), column(span.start_ms + span.duration_ms));
    // A span at the very end still gets the last column.
    let first = (from as usize).min(width - 1);
    // The unit is an eighth of a character. At least one is drawn, so that every span is visible.
    let eighths = (((to - from) * 8.0).round() as usize).clamp(1, (width - first) * 8);
    let mut bar = " ".repeat(first);
    if ascii {
        bar.push_str(&if eighths < 8 { "|".to_owned() } else { "=".repeat(eighths.div_ceil(8)) });
    } else {
        bar.push_str(&"█".repeat(eighths / 8));
        bar.extend(['▏', '▎', '▍', '▌', '▋', '▊', '▉'].get((eighths % 8).wrapping_sub(1)));
    }
    format!("{bar:width$}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;
    use crate::cli::trace::recent::RecentTraces;

    const NOW_MS: i64 = 1_779_783_294_301;

    fn example() -> Value {
        json!({"traces": [{
            "trace_id": "01HXR3F2M9Z5T1V8Q4W7N6K0JD", "capability": "llm.chat",
            "started_at": "2026-05-26T08:14:22.281Z", "duration_ms": 30_020.0, "status": "timeout",
            "spans": [
                {"name": "route", "parent": null, "start_ms": 0.0, "duration_ms": 0.1, "fields": {}},
                {"name": "forward", "parent": null, "start_ms": 10.0, "duration_ms": 30_010.0,
                 "fields": {"error": "timeout", "to": "7H4G-Y9KL"}},
                {"name": "connect", "parent": 1, "start_ms": 11.0, "duration_ms": 4.2, "fields": {}},
                {"name": "answer", "parent": 1, "start_ms": 15_010.0, "duration_ms": 7_505.0, "fields": {"n": 3}},
                {"name": "retry", "parent": null, "start_ms": 30_019.0, "duration_ms": 1.0, "fields": {}},
            ],
            "dropped_spans": 0,
        }]})
    }

    fn shown(answer: &Value, style: &TextStyle) -> String {
        let answer: RecentTraces = serde_json::from_value(answer.clone()).unwrap();
        render(&answer.traces, style, NOW_MS)
    }

    fn style() -> TextStyle {
        TextStyle::default().width(Some(80))
    }

    #[test]
    fn a_trace_is_a_tree_with_bars() {
        let expected = "\
01HXR3F2…K0JD  llm.chat  timeout  30.02 s   5 spans   2 s ago
  route      ▏                            0.1 ms
  forward    ██████████████████████████  30.01 s  to=7H4G-Y9KL  ✘ timeout
    connect  ▏                            4.2 ms
    answer                ██████▌         7.50 s  n=3
  retry                               ▏   1.0 ms
";
        assert_eq!(shown(&example(), &style()), expected);
    }

    #[test]
    fn ascii_output_has_no_other_characters() {
        let expected = "\
01HXR3F2~K0JD  llm.chat  timeout  30.02 s   5 spans   2 s ago
  route      |                            0.1 ms
  forward    ==========================  30.01 s  to=7H4G-Y9KL  x timeout
    connect  |                            4.2 ms
    answer                =======         7.50 s  n=3
  retry                               |   1.0 ms
";
        let mut answer = example();
        assert_eq!(shown(&answer, &style().ascii(true)), expected);
        answer["traces"][0]["capability"] = "übersetzen".into();
        answer["traces"][0]["spans"][1]["fields"]["to"] = "日本".into();
        assert!(shown(&answer, &style().ascii(true)).is_ascii());
    }

    #[test]
    fn lines_end_at_the_edge_of_the_terminal() {
        let mut answer = example();
        answer["traces"][0]["spans"][1]["fields"]["to"] = "x".repeat(500).into();
        answer["traces"][0]["spans"][2]["name"] = "n".repeat(300).into();
        answer["traces"][0]["capability"] = "c".repeat(128).into();
        for width in [1, 20, 40, 80, 200] {
            for line in shown(&answer, &style().width(Some(width))).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn unsafe_characters_are_shown_as_escapes() {
        for letter in UNSAFE {
            let mut answer = example();
            let trace = &mut answer["traces"][0];
            trace["trace_id"] = format!("{letter}[2J").into();
            trace["capability"] = format!("{letter}[31m\n").into();
            trace["status"] = letter.to_string().into();
            trace["spans"][1]["name"] = format!("\t{letter}").into();
            trace["spans"][1]["fields"] =
                json!({format!("{letter}k"): "\n", "error": {letter.to_string(): "\t"}});
            let shown = shown(&answer, &style());
            assert!(!shown.contains(*letter), "{shown:?}");
            assert_eq!(shown.lines().count(), 6, "{shown:?}");
        }
    }

    #[test]
    fn spans_that_form_no_tree_are_shown() {
        let mut answer = example();
        for (index, parent) in [(0, 0), (1, 4), (2, 99), (3, 2), (4, 3)] {
            answer["traces"][0]["spans"][index]["parent"] = parent.into();
        }
        let trace = &mut answer["traces"][0];
        trace["duration_ms"] = 0.0.into();
        trace["started_at"] = "yesterday".into();
        trace["spans"][0]["start_ms"] = (-5.0).into();
        trace["spans"][0]["duration_ms"] = 1e300.into();
        let shown = shown(&answer, &style());
        assert_eq!(shown.lines().count(), 6, "{shown}");
        assert!(shown.contains("      retry"), "{shown}");
    }

    #[test]
    fn colours_mark_failures() {
        let mut answer = example();
        answer["traces"][0]["dropped_spans"] = 872.into();
        let shown = shown(&answer, &style().color(true));
        assert!(shown.contains("\x1b[31m  timeout\x1b[0m"), "{shown:?}");
        assert!(shown.contains("\x1b[31m  ✘ timeout\x1b[0m"), "{shown:?}");
        assert!(shown.contains(", 872 not kept"), "{shown:?}");
    }

    #[test]
    fn no_traces_is_a_sentence() {
        assert_eq!(shown(&json!({"traces": []}), &style()), "no traces yet\n");
    }
}
