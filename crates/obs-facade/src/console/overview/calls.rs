//! Calls by capability.

use std::collections::BTreeMap;

use obs_console::api::{Capability, CodeCount, Point};
#[cfg(feature = "history")]
use obs_history::Value;
use obs_metrics::{NativeBuckets, SampleValue};

use super::present::{Present, number};
#[cfg(feature = "history")]
use crate::console::past::Found;
use crate::console::past::Steps;

const REQUESTS: &str = "hearthnet_requests_total";
const DURATIONS: &str = "hearthnet_request_duration_seconds";
const STREAMS: &str = "hearthnet_active_streams";

/// Results of calls that did not fail. A caller that went away is no failure.
const NOT_FAILED: [&str; 2] = ["ok", "cancelled"];

/// Maximum number of capabilities in an answer. Those with the most calls are.
const MAX_CAPABILITIES: usize = 300;

/// Calls of a window.
#[derive(Debug, Default)]
pub(super) struct Calls {
    by_capability: BTreeMap<String, Counted>,
}

/// Calls of one capability.
#[derive(Debug, Default)]
struct Counted {
    whole: Sum,
    codes: BTreeMap<String, u64>,
    points: BTreeMap<u64, Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    calls: u64,
    errors: u64,
    durations: Option<NativeBuckets>,
}

impl Sum {
    fn count(&mut self, calls: u64, is_error: bool) {
        self.calls += calls;
        self.errors += if is_error { calls } else { 0 };
    }

    fn observe(&mut self, durations: &NativeBuckets) {
        match &mut self.durations {
            Some(own) => own.merge(durations),
            None => self.durations = Some(durations.clone()),
        }
    }

    fn quantile_ms(&self, q: f64) -> Option<f64> {
        let seconds = self.durations.as_ref()?.quantile(q)?;
        (seconds * 1e3).is_finite().then_some(seconds * 1e3)
    }
}

impl Calls {
    /// Returns whether the rows of a family are calls.
    #[cfg(feature = "history")]
    pub(super) fn wants(family: &str) -> bool {
        matches!(family, REQUESTS | DURATIONS)
    }

    /// Adds a change that the history has.
    #[cfg(feature = "history")]
    pub(super) fn add(&mut self, found: &Found<'_>) {
        let Some(capability) = found.series.label("capability") else { return };
        let counted = self.of(capability);
        match found.value {
            Value::Counter(growth) if found.series.family == REQUESTS => {
                let result = found.series.label("result").unwrap_or_default();
                counted.count(Some(found.t), result, *growth as u64);
            }
            Value::Histogram { buckets, .. } => {
                counted.whole.observe(buckets);
                counted.points.entry(found.t).or_default().observe(buckets);
            }
            _ => {}
        }
    }

    /// Adds the calls since the start of the process.
    pub(super) fn add_process(&mut self, present: &Present) {
        for series in present.series(REQUESTS) {
            let (Some(capability), Some(calls)) = (series.label("capability"), number(series)) else {
                continue;
            };
            self.of(capability).count(None, series.label("result").unwrap_or_default(), calls as u64);
        }
        for series in present.series(DURATIONS) {
            if let (Some(capability), SampleValue::Histogram(durations)) =
                (series.label("capability"), &series.value)
                && let Some(native) = durations.native.as_ref().filter(|native| native.count() > 0)
            {
                self.of(capability).whole.observe(native);
            }
        }
    }

    fn of(&mut self, capability: &str) -> &mut Counted {
        if !self.by_capability.contains_key(capability) {
            self.by_capability.insert(capability.to_owned(), Counted::default());
        }
        self.by_capability.entry(capability.to_owned()).or_default()
    }

    /// Returns the capabilities, those with the most calls first. One that is offered is listed without calls too.
    pub(super) fn capabilities(mut self, steps: &Steps, present: &Present) -> Vec<Capability> {
        let streams = |capability: &str| {
            let is_own =
                |series: &obs_metrics::SeriesSnapshot| series.label("capability") == Some(capability);
            present.sum(STREAMS, is_own).unwrap_or_default().max(0.0) as u64
        };
        let is_current = steps.is_current();
        if is_current {
            let offered = present.series(STREAMS).filter_map(|series| series.label("capability"));
            for capability in offered {
                self.of(capability);
            }
        }
        let seconds = (steps.window.until - steps.window.since).max(1) as f64;
        let shown = self.by_capability.into_iter().map(|(capability, counted)| {
            let in_flight = if is_current { streams(&capability) } else { 0 };
            counted.shown(capability, in_flight, seconds)
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.capability.cmp(&b.capability)));
        shown.truncate(MAX_CAPABILITIES);
        shown
    }
}

impl Counted {
    fn count(&mut self, step: Option<u64>, result: &str, calls: u64) {
        let is_error = !NOT_FAILED.contains(&result);
        self.whole.count(calls, is_error);
        if let Some(step) = step {
            self.points.entry(step).or_default().count(calls, is_error);
        }
        if is_error && calls > 0 {
            *self.codes.entry(result.to_owned()).or_default() += calls;
        }
    }

    fn shown(self, capability: String, in_flight: u64, seconds: f64) -> Capability {
        let codes = self.codes.into_iter().map(|(code, calls)| CodeCount { code, calls });
        let mut codes: Vec<_> = codes.collect();
        codes.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.code.cmp(&b.code)));
        let points = self.points.into_iter().map(|(t, sum)| Point {
            t,
            calls: sum.calls,
            errors: sum.errors,
            p50_ms: sum.quantile_ms(0.5),
            p95_ms: sum.quantile_ms(0.95),
            p99_ms: sum.quantile_ms(0.99),
        });
        Capability {
            // A caller may name anything.
            capability: obs_doctor::redact(&capability),
            calls: self.whole.calls,
            errors: self.whole.errors,
            codes,
            in_flight,
            rate: self.whole.calls as f64 / seconds,
            p50_ms: self.whole.quantile_ms(0.5),
            p95_ms: self.whole.quantile_ms(0.95),
            p99_ms: self.whole.quantile_ms(0.99),
            points: points.collect(),
        }
    }
}
