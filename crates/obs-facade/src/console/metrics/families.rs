//! All families with their present values.

use obs_console::api::{Exemplar, Families, Family, Sample};
use obs_metrics::{FamilySnapshot, Kind, Registry, SampleValue, SeriesSnapshot};

use super::quantiles::{finite, of_histogram, of_summary};

/// Maximum number of series of a family in an answer. A family admits 256 of strangers' names by default.
const MAX_SERIES: usize = 300;

/// Returns all families of the process.
pub(in crate::console) fn families(in_history: impl Fn(&str) -> bool) -> Families {
    let found = Registry::global().snapshot(|_, _| true);
    let mut families: Vec<_> = found.iter().map(|family| shown(family, &in_history)).collect();
    families.sort_by(|a, b| a.name.cmp(&b.name));
    Families { families }
}

fn shown(family: &FamilySnapshot, in_history: impl Fn(&str) -> bool) -> Family {
    Family {
        name: family.name.clone(),
        kind: kind(family.kind).to_owned(),
        help: family.help.clone(),
        samples: family.series.iter().take(MAX_SERIES).map(sample).collect(),
        left_out: family.series.len().saturating_sub(MAX_SERIES) as u64,
        in_history: in_history(&family.name),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        // A kind of a later version.
        _ => "unknown",
    }
}

fn sample(series: &SeriesSnapshot) -> Sample {
    let (value, quantiles) = match &series.value {
        SampleValue::Counter(value) | SampleValue::Gauge(value) => (*value, None),
        SampleValue::Histogram(histogram) => (histogram.sum, Some(of_histogram(histogram))),
        SampleValue::Summary(summary) => (summary.sum, Some(of_summary(summary))),
        // A kind of a later version.
        _ => (0.0, None),
    };
    let exemplar = series.exemplar.as_ref().map(|exemplar| Exemplar {
        trace_id: exemplar.trace_id.clone(),
        value: finite(exemplar.value).unwrap_or_default(),
    });
    Sample {
        // Peers choose some values.
        labels: series.labels.iter().map(|(name, value)| (name.clone(), obs_doctor::redact(value))).collect(),
        value: finite(value).unwrap_or_default(),
        quantiles,
        exemplar,
    }
}
