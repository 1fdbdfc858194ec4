//! Calls of a span of time, by step and capability.

use std::collections::BTreeMap;

use chrono::{DateTime, Local, NaiveTime, TimeZone, Utc};
use obs_facade::history::{Error, Reader, Row, Run, Series, Value};
use obs_facade::metrics::NativeBuckets;

use super::options::Step;
use super::span::Span;
use crate::cli::caps::pattern::Pattern;
use crate::cli::log::time::Zone;

const REQUESTS: &str = "hearthnet_requests_total";
const DURATIONS: &str = "hearthnet_request_duration_seconds";

/// Calls of a span.
#[derive(Debug)]
pub(super) struct Calls {
    /// Calls by the beginning of the step and the capability.
    pub(super) rows: BTreeMap<(DateTime<Utc>, String), Counts>,
    pub(super) runs: Vec<Run>,
    pub(super) unreadable: u64,
    pub(super) step: Step,
    /// Capabilities with calls that the pattern leaves out.
    pub(super) others: Vec<String>,
}

/// Calls of one capability in one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) by_result: BTreeMap<String, f64>,
    pub(super) durations: Option<NativeBuckets>,
}

impl Counts {
    pub(super) fn calls(&self) -> f64 {
        self.by_result.values().sum()
    }

    /// Returns the number of calls that failed. A caller that has left is no error of the node.
    pub(super) fn errors(&self) -> f64 {
        let failed =
            self.by_result.iter().filter(|(result, _)| !matches!(result.as_str(), "ok" | "cancelled"));
        failed.map(|(_, calls)| calls).sum()
    }

    /// Returns the duration in milliseconds that a share of the calls did not exceed.
    pub(super) fn quantile_ms(&self, share: f64) -> Option<f64> {
        self.durations.as_ref()?.quantile(share).map(|seconds| seconds * 1e3)
    }
}

impl Calls {
    /// Reads the calls of the span.
    pub(super) fn read(
        reader: &Reader,
        span: Span,
        step: Step,
        pattern: Option<&Pattern>,
    ) -> Result<Calls, Error> {
        let step = step.for_span(span.until - span.since);
        let mut rows: BTreeMap<(DateTime<Utc>, String), Counts> = BTreeMap::new();
        let mut others: Vec<String> = Vec::new();
        let wanted = |series: &Series| matches!(series.family.as_str(), REQUESTS | DURATIONS);
        let (runs, unreadable) = reader.visit(span.since.into(), span.until.into(), wanted, |row| {
            let Some(capability) = row.series.label("capability") else { return };
            if pattern.is_some_and(|pattern| !pattern.matches(capability)) {
                if !others.iter().any(|other| other == capability) {
                    others.push(capability.to_owned());
                }
                return;
            }
            let key = (begin(row.minute, step, span.zone), capability.to_owned());
            rows.entry(key).or_default().add(&row);
        })?;
        others.sort();
        Ok(Calls { rows, runs, unreadable, step, others })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Counts {
    fn add(&mut self, row: &Row) {
        match &row.value {
            Value::Counter(growth) => {
                let result = row.series.label("result").unwrap_or_default();
                *self.by_result.entry(result.to_owned()).or_default() += growth;
            }
            Value::Histogram { buckets, .. } => match &mut self.durations {
                Some(durations) => durations.merge(buckets),
                none => *none = Some(buckets.clone()),
            },
            _ => {}
        }
    }
}

/// Returns the beginning of the step that a minute belongs to. Steps below a day are counted in UTC, so that the hour that
/// a wall clock shows twice is two steps.
fn begin(minute: i64, step: Step, zone: Zone) -> DateTime<Utc> {
    let at = |minute: i64| time(minute.saturating_mul(60));
    match (step, zone) {
        (Step::Minutes(length), _) => at(minute - minute.rem_euclid(length)),
        (_, Zone::Utc) => midnight(&Utc, at(minute)),
        (_, Zone::Local) => midnight(&Local, at(minute)),
    }
}

fn midnight<Z: TimeZone>(zone: &Z, time: DateTime<Utc>) -> DateTime<Utc> {
    let day = time.with_timezone(zone).date_naive().and_time(NaiveTime::MIN);
    // Some zones set their clocks at midnight, which then does not exist or comes twice.
    zone.from_local_datetime(&day).earliest().map_or(day.and_utc(), |midnight| midnight.with_timezone(&Utc))
}

/// Returns a time of the file. A time that no calendar has becomes 1970.
pub(super) fn time(unix_seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(unix_seconds, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_their_own_multiples() {
        let minute = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp() / 60;
        let begin = |step| begin(minute("2026-11-28T14:37:00Z"), step, Zone::Utc).to_rfc3339();
        assert_eq!(begin(Step::Minutes(1)), "2026-11-28T14:37:00+00:00");
        assert_eq!(begin(Step::Minutes(10)), "2026-11-28T14:30:00+00:00");
        assert_eq!(begin(Step::Minutes(60)), "2026-11-28T14:00:00+00:00");
        assert_eq!(begin(Step::Day), "2026-11-28T00:00:00+00:00");
        assert_eq!(super::begin(i64::MAX, Step::Minutes(1), Zone::Utc), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn a_caller_that_has_left_is_no_error() {
        let by_result = [("ok", 5.0), ("cancelled", 2.0), ("timeout", 3.0)];
        let by_result = by_result.map(|(result, calls)| (result.to_owned(), calls)).into();
        let counts = Counts { by_result, durations: None };
        assert_eq!((counts.calls(), counts.errors(), counts.quantile_ms(0.5)), (10.0, 3.0, None));
    }
}
