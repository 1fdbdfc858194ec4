//! Log lines about the state of an export: it fails, or it works again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::signal::Signal;

/// State of an export, and the lines about it: one for each change. If a collector keeps changing, a line tells how many
/// changes were left out.
///
/// The last line always tells the true state in the end. A change that has to wait is logged at [`due`](Health::due).
#[derive(Debug, Default)]
pub(super) struct Health {
    is_failing: bool,
    /// State in the last line.
    logged_failing: bool,
    /// Reason why the first request of this outage failed.
    why: String,
    /// Changes that are in no line yet.
    pending: u64,
    changes: Budget<CHANGES>,
    /// Losses until the last request that succeeded.
    lost_before: Lost,
    /// Losses in outages whose end is in no line yet.
    lost: Lost,
    remark: Option<String>,
    remarks: Budget<1>,
}

/// Losses since the exporter was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Items that were given up, or refused by a full queue.
    pub(super) items: u64,
    /// Units that the collector rejected.
    pub(super) units: u64,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Fails {
        why: String,
        /// Changes of state before this one that are in no line.
        unsaid_changes: u64,
    },
    Works {
        lost: Lost,
        unsaid_changes: u64,
    },
    /// Message or oddity of a collector that accepted the units.
    Remark {
        why: String,
    },
}

/// Maximum number of lines about changes in a period: five outages and their ends.
const CHANGES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);

impl Health {
    /// Notes that a request has failed.
    pub(super) fn fails(&mut self, why: &str, now: Instant) -> Option<Line> {
        if !self.is_failing {
            why.clone_into(&mut self.why);
        }
        self.turn(true, now)
    }

    /// Notes that a request succeeded. `lost` are all losses so far.
    pub(super) fn works(&mut self, lost: Lost, now: Instant) -> Option<Line> {
        if self.is_failing {
            self.lost.items += lost.items - self.lost_before.items;
            self.lost.units += lost.units - self.lost_before.units;
        }
        self.lost_before = lost;
        self.turn(false, now)
    }

    /// Notes a remark of the collector. A repeated remark makes no line.
    pub(super) fn remarks(&mut self, why: &str, now: Instant) -> Option<Line> {
        if self.remark.as_deref() == Some(why) || !self.remarks.take(now) {
            return None;
        }
        self.remark = Some(why.to_owned());
        Some(Line::Remark { why: why.to_owned() })
    }

    fn turn(&mut self, is_failing: bool, now: Instant) -> Option<Line> {
        if self.is_failing != is_failing {
            self.is_failing = is_failing;
            self.pending += 1;
        }
        self.catch_up(now)
    }

    /// Returns the time to call [`catch_up`](Health::catch_up), if a change waits for its line.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.pending > 0 { self.changes.renewed_at() } else { None }
    }

    /// Returns the line that waits, if its time has come.
    pub(super) fn catch_up(&mut self, now: Instant) -> Option<Line> {
        if self.pending > 0 && self.changes.take(now) { self.rest() } else { None }
    }

    /// Returns the line that waits.
    pub(super) fn rest(&mut self) -> Option<Line> {
        let pending = std::mem::take(&mut self.pending);
        if pending == 0 {
            return None;
        }
        // The line itself tells one change, unless the state is the same as in the last line.
        let unsaid_changes = pending - u64::from(self.is_failing != self.logged_failing);
        self.logged_failing = self.is_failing;
        Some(match self.is_failing {
            true => Line::Fails { why: self.why.clone(), unsaid_changes },
            false => Line::Works { lost: std::mem::take(&mut self.lost), unsaid_changes },
        })
    }
}

/// Limit of `SIZE` lines in a period.
#[derive(Debug, Default)]
struct Budget<const SIZE: u32> {
    used: u32,
    since: Option<Instant>,
}

impl<const SIZE: u32> Budget<SIZE> {
    fn take(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            (self.since, self.used) = (Some(now), 0);
        }
        let is_left = self.used < SIZE;
        self.used += u32::from(is_left);
        is_left
    }

    fn renewed_at(&self) -> Option<Instant> {
        self.since.map(|since| since + PERIOD)
    }
}

/// Loggers of the lines. Lines about the export of logs are not exported, see `Signal::Logs`.
const TRACES: &str = "hearthnet.trace.otlp";
const METRICS: &str = "hearthnet.metrics.otlp";
const LOGS: &str = "hearthnet.log.otlp";

impl Line {
    /// Logs the line. A panic in the logger must not end the export.
    pub(super) fn log(&self, signal: Signal, endpoint: &str) {
        let _ = catch_unwind(AssertUnwindSafe(|| match signal {
            Signal::Traces => self.of_traces(endpoint),
            Signal::Metrics => self.of_metrics(endpoint),
            Signal::Logs => self.of_logs(endpoint),
        }));
    }

