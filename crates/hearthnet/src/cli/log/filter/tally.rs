//! Counts of the lines that were looked at, to explain an empty result.

use std::collections::BTreeSet;

use obs_facade::log::reader::LineTime;

/// Maximum number of loggers that are remembered.
const LOGGERS: usize = 256;

/// First condition that a line does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    Before,
    After,
    Component,
    Level,
    Trace,
    Field,
    Text,
}

/// Counts of lines.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    shown: u64,
    damaged: u64,
    hidden: [u64; 7],
    /// Time of the last line that was looked at.
    last: Option<LineTime>,
    /// Latest time of a line that was looked at. A search for the last lines goes backwards.
    latest: Option<LineTime>,
    /// Loggers of the lines that are hidden because of their component.
    loggers: BTreeSet<String>,
}

impl Tally {
    pub(super) fn hide(&mut self, hidden: Hidden, time: LineTime, logger: Option<&str>) {
        self.hidden[hidden as usize] += 1;
        self.look_at(time);
        // They are needed only if no line has the component.
        if hidden == Hidden::Component
            && !self.has_component()
            && let Some(logger) = logger
            && self.loggers.len() < LOGGERS
            && !self.loggers.contains(logger)
        {
            self.loggers.insert(logger.to_owned());
        }
    }

    pub(super) fn show(&mut self, time: LineTime) {
        self.shown += 1;
        self.look_at(time);
    }

    fn look_at(&mut self, time: LineTime) {
        self.last = Some(time);
        self.latest = self.latest.max(self.last);
    }

    pub(super) fn show_damaged(&mut self) {
        self.damaged += 1;
    }

    /// Returns the time of the last line that was looked at.
    pub(crate) fn last(&self) -> Option<LineTime> {
        self.last
    }

    /// Returns the latest time of a line that was looked at.
    pub(crate) fn latest(&self) -> Option<LineTime> {
        self.latest
    }

    /// Returns whether no line is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.shown + self.damaged == 0
    }

    /// Returns the number of lines that are hidden for this reason.
    pub(crate) fn count(&self, hidden: Hidden) -> u64 {
        self.hidden[hidden as usize]
    }

    /// Returns whether a line was of the component.
    pub(crate) fn has_component(&self) -> bool {
        use Hidden::{Field, Level, Text, Trace};
        self.shown > 0 || [Level, Trace, Field, Text].iter().any(|&hidden| self.count(hidden) > 0)
    }

    pub(crate) fn loggers(&self) -> &BTreeSet<String> {
        &self.loggers
    }
}
