//! Trace as a tree of its spans, each with a bar on the time line of the trace.

use obs_facade::doctor::render::TextStyle;
use serde_json::{Map, Value};

use super::line::{Color, Line};
use super::text::{age, duration, shortened, visible, wrapped};
use crate::cli::visible::short_id;
use crate::trace::record::{Span, Trace};

/// Renders the traces in their order. Ages are relative to `now_ms`, the time since the Unix epoch.
pub(super) fn render(traces: &[Trace], style: &TextStyle, now_ms: i64) -> String {
    let lines = traces.iter().flat_map(|trace| {
        let id = short_id(&trace.trace_id, ID_HEAD, if style.ascii { '~' } else { '…' });
        let rows = draw(&rows(trace), trace.duration_ms, style, Detail::Brief);
        [header(trace, id, style, now_ms)].into_iter().chain(rows)
    });
    lines.map(|line| line.painted(style)).collect()
}

/// Number of characters shown of the start of a trace ID. `--json` has all of it.
const ID_HEAD: usize = 8;
// Longer than every name in use, short enough for the rest of the line.
const CAPABILITY_SHOWN: usize = 40;

/// Renders `01HXR3F2…K0JD  llm.chat  timeout  30.02 s   3 spans   2 s ago`.
pub(super) fn header(trace: &Trace, id: String, style: &TextStyle, now_ms: i64) -> Line {
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
        .with(Color::Dim, if trace.restored { ", before the restart" } else { "" }.to_owned())
}

/// Returns the end of the trace, in milliseconds since the Unix epoch.
fn ended(trace: &Trace, now_ms: i64) -> Option<i64> {
    // The clocks of two machines may differ. An age is never negative.
    Some(((trace.started_ms()? + trace.duration_ms) as i64).min(now_ms))
}

/// Line of the tree: a span, or the part of another node.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Name of the node, if the tree has several.
    pub(super) node: Option<String>,
    pub(super) depth: usize,
    pub(super) name: String,
    /// Time since the start of the tree.
    pub(super) start_ms: f64,
    pub(super) duration_ms: f64,
    pub(super) fields: Map<String, Value>,
}

impl Row {
    pub(super) fn of(span: &Span, depth: usize) -> Row {
        Row {
            node: None,
            depth,
            name: span.name.clone(),
            start_ms: span.start_ms,
            duration_ms: span.duration_ms,
            fields: span.fields.clone(),
        }
    }
}

/// Returns the index of the enclosing span. A parent has a smaller index than its children. Any other index does not
/// make a tree.
pub(super) fn parent(spans: &[Span], index: usize) -> Option<usize> {
    spans[index].parent.filter(|parent| *parent < index)
}

/// Returns every span once. A span follows the one that encloses it.
fn rows(trace: &Trace) -> Vec<Row> {
    let spans = &trace.spans;
    let mut children = vec![Vec::new(); spans.len()];
    // A stack instead of recursion: the depth comes from the node and has no bound here.
    let mut next = Vec::new();
    // In reverse, so that the stack returns the spans in their order.
    for index in (0..spans.len()).rev() {
        match parent(spans, index) {
            Some(parent) => children[parent].push(index),
            None => next.push((index, 0)),
        }
    }
    let mut rows = Vec::with_capacity(spans.len());
    while let Some((index, depth)) = next.pop() {
        rows.push(Row::of(&spans[index], depth));
        next.extend(children[index].iter().map(|child| (*child, depth + 1)));
    }
    rows
}

/// Amount of a span's fields that is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// On the line of the span, as far as they fit. A cause is whole.
    Brief,
    /// All of them, below the line of the span.
    Full,
}

/// Field of a span with its error code.
const ERROR: &str = "error";
/// Field of a span with the cause of its failure.
const CAUSE: &str = crate::bus::failure::CAUSE_FIELD;
const VALUE_SHOWN: usize = 60;
/// Maximum depth that is indented.
const MAX_DEPTH: usize = 12;

/// Renders the rows of a tree that lasted `total_ms`.
pub(super) fn draw(rows: &[Row], total_ms: f64, style: &TextStyle, detail: Detail) -> Vec<Line> {
    let columns = Columns::of(rows, style);
    let mut lines = Vec::new();
    for row in rows {
        lines.push(first_line(row, total_ms, &columns, style, detail));
        if detail == Detail::Full {
            let fields = others(row)
                .map(|(key, value)| format!("{}={}", visible(key, style.ascii), whole(value, style)));
            let fields = fields.collect::<Vec<_>>().join(" ");
            lines.extend(below(&fields, &columns, style).map(|text| Line::new().with(Color::Dim, text)));
        }
        if let Some(cause) = row.fields.get(CAUSE) {
            let cause = whole(cause, style);
            lines.extend(below(&cause, &columns, style).map(|text| Line::new().with(Color::Red, text)));
        }
    }
    lines
}

/// Returns the fields that have no place of their own.
fn others(row: &Row) -> impl Iterator<Item = (&String, &Value)> {
    row.fields.iter().filter(|(key, _)| *key != ERROR && *key != CAUSE)
}

