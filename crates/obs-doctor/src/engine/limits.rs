//! Limits of a run.

use std::time::Duration;

/// Deadlines and width of a run.
///
/// ```
/// use std::time::Duration;
/// let limits = obs_doctor::Limits::default().total(Duration::from_secs(3));
/// assert_eq!(limits.per_check, Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of checks that run at the same time, at least 1. Default: 16.
    pub parallel: usize,
    /// Deadline of a check without a deadline of its own. Default: 2 s.
    pub per_check: Duration,
    /// Deadline of the whole run. Default: 5 s.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parallel: 16, per_check: Duration::from_secs(2), total: Duration::from_secs(5) }
    }
}

impl Limits {
    /// Sets [`parallel`](Self::parallel).
    #[must_use]
    pub fn parallel(mut self, checks: usize) -> Self {
        self.parallel = checks.max(1);
        self
    }

    /// Sets [`per_check`](Self::per_check).
    #[must_use]
    pub fn per_check(mut self, deadline: Duration) -> Self {
        self.per_check = deadline;
        self
    }

    /// Sets [`total`](Self::total).
    #[must_use]
    pub fn total(mut self, deadline: Duration) -> Self {
        self.total = deadline;
        self
    }
}
