//! Families of the `metrics` macros, written in the protobuf format.

use super::sample::labels;
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