/// Renders `  forward    ▕███████████████████████████▏ 30.01 s  to=7H4G-Y9KL  ✘ timeout`.
fn first_line(row: &Row, total_ms: f64, columns: &Columns, style: &TextStyle, detail: Detail) -> Line {
    let error =
        row.fields.get(ERROR).map(|error| format!("  {} {}", cross(style), shown_value(error, style)));
    let bar = bar(row.start_ms, row.duration_ms, total_ms, columns.bar, style.ascii);
    let mut line = Line::new()
        .plain("  ")
        .with(Color::Dim, columns.node_of(row, style))
        .plain(format!("{:width$} ", columns.name_of(row, style), width = columns.name))
        .with(if error.is_some() { Color::Red } else { Color::Cyan }, bar)
        .plain(format!(" {:>DURATION_WIDTH$}", duration(row.duration_ms)));
    if detail == Detail::Brief {
        // The error has its place, however long the fields are.
        let used = line.width() + error.as_ref().map_or(0, |error| error.chars().count());
        let mut left = style.width.unwrap_or(usize::MAX).saturating_sub(used);
        for (at, (key, value)) in others(row).enumerate() {
            let key = shortened(
                &format!("{}{}=", if at == 0 { "  " } else { " " }, visible(key, style.ascii)),
                left,
                style.ascii,
            );
            left -= key.chars().count();
            let value = shortened(&shown_value(value, style), left, style.ascii);
            left -= value.chars().count();
            line = line.with(Color::Dim, key).plain(value);
        }
    }
    match error {
        Some(error) => line.with(Color::Red, error),
        None => line,
    }
}

/// Breaks a text that stands below the line of a span.
fn below(text: &str, columns: &Columns, style: &TextStyle) -> impl Iterator<Item = String> {
    // Below the bar, unless hardly anything would fit there.
    let width = style.width.unwrap_or(usize::MAX);
    let indent = match 3 + columns.node + columns.name {
        indent if width.saturating_sub(indent) >= 40 => indent,
        _ => 4.min(width / 4),
    };
    let lines = wrapped(text, width.saturating_sub(indent).max(1));
    lines.into_iter().map(move |line| " ".repeat(indent) + &line)
}

/// Widths of the columns, in characters.
struct Columns {
    node: usize,
    name: usize,
    bar: usize,
}

// For pipes and files, which have no width.
const DEFAULT_WIDTH: usize = 100;
const NODE_WIDTH: usize = 14;
const NAME_WIDTHS: (usize, usize) = (10, 32);
const BAR_WIDTHS: (usize, usize) = (8, 40);
// The longest duration, such as `30.02 s`, and a blank.
const DURATION_WIDTH: usize = 8;

impl Columns {
    /// Gives the names up to a third of the line, and the bars a third.
    fn of(rows: &[Row], style: &TextStyle) -> Columns {
        let third = style.width.unwrap_or(DEFAULT_WIDTH) / 3;
        let node = rows.iter().filter_map(|row| row.node.as_deref());
        let node = node
            .map(|node| visible(node, style.ascii).chars().count().min(NODE_WIDTH) + 2)
            .max()
            .unwrap_or(0);
        let longest = rows.iter().map(|row| indented(row, style).chars().count()).max().unwrap_or(0);
        let most = third.clamp(NAME_WIDTHS.0, NAME_WIDTHS.1);
        let bar = third.saturating_sub(node / 2).clamp(BAR_WIDTHS.0, BAR_WIDTHS.1);
        Columns { node, name: longest.clamp(NAME_WIDTHS.0, most), bar }
    }

    fn node_of(&self, row: &Row, style: &TextStyle) -> String {
        let node = row.node.as_deref().unwrap_or_default();
        let node = shortened(&visible(node, style.ascii), self.node.saturating_sub(2), style.ascii);
        format!("{node:width$}", width = self.node)
    }

    fn name_of(&self, row: &Row, style: &TextStyle) -> String {
        shortened(&indented(row, style), self.name, style.ascii)
    }
}

fn indented(row: &Row, style: &TextStyle) -> String {
    "  ".repeat(row.depth.min(MAX_DEPTH)) + &visible(&row.name, style.ascii)
}

fn cross(style: &TextStyle) -> char {
    if style.ascii { 'x' } else { '✘' }
}

fn shown_value(value: &Value, style: &TextStyle) -> String {
    shortened(&whole(value, style), VALUE_SHOWN, style.ascii)
}

/// Renders a string without its quotes, and any other value as JSON.
fn whole(value: &Value, style: &TextStyle) -> String {
    match value {
        Value::String(text) => visible(text, style.ascii),
        other => visible(&other.to_string(), style.ascii),
    }
}

/// Renders the time of the span within its trace, in exactly `width` characters.
fn bar(start_ms: f64, duration_ms: f64, total_ms: f64, width: usize, ascii: bool) -> String {
    // Clamped, because a span may begin before its trace or end after it if the node's clock was set.
    let column = |ms: f64| if total_ms > 0.0 { (ms / total_ms).clamp(0.0, 1.0) * width as f64 } else { 0.0 };
    let (from, to) = (column(start_ms), column(start_ms + duration_ms));
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
    use crate::trace::record::Traces;

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
        let answer: Traces = serde_json::from_value(answer.clone()).unwrap();
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

    /// A cause says most at its end.
    #[test]
    fn a_cause_is_shown_whole_below_its_span() {
        let cause = "POST http://127.0.0.1:11434/v1/chat/completions: error trying to connect: tcp connect error: \
                     Connection refused (os error 111)";
        let mut answer = example();
        answer["traces"][0]["spans"][1]["fields"] =
            json!({ "error": "partition", "cause": cause, "to": "ed25519:".to_owned() + &"x".repeat(43) });
        let shown = shown(&answer, &style());
        let expected = "\
  forward    ██████████████████████████  30.01 s  to=ed25519:xxxxx…  ✘ partition
             POST http://127.0.0.1:11434/v1/chat/completions: error trying to
             connect: tcp connect error: Connection refused (os error 111)
    connect  ▏                            4.2 ms
";
        assert!(shown.contains(expected), "{shown}");
        let piped = super::tests::shown(&answer, &TextStyle::default());
        assert!(piped.contains(&format!("    {cause}\n")), "{piped}");
    }

    #[test]
    fn no_traces_are_no_lines() {
        assert_eq!(shown(&json!({"traces": []}), &style()), "");
    }
}
