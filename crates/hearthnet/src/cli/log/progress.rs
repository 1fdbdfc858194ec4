//! Progress of a long search, at a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time after which the progress is shown. A shorter search needs none.
const PATIENCE: Duration = Duration::from_secs(1);
/// Interval between two updates.
const INTERVAL: Duration = Duration::from_millis(100);

/// Progress in bytes.
pub(crate) struct Progress {
    is_wanted: bool,
    bar: Option<ProgressBar>,
    total: u64,
    passed: u64,
    begun: Instant,
    updated: Instant,
}

impl Progress {
    /// Creates the progress of a search through `total` bytes. It is never shown unless `is_wanted`.
    pub(crate) fn new(is_wanted: bool, total: u64) -> Progress {
        let now = Instant::now();
        Progress { is_wanted, bar: None, total, passed: 0, begun: now, updated: now }
    }

    /// Starts another search. The time until the progress is shown goes on.
    pub(crate) fn restart(&mut self) {
        self.passed = 0;
    }

    /// Adds `bytes`. Returns whether the time of an update has come.
    pub(crate) fn is_due(&mut self, bytes: u64) -> bool {
        self.passed += bytes;
        let now = Instant::now();
        let is_due = now - self.updated >= INTERVAL;
        if is_due {
            self.updated = now;
        }
        is_due
    }

    /// Shows the progress, if the search has taken long enough.
    pub(crate) fn show(&mut self) {
        if !self.is_wanted || self.begun.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("searching [{bar:30}] {bytes}/{total_bytes} {eta}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
        });
        // The files may have grown.
        bar.set_position(self.passed.min(self.total));
    }

    /// Removes the progress from the screen. The next update shows it again.
    pub(crate) fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.hide();
    }
}
