//! Counts of the minute that has begun, which the history's thread ends and any thread may look at.

use std::sync::{Arc, Mutex, PoisonError};

use obs_metrics::{FamilySnapshot, Kind};

use super::config::Config;
use super::file::rows::Row;
use super::minute::{Change, SeriesName};
use super::sampling::counts::Counts;

/// Minute that has begun, and the counts at its beginning.
// The registry is read under the lock. A reading from before the lock could be older than the counts it is compared with,
// and its growth would read as that of new series.
#[derive(Debug)]
pub(super) struct Begun(Mutex<State>);

#[derive(Debug)]
struct State {
    minute: i64,
    counts: Counts,
}

impl Begun {
    pub(super) fn new(minute: i64) -> Begun {
        Begun(Mutex::new(State { minute, counts: Counts::default() }))
    }

    /// Ends the minute and begins `next`. Returns what has grown.
    pub(super) fn end(&self, config: &Config, next: i64) -> Vec<(Arc<SeriesName>, Change)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.minute = next;
        state.counts.grown(&counted(config))
    }

    /// Returns what has grown in the minute so far, as rows of the run 0.
    pub(super) fn rows(&self, config: &Config) -> (i64, Vec<Row>) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = state.counts.grown_so_far(&counted(config));
        let minute = state.minute;
        drop(state);
        (minute, grown.into_iter().map(|(series, value)| Row { minute, run: 0, series, value }).collect())
    }
}

/// Returns the counters and histograms that the history keeps.
fn counted(config: &Config) -> Vec<FamilySnapshot> {
    let counts = |kind| matches!(kind, Kind::Counter | Kind::Histogram);
    config.source().snapshot(|name, kind| counts(kind) && config.keeps(name))
}