    fn of_traces(&self, endpoint: &str) {
        match self {
            Line::Fails { why, unsaid_changes } => log::warn!(
                target: TRACES, endpoint = endpoint, reason = why, unsaid_changes = *unsaid_changes;
                "traces cannot be exported; they stay on this node"
            ),
            Line::Works { lost, unsaid_changes } => log::info!(
                target: TRACES, endpoint = endpoint, lost_traces = lost.items, rejected_spans = lost.units,
                unsaid_changes = *unsaid_changes; "traces are exported again"
            ),
            Line::Remark { why } => log::warn!(
                target: TRACES, endpoint = endpoint, reason = why; "traces are exported, but the answer is unusual"
            ),
        }
    }

    fn of_metrics(&self, endpoint: &str) {
        match self {
            Line::Fails { why, unsaid_changes } => log::warn!(
                target: METRICS, endpoint = endpoint, reason = why, unsaid_changes = *unsaid_changes;
                "metrics cannot be exported; they stay on this node"
            ),
            Line::Works { lost, unsaid_changes } => log::info!(
                target: METRICS, endpoint = endpoint, lost_metrics = lost.items, rejected_points = lost.units,
                unsaid_changes = *unsaid_changes; "metrics are exported again"
            ),
            Line::Remark { why } => log::warn!(
                target: METRICS, endpoint = endpoint, reason = why; "metrics are exported, but the answer is unusual"
            ),
        }
    }

    fn of_logs(&self, endpoint: &str) {
        match self {
            Line::Fails { why, unsaid_changes } => log::warn!(
                target: LOGS, endpoint = endpoint, reason = why, unsaid_changes = *unsaid_changes;
                "log lines cannot be exported; they stay on this node"
            ),
            Line::Works { lost, unsaid_changes } => log::info!(
                target: LOGS, endpoint = endpoint, lost_lines = lost.items, rejected_lines = lost.units,
                unsaid_changes = *unsaid_changes; "log lines are exported again"
            ),
            Line::Remark { why } => log::warn!(
                target: LOGS, endpoint = endpoint, reason = why; "log lines are exported, but the answer is unusual"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(items: u64) -> Lost {
        Lost { items, units: 0 }
    }

    fn fails(why: &str) -> Option<Line> {
        Some(Line::Fails { why: why.to_owned(), unsaid_changes: 0 })
    }

    fn works(traces: u64) -> Option<Line> {
        Some(Line::Works { lost: lost(traces), unsaid_changes: 0 })
    }

    #[test]
    fn each_change_makes_one_line_at_once() {
        let mut health = Health::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(health.works(lost(0), at(0)), None, "success from the start is no change");
        assert_eq!(health.fails("refused", at(1)), fails("refused"));
        assert_eq!(health.fails("still refused", at(2)), None);
        assert_eq!(health.works(lost(7), at(3)), works(7));
        assert_eq!(health.works(lost(9), at(4)), None, "traces refused by a full queue are no outage");
        assert_eq!(health.fails("refused again", at(5)), fails("refused again"), "within the same minute");
        assert_eq!(health.due(), None);
        assert_eq!(health.works(lost(12), at(500)), works(3));
        assert_eq!(health.rest(), None);
    }

    #[test]
    fn flapping_is_limited_and_counted_and_the_last_state_is_logged() {
        let mut health = Health::default();
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut lines = 0;
        for flap in 0..50 {
            lines += u32::from(health.fails("busy", at(flap * 10)).is_some());
            lines += u32::from(health.works(lost(flap + 1), at(flap * 10 + 5)).is_some());
        }
        assert_eq!(lines, CHANGES);
        assert_eq!(health.due(), Some(at(60_000)));
        assert_eq!(health.catch_up(at(59_999)), None);
        let line = health.catch_up(at(60_000));
        assert_eq!(line, Some(Line::Works { lost: lost(45), unsaid_changes: 90 }));
        assert_eq!((health.due(), health.catch_up(at(60_001))), (None, None));

        // The final state differs from the one in the last line.
        (0..5).for_each(|_| {
            assert!(health.fails("busy", at(60_010)).is_some());
            assert_eq!(health.works(lost(50), at(60_020)).is_some(), health.pending == 0);
        });
        assert_eq!(health.fails("gone", at(60_030)), None);
        assert_eq!(health.fails("still gone", at(119_000)), None);
        let line = health.fails("still gone", at(121_000));
        assert!(matches!(&line, Some(Line::Fails { why, .. }) if why == "gone"), "{line:?}");
    }

    #[test]
    fn a_line_that_waits_is_logged_at_the_end() {
        let mut health = Health::default();
        let now = Instant::now();
        for _ in 0..5 {
            health.fails("busy", now);
            health.works(lost(0), now);
        }
        assert_eq!(health.fails("gone", now), None);
        assert_eq!(health.rest(), fails("gone"));
        assert_eq!(health.rest(), None);
    }

    #[test]
    fn a_remark_is_logged_once_and_another_one_after_a_period() {
        let mut health = Health::default();
        let now = Instant::now();
        let remark = |why: &str| Some(Line::Remark { why: why.to_owned() });
        assert_eq!(health.remarks("a page", now), remark("a page"));
        assert_eq!(health.remarks("a page", now + 2 * PERIOD), None);
        assert_eq!(health.remarks("a text", now + 2 * PERIOD), remark("a text"));
        assert_eq!(health.remarks("a page", now + 2 * PERIOD), None);
    }
}
