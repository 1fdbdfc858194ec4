//! Families of the `metrics` macros as values.

use super::sample::labels;
use super::text::{BridgedFamily, Line, last_labels};
use crate::exposition::kind::Kind;
use crate::snapshot::{FamilySnapshot, HistogramValue, SampleValue, SeriesSnapshot, SummaryValue};

/// Returns the contents of a family.
pub(super) fn of(family: &BridgedFamily) -> FamilySnapshot {
    let series = family.series.iter().map(|lines| SeriesSnapshot {
        labels: labels(last_labels(lines)),
        value: value(family, lines),
        exemplar: None,
    });
    FamilySnapshot {
        name: family.name.clone(),
        help: family.help.clone(),
        kind: family.kind,
        series: series.collect(),
    }
}

fn value(family: &BridgedFamily, lines: &[Line]) -> SampleValue {
    let part = |suffix: &str| {
        let line = lines.iter().find(|line| family.suffix(line) == suffix);
        line.map_or(0.0, Line::number)
    };
    match family.kind {
        Kind::Counter => SampleValue::Counter(part("")),
        Kind::Gauge => SampleValue::Gauge(part("")),
        Kind::Summary => SampleValue::Summary(SummaryValue {
            quantiles: lines
                .iter()
                .filter_map(|line| Some((line.bound("quantile")?, line.number())))
                .collect(),
            sum: part("_sum"),
            count: part("_count") as u64,
        }),
        Kind::Histogram => SampleValue::Histogram(histogram(lines, part("_sum"))),
    }
}

/// Returns the buckets of the lines, whose counts are cumulative.
fn histogram(lines: &[Line], sum: f64) -> HistogramValue {
    let cumulative = lines.iter().filter_map(|line| Some((line.bound("le")?, line.number() as u64)));
    let mut value = HistogramValue { bounds: Vec::new(), counts: Vec::new(), sum, native: None };
    let mut below = 0;
    for (bound, count) in cumulative {
        value.bounds.extend(Some(bound).filter(|bound| bound.is_finite()));
        value.counts.push(count.saturating_sub(below));
        below = count;
    }
    value
}
