//! Counters: one atomic cell, spread over several as soon as two threads collide on it.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread::LocalKey;

use crate::cache::Cache;
use crate::desc::{Desc, Kind};
use crate::exemplar::{self, ExemplarSlot};
use crate::format::Format;
use crate::series::{Cell, Part, Series};
use crate::slot;
use crate::text;

/// A counter of one series, to be held: clones count into the same series.
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
            series.write(|cell| cell.add(n));
        }
    }

    /// What it stands at; 0 for a handle that does nothing.
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

#[repr(align(64))]
#[derive(Debug, Default)]
struct Stripe(AtomicU64);

/// As many stripes as cores, so that each running thread can have its own.
static STRIPES: LazyLock<usize> = LazyLock::new(|| {
    std::thread::available_parallelism().map_or(2, usize::from).next_power_of_two().clamp(2, 16)
});

/// A single cell until a compare-and-swap on it fails, which means that another thread is counting at the same time.
#[derive(Debug)]
pub struct CounterCell {
    value: AtomicU64,
    stripes: OnceLock<Box<[Stripe]>>,
    exemplar: OnceLock<Box<ExemplarSlot>>,
}

impl CounterCell {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        let before = self.step(n);
        if exemplar::is_due(before, before.wrapping_add(n)) {
            self.exemplar.get_or_init(Box::default).store_current(n as f64);
        }
    }

    #[inline]
    fn step(&self, n: u64) -> u64 {
        if let Some(stripes) = self.stripes.get() {
            return step_striped(stripes, n);
        }
        let before = self.value.load(Relaxed);
        match self.value.compare_exchange(before, before.wrapping_add(n), Relaxed, Relaxed) {
            Ok(_) => before,
            Err(_) => step_striped(self.spread(), n),
        }
    }

    #[cold]
    fn spread(&self) -> &[Stripe] {
        self.stripes.get_or_init(|| (0..*STRIPES).map(|_| Stripe::default()).collect())
    }

    pub(crate) fn value(&self) -> u64 {
        let stripes = self.stripes.get().map_or(&[][..], |stripes| stripes);
        stripes.iter().fold(self.value.load(Relaxed), |sum, stripe| sum.wrapping_add(stripe.0.load(Relaxed)))
    }
}

#[inline]
fn step_striped(stripes: &[Stripe], n: u64) -> u64 {
    stripes[slot::current().unwrap_or(0) & (stripes.len() - 1)].0.fetch_add(n, Relaxed)
}

thread_local! {
    static CACHE: RefCell<Cache<CounterCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for CounterCell {
    const KIND: Kind = Kind::Counter;

    fn new(_desc: &Desc) -> Self {
        Self { value: AtomicU64::new(0), stripes: OnceLock::new(), exemplar: OnceLock::new() }
    }

    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>> {
        &CACHE
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_scalar_prefix(out, &desc.name, &desc.labels, values);
    }

    fn encode(&self, _desc: &Desc, prefix: &str, format: Format, out: &mut String) {
        out.push_str(prefix);
        text::push_u64(out, self.value());
        if format == Format::OpenMetrics
            && let Some(exemplar) = self.exemplar.get().and_then(|slot| slot.load())
        {
            text::push_exemplar(out, &exemplar);
        }
        out.push('\n');
    }

    fn read(&self, part: Part) -> Option<f64> {
        (part == Part::Whole).then(|| self.value() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_threads_lose_nothing() {
        let desc = Desc::new(Kind::Counter, "c", "", &[]).unwrap();
        let cell = CounterCell::new(&desc);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100_000).for_each(|_| cell.add(1)));
            }
        });
        assert_eq!(cell.value(), 800_000);
    }

    #[test]
    fn a_spread_counter_keeps_what_it_had() {
        let desc = Desc::new(Kind::Counter, "c", "", &[]).unwrap();
        let cell = CounterCell::new(&desc);
        cell.add(5);
        cell.spread();
        cell.add(7);
        assert_eq!(cell.value(), 12);
    }
}
