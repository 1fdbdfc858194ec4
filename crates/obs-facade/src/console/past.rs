//! Contents of the history for a window of time, with the minute that has begun.

use std::path::PathBuf;
#[cfg(feature = "history")]
use std::time::Duration;
use std::time::SystemTime;

use obs_console::Failure;
use obs_console::api::Window;
#[cfg(feature = "history")]
use obs_history::{Reader, Run, Series, Value};

use super::clock;

/// Number of points of a chart, about. It is as wide as a page.
const POINTS: u64 = 120;
/// Length of a minute in seconds, which is the resolution of the history.
const MINUTE: u64 = 60;
/// Longest window, in seconds: that of a history of the maximum age.
const LONGEST: u64 = 366 * 86_400;

/// Window and the steps of its chart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) window: Window,
    pub(super) seconds: u64,
}

impl Steps {
    /// Returns the steps of a window. It begins at a minute, is not empty, and ends now at the latest.
    pub(super) fn of(window: &Window) -> Result<Steps, Failure> {
        if window.since >= window.until {
            return Err(Failure::BadQuery("since: it must be earlier than until".to_owned()));
        }
        let now = clock::seconds(SystemTime::now());
        let until = window.until.min(now.saturating_add(1));
        if window.since >= until {
            return Err(Failure::BadQuery("since: it is later than now".to_owned()));
        }
        let since = window.since.max(until.saturating_sub(LONGEST));
        let minutes = (until - since).div_ceil(MINUTE).div_ceil(POINTS);
        // Lengths that a person reads on an axis.
        const LENGTHS: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440];
        let minutes = LENGTHS.into_iter().find(|length| *length >= minutes).unwrap_or(minutes);
        let seconds = minutes * MINUTE;
        Ok(Steps { window: Window { since: since - since % MINUTE, until }, seconds })
    }

    /// Returns the begin of the step that a second is in.
    pub(super) fn step(&self, second: u64) -> u64 {
        second - second % self.seconds
    }

    /// Returns whether the window reaches the present.
    pub(super) fn is_current(&self) -> bool {
        self.window.until + MINUTE > clock::seconds(SystemTime::now())
    }
}

/// Place of the history.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// `None` where no history is kept.
    pub(super) folder: Option<PathBuf>,
}

/// Change of a series in a step.
#[cfg(feature = "history")]
pub(super) struct Found<'a> {
    pub(super) series: &'a Series,
    /// Begin of the step in seconds since 1970.
    pub(super) t: u64,
    pub(super) value: &'a Value,
}

#[cfg(feature = "history")]
impl Past {
    /// Calls `visit` with the changes of a window by step, of the series that `wanted` chooses. Those of the minute that has
    /// begun come last. Returns the runs, or the reason for which there is no history.
    pub(super) fn visit(
        &self,
        steps: &Steps,
        wanted: impl Fn(&Series) -> bool,
        mut visit: impl FnMut(Found<'_>),
    ) -> Result<Vec<Run>, String> {
        let folder = self.folder.as_ref().ok_or(OFF)?;
        // Before the file: its minute may be written meanwhile, which the runs show.
        let begun = crate::seams::history::begun_minute();
        let read = Reader::open(folder).and_then(|reader| {
            // The last second is in the window, its end is not.
            let (since, last) = (clock::at(steps.window.since), clock::at(steps.window.until - 1));
            let length = Duration::from_secs(steps.seconds);
            reader.steps(since, last, length, |series| wanted(series).then(|| series.clone()))
        });
        let runs = match read {
            Ok(found) => {
                for line in &found.lines {
                    for point in &line.points {
                        let t = clock::seconds(found.time(point.step));
                        visit(Found { series: &line.series, t, value: &point.value });
                    }
                }
                found.runs
            }
            // A node that has just begun has no file yet.
            Err(error) if error.kind() == obs_history::ErrorKind::Missing && begun.is_some() => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        if let Some((minute, rows)) = begun {
            let own = runs.last().filter(|run| is_present(run));
            let is_written = own.is_some_and(|run| run.last_minute >= minute);
            let second = u64::try_from(minute).unwrap_or(0).saturating_mul(MINUTE);
            if !is_written && second < steps.window.until && second + MINUTE > steps.window.since {
                let t = steps.step(second);
                for row in rows.iter().filter(|row| wanted(&row.series)) {
                    visit(Found { series: &row.series, t, value: &row.value });
                }
            }
        }
        Ok(runs)
    }

    /// Returns whether the history keeps a family.
    pub(super) fn keeps(&self, family: &str) -> bool {
        crate::seams::history::keeps(family)
    }
}

#[cfg(not(feature = "history"))]
impl Past {
    pub(super) fn keeps(&self, _: &str) -> bool {
        false
    }
}

/// Reason for which there is no history, in a node that keeps none.
pub(super) const OFF: &str = "no history is kept; `[observability] history = true` begins one";

/// Returns whether a run is of this process.
#[cfg(feature = "history")]
pub(super) fn is_present(run: &Run) -> bool {
    // The history begins after the registry, and tells whole seconds.
    let began = obs_metrics::Registry::global().started_at();
    run.started_at + Duration::from_secs(2) > began
}
