//! Rows of the history, as a reader gets them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use obs_metrics::NativeBuckets;

/// Rows of a span of time; see [`Reader::range`](crate::Reader::range).
///
/// ```
/// let range = obs_history::Range::default();
/// assert!(range.rows.is_empty() && range.runs.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Range {
    /// Changes in order of their minutes. A minute without a change has no row.
    pub rows: Vec<Row>,
    /// Runs that overlap the span, in order of their first minutes.
    pub runs: Vec<Run>,
    /// Rows that could not be read because their values are of no known form. This program writes none.
    pub unreadable: u64,
}

/// Change of a series in a minute of a run.
///
/// ```
/// use obs_history::{Row, Value};
///
/// fn calls(rows: &[Row]) -> f64 {
///     let growth = |row: &Row| match row.value {
///         Value::Counter(growth) if row.series.family == "hearthnet_requests_total" => growth,
///         _ => 0.0,
///     };
///     rows.iter().map(growth).sum()
/// }
/// assert_eq!(calls(&[]), 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// Minute, counted from 1970 in UTC.
    pub minute: i64,
    /// Number of the [`Run`]. Minutes of two runs may be equal: after a restart within a minute, and where the clock was set
    /// back. Their counts add up.
    pub run: i64,
    /// Series that changed.
    pub series: Arc<Series>,
    /// Change.
    pub value: Value,
}

impl Row {
    /// Returns the time at which the minute began.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        time_of(self.minute)
    }
}

/// Name of a series.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let place = folder.path().join("history");
/// # drop(obs_history::History::open(obs_history::Config::new(&place))?);
/// let now = std::time::SystemTime::now();
/// for row in obs_history::Reader::open(&place)?.range(std::time::UNIX_EPOCH, now)?.rows {
///     let _capability = row.series.label("capability");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Series {
    /// Name of the family, as on the page of the metrics.
    pub family: String,
    /// Names and values of the labels, in order of the names.
    pub labels: Vec<(String, String)>,
}

impl Series {
    /// Returns the value of a label. `None` if the series has no such label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns the series with some of its labels only, as the name of a group of series.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Series {
        let labels = self.labels.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Series { family: self.family.clone(), labels: labels.cloned().collect() }
    }
}

/// Change of a series in a minute.
///
/// ```
/// let grown = obs_history::Value::Counter(3.0);
/// assert!(matches!(grown, obs_history::Value::Counter(growth) if growth > 0.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Growth of a counter.
    Counter(f64),
    /// Values of a gauge. A gauge without a row has the last value of its latest row in the run. In the first minute of a run
    /// and of each hour, every gauge has a row.
    Gauge {
        /// Lowest value that was seen; the gauge is looked at every five seconds.
        min: f64,
        /// Highest value that was seen.
        max: f64,
        /// Last value; `None` if the gauge has ended.
        last: Option<f64>,
    },
    /// Observations of a histogram.
    Histogram {
        /// Sum of the observations, in the unit of the family's name.
        sum: f64,
        /// Observations by size. Those of several rows can be [merged](NativeBuckets::merge).
        buckets: NativeBuckets,
    },
}

/// Stretch of time in which the node was up, without a gap. Minutes outside of all runs are minutes in which it was down, or
/// kept no history.
///
/// ```
/// fn restarts(range: &obs_history::Range) -> usize {
///     range.runs.iter().filter(|run| run.cause == obs_history::Cause::Start).count()
/// }
/// assert_eq!(restarts(&obs_history::Range::default()), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// Number, which the rows have.
    pub run: i64,
    /// Reason why it began.
    pub cause: Cause,
    /// Time at which the history of this process began.
    pub started_at: SystemTime,
    /// First minute, counted from 1970 in UTC.
    pub first_minute: i64,
    /// Last minute that is in the file.
    pub last_minute: i64,
    /// Whether the process ended in order in it. Otherwise it was killed, or runs, or went on in another run.
    pub has_ended: bool,
    /// Seconds by which the clock was set before it, with [`Cause::Clock`].
    pub clock_step_seconds: i64,
    /// Version of the program.
    pub version: String,
}

impl Run {
    /// Returns the time at which its first minute began.
    #[must_use]
    pub fn first(&self) -> SystemTime {
        time_of(self.first_minute)
    }

    /// Returns the end of its last minute.
    #[must_use]
    pub fn end(&self) -> SystemTime {
        time_of(self.last_minute.saturating_add(1))
    }
}

/// Reason why a [`Run`] began.
///
/// ```
/// assert_eq!(obs_history::Cause::Clock.as_str(), "clock");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The process started.
    Start,
    /// The process kept a history again after it had not, or with other settings.
    Resumed,
    /// The clock was set, or the machine had slept.
    Clock,
    /// The process had not run for some minutes.
    Paused,
    /// Minutes before it were lost because the file could not be written.
    Lost,
    /// A reason that a later version knows.
    Other,
}

impl Cause {
    /// Returns the word for it in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::Resumed => "resumed",
            Cause::Clock => "clock",
            Cause::Paused => "paused",
            Cause::Lost => "lost",
            Cause::Other => "other",
        }
    }

    pub(super) fn of(word: &str) -> Cause {
        let known = [Cause::Start, Cause::Resumed, Cause::Clock, Cause::Paused, Cause::Lost];
        known.into_iter().find(|cause| cause.as_str() == word).unwrap_or(Cause::Other)
    }
}

/// Returns the time at which a minute begins. A minute that no clock can show becomes the nearest one.
pub(in crate::minutes) fn time_of(minute: i64) -> SystemTime {
    time_at(minute.saturating_mul(60))
}

pub(super) fn time_at(unix_seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(unix_seconds.unsigned_abs());
    let time = if unix_seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
