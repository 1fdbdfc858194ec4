//! Time and width of a run.

use std::time::Duration;

/// How long and how wide a run may be.
///
/// ```
/// use std::time::Duration;
/// let limits = obs_doctor::Limits::default().total(Duration::from_secs(3));
/// assert_eq!(limits.per_check, Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Checks that run at the same time; 16 unless told, at least 1.
    pub parallel: usize,
    /// The deadline of a check that has none of its own; 2 s unless told.
    pub per_check: Duration,
    /// The deadline of the whole run; 5 s unless told.
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
