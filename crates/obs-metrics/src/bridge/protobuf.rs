//! Families of the `metrics` macros, written in the protobuf format.

use super::text::{BridgedFamily, Line, last_labels};
use crate::exposition::kind::Kind;
use crate::exposition::protobuf::{self, Bucket};

/// Writes a family.
pub(super) fn push_family(family: &BridgedFamily, out: &mut Vec<u8>) {
    protobuf::push_family(out, family.kind, &family.name, &family.help, |out| {
        family.series.iter().for_each(|lines| push_series(family, out, lines));
    });
}

fn push_series(family: &BridgedFamily, out: &mut Vec<u8>, lines: &[Line]) {
    let part = |suffix: &str| {
        let line = lines.iter().find(|line| family.suffix(line) == suffix);
        line.map_or(0.0, Line::number)
    };
    protobuf::push_metric(out, labels(last_labels(lines)), |out| match family.kind {
        Kind::Counter => protobuf::push_counter(out, part(""), None),
        Kind::Gauge => protobuf::push_gauge(out, part("")),
        Kind::Summary => {
            let quantiles = lines.iter().filter_map(|line| Some((line.bound("quantile")?, line.number())));
            protobuf::push_summary(out, part("_count") as u64, part("_sum"), quantiles);
        }
        Kind::Histogram => {
            let bucket = |line: &Line| {
                let bound = line.bound("le")?;
                Some(Bucket { bound, cumulative: line.number() as u64, exemplar: None })
            };
            let buckets = lines.iter().filter_map(bucket);
            protobuf::push_histogram(out, part("_count") as u64, part("_sum"), buckets, None);
        }
    });
}

impl Line {
    fn number(&self) -> f64 {
        self.value.parse().unwrap_or(f64::NAN)
    }

    /// Returns the value of the last label, if it is this one.
    fn bound(&self, label: &str) -> Option<f64> {
        let (name, value) = labels(&self.labels).pop()?;
        if name == label { value.parse().ok() } else { None }
    }
}

/// Splits `a="x",b="y"` into names and unescaped values.
fn labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = quoted.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => value.push('\n'),
                    other => value.extend(other),
                },
                c => value.push(c),
            }
        }
        labels.push((name.trim_start_matches(',').to_owned(), value));
        rest = chars.as_str();
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_any_values_are_split() {
        let found = labels(r#"a="x",b="",c="q\"=\"\\n\n,\\",le="+Inf""#);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, [("a", "x"), ("b", ""), ("c", "q\"=\"\\n\n,\\"), ("le", "+Inf")]);
        assert!(labels("").is_empty());
    }
}
