//! State of the log and of the exports, for the checks of the doctor that look at them.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

#[cfg(feature = "otlp")]
use obs_doctor::ExportCounts;
use obs_doctor::{ExportState, LogState, Observability};

/// Counts at the last look. Held for a few comparisons; a doctor and a caller of `/status` look.
static LOSSES: LazyLock<Mutex<Losses>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Losses {
    dropped: Count,
    write_errors: Count,
    #[cfg(feature = "otlp")]
    exports: [Count; 3],
}

/// Count that grows with each loss, and a time after which the last loss came.
#[derive(Debug)]
struct Count {
    last: u64,
    looked_at: Instant,
    /// Time of the look before the one that found the last loss.
    lost_after: Option<Instant>,
}

impl Default for Count {
    fn default() -> Count {
        Count { last: 0, looked_at: Instant::now(), lost_after: None }
    }
}

impl Count {
    /// Notes the count of now, and returns an upper bound of the seconds since the last loss.
    fn look(&mut self, now: u64) -> Option<u64> {
        if now > self.last {
            self.lost_after = Some(self.looked_at);
        }
        // An exporter that was replaced counts from 0 again.
        self.last = now;
        self.looked_at = Instant::now();
        self.lost_after.map(|after| after.elapsed().as_secs())
    }
}

/// Begins to watch: losses from now on are dated.
pub(super) fn begin() {
    LazyLock::force(&LOSSES);
}

/// Adds what the crates know of themselves to `state`, where the node has not told it.
pub(super) fn complete(mut state: Observability) -> Observability {
    let mut losses = LOSSES.lock().unwrap_or_else(PoisonError::into_inner);
    if state.log.is_none() {
        let log = obs_log::stats();
        state.log = Some(LogState {
            written: log.written,
            dropped: log.dropped,
            dropped_seconds_ago: losses.dropped.look(log.dropped),
            write_errors: log.write_errors,
            write_error_seconds_ago: losses.write_errors.look(log.write_errors),
            crash_safe: log.crash_safe,
        });
    }
    let known = [&mut state.export, &mut state.metrics_export, &mut state.log_export];
    for (known, state) in known.into_iter().zip(exports(&mut losses)) {
        if *known == ExportState::Unknown {
            *known = state;
        }
    }
    state
}

/// Returns the states of the exports of traces, metrics and lines.
#[cfg(feature = "otlp")]
fn exports(losses: &mut Losses) -> [ExportState; 3] {
    let statuses = crate::otlp::statuses();
    let signals = ["traces", "metrics", "logs"];
    let mut counts = losses.exports.iter_mut();
    signals.map(|signal| {
        let (status, lost) = (statuses.iter().find(|status| status.signal == signal), counts.next());
        let (Some(status), Some(count)) = (status, lost) else { return ExportState::Off };
        let lost = status.failed + status.dropped;
        ExportState::On(ExportCounts {
            is_failing: status.failing_since.is_some(),
            exported: status.exported,
            lost,
            lost_seconds_ago: count.look(lost),
        })
    })
}

#[cfg(not(feature = "otlp"))]
fn exports(_: &mut Losses) -> [ExportState; 3] {
    [ExportState::Off, ExportState::Off, ExportState::Off]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_loss_is_dated_by_the_look_before_it() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(600)).unwrap();
        let mut count = Count { last: 0, looked_at: long_ago, lost_after: None };
        assert_eq!(count.look(0), None);
        count.looked_at = long_ago;
        assert_eq!(count.look(3), Some(600), "it may have come right after the look before");
        assert_eq!(count.look(3), Some(600), "nothing new is lost");
        assert_eq!(count.look(4), Some(0));
        assert_eq!(count.look(0), Some(0), "another exporter");
    }

    #[test]
    fn what_the_node_tells_is_kept() {
        let log = LogState { written: u64::MAX, ..LogState::default() };
        let off = || ExportState::Off;
        let told = Observability {
            log: Some(log),
            export: off(),
            metrics_export: off(),
            log_export: off(),
            ..Observability::default()
        };
        assert_eq!(complete(told.clone()), told);
        assert!(complete(Observability::default()).log.is_some());
    }
}
