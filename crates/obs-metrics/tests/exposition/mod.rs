//! Strict reader of both text formats. It follows their specifications and is independent of the crate's encoder.

#![allow(dead_code, reason = "some tests need only a part of it")]

pub(crate) mod protobuf;

use std::collections::{BTreeMap, BTreeSet};

use obs_metrics::Format;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

/// Names and values in the order of the page.
pub(crate) type Labels = Vec<(String, String)>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// As bits, so that NaN equals itself.
    pub(crate) value: u64,
    pub(crate) exemplar: Option<(Labels, f64)>,
}

impl Sample {
    pub(crate) fn number(&self) -> f64 {
        f64::from_bits(self.value)
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a page and checks more than other parsers do: families are complete and in order, series are unique, buckets are
/// cumulative, and `+Inf` equals the count. The name of a counter has its `_total` in both formats.
pub(crate) fn read(page: &str, format: Format) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    let mut lines: Vec<&str> = page.split('\n').collect();
    assert_eq!(lines.pop(), Some(""), "the page ends in a line feed");
    if format == Format::OpenMetrics {
        assert_eq!(lines.pop(), Some("# EOF"));
    }
    let mut help: Option<(String, String)> = None;
    for line in lines {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) =
                rest.split_once(' ').unwrap_or_else(|| panic!("help without a text: {line:?}"));
            help = Some((name.to_owned(), unescape(text, format == Format::OpenMetrics)));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let (named, text) = help.take().expect("HELP before TYPE");
            assert_eq!(named, name);
            let counts = kind == "counter" && format == Format::OpenMetrics;
            let name = if counts { format!("{name}_total") } else { name.to_owned() };
            families.push(Family { name, kind: kind.to_owned(), help: text, samples: Vec::new() });
        } else {
            let sample = read_sample(line);
            assert!(sample.exemplar.is_none() || format == Format::OpenMetrics);
            families.last_mut().expect("a sample belongs to a family").samples.push(sample);
        }
    }
    families.iter().for_each(|family| check_family(family, format));
    assert!(families.is_sorted_by(|a, b| a.name < b.name), "families are sorted and complete");
    families
}

/// Asserts that both pages show the same. In OpenMetrics a negative or NaN sum is missing, and a histogram with bounds below
/// zero has neither sum nor count.
pub(crate) fn assert_agree(text: &[Family], open: &[Family]) {
    assert_eq!(text.len(), open.len());
    for (text, open) in text.iter().zip(open) {
        assert_eq!((&text.name, &text.kind, &text.help), (&open.name, &open.kind, &open.help));
        let mut rest = open.samples.iter().peekable();
        for sample in &text.samples {
            if rest.next_if(|found| found.name == sample.name && found.labels == sample.labels).is_some_and(
                |found| {
                    assert_eq!(found.value, sample.value, "{sample:?}");
                    true
                },
            ) {
                continue;
            }
            let sum = text
                .samples
                .iter()
                .find(|sum| sum.name == format!("{}_sum", text.name) && sum.labels == sample.labels);
            let below =
                text.samples.iter().any(|bucket| bucket.label("le").is_some_and(|le| le.starts_with('-')));
            let may_miss = sum.is_some_and(|sum| sum.number().is_nan() || sum.number() < 0.0) || below;
            assert!(
                may_miss && (sample.name.ends_with("_sum") || sample.name.ends_with("_count")),
                "{sample:?}"
            );
        }
        assert_eq!(rest.next(), None);
    }
}

pub(crate) fn family<'a>(families: &'a [Family], name: &str) -> &'a Family {
    families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no family {name}"))
}

/// Returns the samples of a page in any order.
pub(crate) fn samples(page: &str) -> Vec<Sample> {
    page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(read_sample).collect()
}

/// Returns the identity of a series on a server: its labels in any order, without those that have no value.
fn identity_of(labels: &Labels) -> BTreeSet<&(String, String)> {
    labels.iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn check_family(family: &Family, format: Format) {
    let suffixes: &[&str] = match &*family.kind {
        "counter" | "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "summary" => &["", "_sum", "_count"],
        other => panic!("unknown type {other}"),
    };
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let suffix = sample.name.strip_prefix(&family.name).unwrap_or("?");
        assert!(suffixes.contains(&suffix), "{} in {}", sample.name, family.name);
        assert!(seen.insert((&sample.name, identity_of(&sample.labels))), "twice: {sample:?}");
        let names: BTreeSet<&String> = sample.labels.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), sample.labels.len(), "label twice: {sample:?}");
    }
    if family.kind == "histogram" {
        check_buckets(family, format);
    }
}

fn check_buckets(family: &Family, format: Format) {
    let mut by_series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for bucket in family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
        let (bounds, labels): (Vec<_>, Vec<_>) =
            bucket.labels.iter().cloned().partition(|(name, _)| name == "le");
        let bound = bounds[0].1.replace("+Inf", "inf").parse().unwrap();
        by_series.entry(labels).or_default().push((bound, bucket.number()));
    }
    for (labels, buckets) in by_series {
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
        let (last, all) = buckets[buckets.len() - 1];
        assert_eq!(last, f64::INFINITY);
        let count = format!("{}_count", family.name);
        match family.samples.iter().find(|sample| sample.name == count && sample.labels == labels) {
            Some(count) => assert_eq!(count.number(), all),
            None => assert_eq!(format, Format::OpenMetrics, "no count in {}", family.name),
        }
    }
}

fn read_sample(line: &str) -> Sample {
    let mut rest = line;
    let name = take_name(&mut rest);
    let labels = take_labels(&mut rest);
    rest = rest.strip_prefix(' ').unwrap_or_else(|| panic!("a space before the value: {line:?}"));
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (rest, None),
        Some((value, mut exemplar)) => {
            let labels = take_labels(&mut exemplar);
            let number = exemplar.trim_start().split(' ').next().unwrap();
            (value, Some((labels, number.parse().unwrap())))
        }
    };
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("a number: {line:?}"));
    let value = if value.is_nan() { f64::NAN } else { value };
    Sample { name, labels, value: value.to_bits(), exemplar }
}

fn take_name(rest: &mut &str) -> String {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
    assert!(end > 0, "a name: {rest:?}");
    let (name, after) = rest.split_at(end);
    *rest = after;
    name.to_owned()
}

fn take_labels(rest: &mut &str) -> Labels {
    let mut labels = Vec::new();
    let Some(mut inside) = rest.strip_prefix('{') else { return labels };
    loop {
        let name = take_name(&mut inside);
        inside = inside.strip_prefix("=\"").expect("a quoted value");
        let end = end_of_quoted(inside);
        labels.push((name, unescape(&inside[..end], true)));
        inside = &inside[end + 1..];
        match inside.strip_prefix(',') {
            Some(next) => inside = next,
            None => break,
        }
    }
    *rest = inside.strip_prefix('}').expect("a closing brace");
    labels
}

fn end_of_quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    panic!("an unclosed quote: {text:?}");
}

fn unescape(text: &str, quotes: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            assert!(c != '\n');
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if quotes => out.push('"'),
            other => panic!("unknown escape {other:?} in {text:?}"),
        }
    }
    out
}
