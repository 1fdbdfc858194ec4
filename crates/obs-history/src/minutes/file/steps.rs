//! Sums of minutes, for charts of any span.

use std::time::Duration;

use super::rows::{Run, Series, Value, time_of};

/// Minutes of a span, summed by step; see [`Reader::steps`](crate::Reader::steps).
///
/// ```
/// use std::time::Duration;
/// use obs_history::Steps;
///
/// let two_weeks = Duration::from_secs(14 * 24 * 3600);
/// assert_eq!(Steps::step_for(two_weeks, 400), Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Steps {
    /// First minute of the first step, counted from 1970 in UTC. A multiple of the step.
    pub first_minute: i64,
    /// Length of a step. It is longer than was asked for where the span would have more than
    /// [`MAX_STEPS`](Steps::MAX_STEPS).
    pub step_minutes: i64,
    /// Number of steps, with those in which nothing changed.
    pub count: usize,
    /// Lines in order of the names of their series.
    pub lines: Vec<Line>,
    /// Runs that overlap the span, in order of their first minutes.
    pub runs: Vec<Run>,
    /// Rows that could not be read because their values are of no known form. This program writes none.
    pub unreadable: u64,
}

/// Series, or group of series, with its changes by step.
///
/// ```
/// fn peak(line: &obs_history::Line) -> f64 {
///     let growth = line.points.iter().filter_map(|point| match point.value {
///         obs_history::Value::Counter(growth) => Some(growth),
///         _ => None,
///     });
///     growth.fold(0.0, f64::max)
/// }
/// let line = obs_history::Steps::default().lines.pop();
/// assert_eq!(line.as_ref().map_or(0.0, peak), 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// Name of the group.
    pub series: Series,
    /// Changes in order of the steps. A step without a change, and one in which the node was down, has no point.
    pub points: Vec<Point>,
}

/// Change of a [`Line`] in a step.
///
/// ```
/// fn p95(point: &obs_history::Point) -> Option<f64> {
///     match &point.value {
///         obs_history::Value::Histogram { buckets, .. } => buckets.quantile(0.95),
///         _ => None,
///     }
/// }
/// let line = obs_history::Steps::default().lines.pop();
/// assert_eq!(line.and_then(|line| line.points.first().and_then(p95)), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// Number of the step, from 0.
    pub step: usize,
    /// Sum of the growths of counters; merged buckets and summed sums of histograms; the extremes of gauges, and the last
    /// value of the latest minute. A gauge that did not change has the value from before.
    pub value: Value,
}

impl Steps {
    /// Maximum number of steps. A screen has no more columns.
    pub const MAX_STEPS: usize = 4_096;

    /// Returns the shortest step of a usual length, from a minute to a day, with which a span has at most `points` steps.
    #[must_use]
    pub fn step_for(span: Duration, points: usize) -> Duration {
        const MINUTES: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1_440];
        let fits = |minutes: &&u64| span.as_secs().div_ceil(**minutes * 60) <= points as u64;
        Duration::from_secs(60 * MINUTES.iter().find(fits).unwrap_or(&1_440))
    }

    /// Returns the time at which a step begins.
    #[must_use]
    pub fn time(&self, step: usize) -> std::time::SystemTime {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        time_of(self.first_minute.saturating_add(step.saturating_mul(self.step_minutes)))
    }
}

/// Steps of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) first_minute: i64,
    pub(super) last_minute: i64,
    pub(super) step_minutes: i64,
    pub(super) count: usize,
}

impl Grid {
    /// Covers the minutes from `first` to `last`, from the beginning of the first one's step on, so that no point has a
    /// part of its step.
    pub(super) fn new((first, last): (i64, i64), step: Duration) -> Grid {
        // Times of a calendar, so that the sums below fit.
        const MOST: i64 = 1 << 40;
        let (first, last) = (first.clamp(-MOST, MOST), last.clamp(-MOST, MOST));
        let most = Steps::MAX_STEPS as i64 - 1;
        let asked = i64::try_from(step.as_secs() / 60).unwrap_or(MOST).clamp(1, MOST);
        let step_minutes = asked.max((last - first).max(0) / most + 1);
        let first_minute = first - first.rem_euclid(step_minutes);
        let count = if last < first { 0 } else { (last - first_minute) / step_minutes + 1 };
        Grid { first_minute, last_minute: last, step_minutes, count: count as usize }
    }

    /// Returns the step of a minute. `None` outside of the span.
    pub(super) fn step_of(&self, minute: i64) -> Option<usize> {
        let is_inside = (self.first_minute..=self.last_minute).contains(&minute);
        is_inside.then(|| ((minute - self.first_minute) / self.step_minutes) as usize)
    }
}
