//! Counters: one cell that its first thread writes without a locked instruction, and stripes for all other threads.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
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

/// The thread that counts first owns the cell: a plain load and store, as nobody else writes it. Slots are handed on from
/// an ended thread to a new one with everything it wrote (see [`slot`]), and so is the ownership.
#[derive(Debug)]
pub struct CounterCell {
    owned: AtomicU64,
    /// The owner's slot plus one; 0 before the first count.
    owner: AtomicUsize,
    stripes: OnceLock<Box<[Stripe]>>,
    exemplar: OnceLock<Box<ExemplarSlot>>,
}

impl CounterCell {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        let before = self.step(n);
        if exemplar::is_due(before, before.wrapping_add(n)) {
            self.store_exemplar(n);
        }
    }

    /// Returns what the part that this thread writes stood at before.
    #[inline]
    fn step(&self, n: u64) -> u64 {
        match slot::current() {
            Some(slot) if self.owner.load(Relaxed) == slot + 1 => {
                let before = self.owned.load(Relaxed);
                self.owned.store(before.wrapping_add(n), Relaxed);
                before
            }
            slot => self.step_shared(slot, n),
        }
    }

    #[inline(never)]
    fn step_shared(&self, slot: Option<usize>, n: u64) -> u64 {
        if let Some(slot) = slot
            && self.owner.load(Relaxed) == 0
            && self.owner.compare_exchange(0, slot + 1, Relaxed, Relaxed).is_ok()
        {
            return self.step(n);
        }
        let stripes = self.stripes.get_or_init(|| (0..*STRIPES).map(|_| Stripe::default()).collect());
        stripes[slot.unwrap_or(0) & (stripes.len() - 1)].0.fetch_add(n, Relaxed)
    }

    #[cold]
    fn store_exemplar(&self, n: u64) {
        self.exemplar.get_or_init(Box::default).store_current(n as f64);
    }

    pub(crate) fn value(&self) -> u64 {
        let stripes = self.stripes.get().map_or(&[][..], |stripes| stripes);
        stripes.iter().fold(self.owned.load(Relaxed), |sum, stripe| sum.wrapping_add(stripe.0.load(Relaxed)))
    }
}

thread_local! {
    static CACHE: RefCell<Cache<CounterCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for CounterCell {
    const KIND: Kind = Kind::Counter;

    fn new(_desc: &Desc) -> Self {
        Self {
            owned: AtomicU64::new(0),
            owner: AtomicUsize::new(0),
            stripes: OnceLock::new(),
            exemplar: OnceLock::new(),
        }
    }

    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>> {
        &CACHE
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_scalar_prefix(out, &desc.name, &desc.labels, values);
    }

    type Reading = u64;

    #[inline]
    fn read(&self) -> u64 {
        self.value()
    }

    fn encode(&self, value: u64, _desc: &Desc, prefix: &str, format: Format, out: &mut String) {
        out.push_str(prefix);
        text::push_u64(out, value);
        if format == Format::OpenMetrics
            && let Some(exemplar) = self.exemplar.get().and_then(|slot| slot.load())
        {
            text::push_exemplar(out, &exemplar);
        }
        out.push('\n');
    }

    fn number(value: u64, part: Part) -> Option<f64> {
        (part == Part::Whole).then_some(value as f64)
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

    /// Threads come and go: whoever gets a slot again goes on where its last owner ended.
    #[test]
    fn ownership_passes_from_thread_to_thread() {
        let desc = Desc::new(Kind::Counter, "c", "", &[]).unwrap();
        let cell = CounterCell::new(&desc);
        for _ in 0..200 {
            std::thread::scope(|scope| {
                scope.spawn(|| (0..100).for_each(|_| cell.add(1)));
                scope.spawn(|| (0..100).for_each(|_| cell.add(1)));
            });
        }
        assert_eq!(cell.value(), 40_000);
    }
}
