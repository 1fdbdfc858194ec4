//! Course of one family over time.

use std::collections::BTreeMap;

use obs_console::Failure;
use obs_console::api::{Series, SeriesPoint, SeriesQuery};
#[cfg(feature = "history")]
use obs_history::Value;
use obs_metrics::{NativeBuckets, Registry};

use super::quantiles::{finite, of_native};
use crate::console::past::{Past, Steps};

/// Returns the points of one family, summed over the series that have the labels.
pub(in crate::console) fn series(past: &Past, query: &SeriesQuery) -> Result<Series, Failure> {
    let steps = Steps::of(&query.window)?;
    let is_known = !Registry::global().snapshot(|name, _| name == query.family).is_empty();
    if !is_known && !past.keeps(&query.family) {
        return Err(Failure::NotFound(format!("family: no family has the name {}", shown(&query.family))));
    }
    let points = points(past, query, &steps)?;
    let step_seconds = u32::try_from(steps.seconds).unwrap_or(u32::MAX);
    Ok(Series { window: steps.window, step_seconds, points })
}

/// Returns a name from outside in a form for a message.
fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_default).collect()
}

#[cfg(not(feature = "history"))]
fn points(_: &Past, _: &SeriesQuery, _: &Steps) -> Result<Vec<SeriesPoint>, Failure> {
    Ok(Vec::new())
}

#[cfg(feature = "history")]
fn points(past: &Past, query: &SeriesQuery, steps: &Steps) -> Result<Vec<SeriesPoint>, Failure> {
    let mut sums = BTreeMap::<u64, Sum>::new();
    let is_wanted = |series: &obs_history::Series| {
        series.family == query.family
            && query.labels.iter().all(|(name, value)| series.label(name) == Some(value))
    };
    let read = past.visit(steps, is_wanted, |found| {
        let sum = sums.entry(found.t).or_default();
        match found.value {
            Value::Counter(growth) => sum.value += growth,
            Value::Gauge { last: Some(last), .. } => sum.value += last,
            Value::Histogram { buckets, .. } => sum.merge(buckets),
            // A gauge that has ended, or a kind of a later version.
            _ => {}
        }
    });
    read.map_err(Failure::Unavailable)?;
    Ok(sums.into_iter().map(|(t, sum)| sum.point(t)).collect())
}

/// Growth in a step.
#[derive(Debug, Default)]
struct Sum {
    value: f64,
    buckets: Option<NativeBuckets>,
}

impl Sum {
    fn merge(&mut self, more: &NativeBuckets) {
        match &mut self.buckets {
            Some(buckets) => buckets.merge(more),
            None => self.buckets = Some(more.clone()),
        }
    }

    fn point(&self, t: u64) -> SeriesPoint {
        let quantiles = self.buckets.as_ref().map(of_native);
        let value = quantiles.map_or(self.value, |quantiles| quantiles.count as f64);
        SeriesPoint { t, value: finite(value).unwrap_or_default(), quantiles }
    }
}
