//! Selection by time.

use chrono::{DateTime, Duration, Utc};

use super::tally::Hidden;
use crate::cli::log::time::LineTime;

/// Maximum time by which a line may be out of order in its file. Threads write their lines in batches, and a process
/// that was stopped for a moment writes late.
const DISORDER: Duration = Duration::seconds(60);

/// First and last time of the lines to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    since: Option<LineTime>,
    until: Option<LineTime>,
    /// Time from which a file is read. Lines of the window may follow it.
    pub(crate) search_from: Option<LineTime>,
    /// Time up to which a file is read.
    pub(crate) search_to: Option<LineTime>,
}

impl Window {
    pub(crate) fn new(since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Window {
        let moved = |time: DateTime<Utc>, by| LineTime::at(time.checked_add_signed(by).unwrap_or(time));
        Window {
            since: since.map(LineTime::at),
            until: until.map(LineTime::at),
            search_from: since.map(|since| moved(since, -DISORDER)),
            search_to: until.map(|until| moved(until, DISORDER)),
        }
    }

    pub(crate) fn has_no_beginning(&self) -> bool {
        self.since.is_none()
    }

    /// Returns whether a file of this day has no line of the window. A line is in the file of its day.
    pub(crate) fn excludes_day(&self, day: &str) -> bool {
        self.since.is_some_and(|since| day < since.day()) || self.until.is_some_and(|until| day > until.day())
    }

    /// Returns on which side of the window a time is. `None` if it is within.
    pub(super) fn place_of(&self, time: LineTime) -> Option<Hidden> {
        if self.since.is_some_and(|since| time < since) {
            return Some(Hidden::Before);
        }
        self.until.is_some_and(|until| time > until).then_some(Hidden::After)
    }
}
