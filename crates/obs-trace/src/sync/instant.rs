//! Moment that threads share.

use super::atomic::{AtomicU64, Ordering};
use crate::instant::Instant;

/// Atomic [`Instant`].
#[derive(Debug)]
pub(crate) struct AtomicInstant(AtomicU64);

impl AtomicInstant {
    #[inline]
    pub(crate) fn new(instant: Instant) -> AtomicInstant {
        AtomicInstant(AtomicU64::new(instant.ticks()))
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> Instant {
        Instant::from_ticks(self.0.load(order))
    }

    #[inline]
    pub(crate) fn store(&self, instant: Instant, order: Ordering) {
        self.0.store(instant.ticks(), order);
    }
}
