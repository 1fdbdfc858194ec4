//! Families of the `metrics` macros, parsed from the recorder's page.

use std::collections::BTreeMap;

use crate::exposition::format::Format;
use crate::exposition::kind::Kind;
use crate::exposition::text;

/// Help of a family that no macro described.
const DEFAULT_HELP: &str = "Recorded through the `metrics` macros.";

/// Family parsed from the recorder's page.
#[derive(Debug, Clone)]
pub(crate) struct BridgedFamily {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) help: String,
    /// Lines of each series, in order of its labels.
    pub(crate) series: Vec<Vec<Line>>,
}

/// Line `name{labels} value`. The labels have no braces and are still escaped.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(super) name: String,
    pub(crate) labels: String,
    pub(crate) value: String,
}

impl BridgedFamily {
    /// Whether the format allows the line. OpenMetrics forbids some sums, and a count without a sum.
    pub(super) fn may_show(&self, line: &Line, format: Format) -> bool {
        let sum = if self.suffix(line) == "_sum" { line.value.parse().ok() } else { None };
        sum.is_none_or(|sum| text::may_show_sum(format, sum))
    }

    pub(crate) fn suffix<'a>(&self, line: &'a Line) -> &'a str {
        line.name.strip_prefix(&self.name).unwrap_or_default()
    }
}

/// Parses a page of `metrics-exporter-prometheus`. Each family has a `# HELP` line or none, a `# TYPE` line, then its samples,
/// with the lines of a series together.
pub(crate) fn parse(page: &str) -> BTreeMap<String, BridgedFamily> {
    let mut families: BTreeMap<String, BridgedFamily> = BTreeMap::new();
    let mut help = None;
    let mut current: Option<BridgedFamily> = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // Kept for the `# TYPE` line, which follows it.
            help = rest.split_once(' ').map(|(_, help)| unescaped(help));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            close(&mut families, current.take());
            current = start(rest, help.take());
        } else if let (Some(family), Some(line)) = (&mut current, Line::parse(line)) {
            family.push(line);
        }
    }
    close(&mut families, current);
    families
}

fn start(declaration: &str, help: Option<String>) -> Option<BridgedFamily> {
    let (name, kind) = declaration.split_once(' ')?;
    let kind = match kind {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        "summary" => Kind::Summary,
        _ => return None,
    };
    let help = help.unwrap_or_else(|| DEFAULT_HELP.to_owned());
    Some(BridgedFamily { kind, name: name.to_owned(), help, series: Vec::new() })
}

fn close(families: &mut BTreeMap<String, BridgedFamily>, family: Option<BridgedFamily>) {
    if let Some(mut family) = family {
        // `push` opens a new series after each count, and the last one stays empty.
        family.series.retain(|lines| !lines.is_empty());
        family.series.sort_by(|a, b| last_labels(a).cmp(last_labels(b)));
        families.insert(family.name.clone(), family);
    }
}

/// Returns the labels of a series. It ends in its count or is a single line, so its last line has no `le` or `quantile`.
pub(super) fn last_labels(lines: &[Line]) -> &str {
    lines.last().map_or("", |line| &line.labels)
}

impl BridgedFamily {
    fn push(&mut self, mut line: Line) {
        if matches!(self.kind, Kind::Counter | Kind::Gauge) {
            return self.series.push(vec![line]);
        }
        self.mend_name(&mut line);
        // The recorder writes the count of a series last.
        let is_last = line.name.len() == self.name.len() + "_count".len() && line.name.ends_with("_count");
        match self.series.last_mut() {
            Some(lines) => lines.push(line),
            None => self.series.push(vec![line]),
        }
        if is_last {
            self.series.push(Vec::new());
        }
    }

    /// Adds a suffix that the recorder left out. It does so if the name already ends in it: a histogram `discount` has no
    /// `discount_count`.
    fn mend_name(&self, line: &mut Line) {
        if line.name == self.name && !line.labels.contains("quantile=\"") {
            let own = ["bucket", "sum", "count"].into_iter().find(|suffix| self.name.ends_with(suffix));
            line.name.extend(own.into_iter().flat_map(|suffix| ["_", suffix]));
        }
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        // A label value may contain spaces and braces, so the value is split off from the end.
        let (sample, value) = line.rsplit_once(' ')?;
        let (name, labels) = match sample.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (sample, ""),
        };
        Some(Self { name: name.to_owned(), labels: with_float_labels(labels), value: number(value)? })
    }
}

/// Writes a bound as OpenMetrics prescribes, `1.0` instead of `1`. The recorder puts `le` or `quantile` last.
fn with_float_labels(labels: &str) -> String {
    for label in ["le=\"", "quantile=\""] {
        let Some(at) = labels.rfind(label) else { continue };
        let starts = at == 0 || labels[..at].ends_with(',');
        let value = labels[at + label.len()..].strip_suffix('"').and_then(|value| value.parse::<f64>().ok());
        if let (true, Some(value)) = (starts, value) {
            return format!("{}{label}{}\"", &labels[..at], text::float_label(value));
        }
    }
    labels.to_owned()
}

fn number(value: &str) -> Option<String> {
    // A counter may exceed 2^53, beyond which an `f64` would lose digits.
    if value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.to_owned());
    }
    let mut text = String::new();
    text::push_f64(&mut text, value.parse().ok()?);
    Some(text)
}

fn unescaped(help: &str) -> String {
    let mut text = String::with_capacity(help.len());
    let mut chars = help.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            (c, false) => text.push(c),
        }
    }
    text
}
