//! The clock of a pipeline: the system's, or a test's own.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::ticks::LastLook;

/// Nanoseconds in a day of UTC.
pub(crate) const DAY_NANOS: i64 = 86_400 * 1_000_000_000;

/// Where the time of a line comes from. Tests set it by hand, which makes midnight, a leap day and a clock that
/// goes backwards exact (L4).
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    #[cfg(test)]
    Manual(std::sync::Arc<std::sync::atomic::AtomicI64>),
}

impl Clock {
    /// [`Clock::now`] for a thread that asks for each of its lines.
    #[inline]
    pub(crate) fn now_after(&self, last: &mut LastLook) -> i64 {
        match self {
            Clock::System => last.now(),
            #[cfg(test)]
            Clock::Manual(_) => self.now(),
        }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z; a clock before that reads as the epoch.
    pub(crate) fn now(&self) -> i64 {
        match self {
            Clock::System => system_nanos(),
            #[cfg(test)]
            Clock::Manual(nanos) => nanos.load(std::sync::atomic::Ordering::SeqCst),
        }
    }
}

/// The system's clock; before 1970 it reads as 1970.
pub(crate) fn system_nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| {
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(since.subsec_nanos()))
    })
}

/// The day a time is in, counted from 1970-01-01.
pub(crate) fn day_of(nanos: i64) -> i32 {
    // At most ±106 751: an i64 of nanoseconds holds 584 years.
    nanos.div_euclid(DAY_NANOS) as i32
}
