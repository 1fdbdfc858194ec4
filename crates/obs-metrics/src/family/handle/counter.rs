//! Handle of a counter.

use std::fmt;
use std::sync::Arc;

use crate::cell::counter::CounterCell;
use crate::family::series::Series;

/// Counter of one series. Clones count into the same series.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let calls = registry.counter("calls_total", "Calls answered.", ["result"]).with(["ok"]);
/// calls.inc();
/// calls.add(2);
/// assert_eq!(calls.value(), 3);
/// ```
#[derive(Clone, Default)]
pub struct Counter(pub(crate) Option<Arc<Series<CounterCell>>>);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        if let Some(series) = &self.0 {
            series.write(move |cell| cell.add(n));
        }
    }

    /// Returns the count. It is 0 for a handle that does nothing.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.as_ref().map_or(0, |series| series.cell.value())
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.value()).finish()
    }
}
