//! Selection by time.

use chrono::{DateTime, Duration, Utc};

use super::line_time::LineTime;

/// Maximum time by which a line may be out of order in its file. Threads write their lines in batches, and a process
/// that was stopped for a moment writes late.
const DISORDER: Duration = Duration::seconds(60);

/// Side of a [`Window`].
///
/// ```
/// use obs_log::reader::{LineTime, Side, Window};
///
/// let window = Window::new("2026-05-26T08:00:00Z".parse().ok(), None);
/// let place = |time: &[u8]| window.place_of(LineTime::of(time).unwrap());
/// assert_eq!(place(b"2026-05-26T07:59:59.999Z"), Some(Side::Before));
/// assert_eq!(place(b"2026-05-26T08:00:00.000Z"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before its first time.
    Before,
    /// After its last time.
    After,
}

/// First and last time of the lines that are wanted. Both are open by default.
///
/// ```
/// use obs_log::reader::{Reader, Window};
///
/// # let folder = tempfile::tempdir()?;
/// let since = "2026-05-26T08:00:00Z".parse().ok();
/// let mut reader = Reader::of(folder.path(), Window::new(since, None));
/// # reader.read_new(false, |_, _| Ok(()))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Window {
    since: Option<LineTime>,
    until: Option<LineTime>,
    /// Time from which a file is read. Lines of the window may follow it.
    pub(crate) search_from: Option<LineTime>,
    /// Time up to which a file is read.
    pub(crate) search_to: Option<LineTime>,
}

impl Window {
    /// Creates a window from its first and its last time.
    #[must_use]
    pub fn new(since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Window {
        let moved = |time: DateTime<Utc>, by| LineTime::at(time.checked_add_signed(by).unwrap_or(time));
        Window {
            since: since.map(LineTime::at),
            until: until.map(LineTime::at),
            search_from: since.map(|since| moved(since, -DISORDER)),
            search_to: until.map(|until| moved(until, DISORDER)),
        }
    }

    /// Returns whether it has no first time.
    #[must_use]
    pub fn has_no_beginning(&self) -> bool {
        self.since.is_none()
    }

    /// Returns whether a file of this day has no line of the window. A line is in the file of its day.
    #[must_use]
    pub fn excludes_day(&self, day: &str) -> bool {
        self.since.is_some_and(|since| day < since.day()) || self.until.is_some_and(|until| day > until.day())
    }

    /// Returns on which side of the window a time is. `None` if it is within.
    #[must_use]
    pub fn place_of(&self, time: LineTime) -> Option<Side> {
        if self.since.is_some_and(|since| time < since) {
            return Some(Side::Before);
        }
        self.until.is_some_and(|until| time > until).then_some(Side::After)
    }
}
