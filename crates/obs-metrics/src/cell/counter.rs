//! Counters: each of a few threads writes a part of its own without a locked instruction, all others share.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::thread::LocalKey;

use crate::cell::exemplar::{self, Exemplar, ExemplarSlot};
use crate::cell::padded::Padded;
use crate::cell::sync::OnceLock;
use crate::cell::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use crate::cell::thread_slot::{self, NOBODY};
use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::exposition::text;
use crate::family::desc::{Desc, Kind};
use crate::family::lookup_cache::Cache;
use crate::family::series::{Cell, Part, Series};

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
            series.write(move |cell| cell.add(n));
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

/// The thread that counts first owns the first part, others own stripes: a plain load and store, as nobody else writes
/// there. Threads beyond the stripes share them by locked instructions.
///
/// Slots are handed on from an ended thread to a new one with everything it wrote (see [`thread_slot`]), and so is the ownership.
#[derive(Debug)]
pub struct CounterCell {
    /// The mark of the thread that owns `first`.
    owner: AtomicU8,
    stripes: OnceLock<Box<[Padded<Stripe>; STRIPES]>>,
    exemplar: OnceLock<Box<ExemplarSlot>>,
    first: Padded<First>,
}

/// What the owner writes, and what a scrape reads: the rest of the cell only where this says that there is any.
#[derive(Debug, Default)]
struct First {
    count: AtomicU64,
    has_stripes: AtomicBool,
    has_exemplar: AtomicBool,
}

#[derive(Debug)]
struct Stripe {
    owner: AtomicU8,
    owned: AtomicU64,
    shared: AtomicU64,
}

const STRIPES: usize = 8;

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
        let mark = thread_slot::mark();
        if self.owner.load(Relaxed) == mark {
            return add_alone(&self.first.count, n);
        }
        match self.stripes.get().map(|stripes| &stripes[usize::from(mark) % STRIPES]) {
            Some(stripe) if stripe.owner.load(Relaxed) == mark => add_alone(&stripe.owned, n),
            _ => self.step_unowned(n),
        }
    }

    /// Takes what nobody owns yet, or counts where others do.
    #[inline(never)]
    fn step_unowned(&self, n: u64) -> u64 {
        let slot = thread_slot::current();
        let mark = thread_slot::mark();
        let take = |owner: &AtomicU8| {
            slot.is_some() && owner.compare_exchange(NOBODY, mark, Relaxed, Relaxed).is_ok()
        };
        if take(&self.owner) {
            return add_alone(&self.first.count, n);
        }
        let stripes = self.stripes.get_or_init(|| {
            self.first.has_stripes.store(true, Relaxed);
            Box::new([(); STRIPES].map(|()| Padded(Stripe::new())))
        });
        let stripe = &stripes[slot.unwrap_or(0) % STRIPES];
        if take(&stripe.owner) { add_alone(&stripe.owned, n) } else { stripe.shared.fetch_add(n, Relaxed) }
    }

    #[cold]
    fn store_exemplar(&self, n: u64) {
        let exemplar = self.exemplar.get_or_init(|| {
            self.first.has_exemplar.store(true, Relaxed);
            Box::default()
        });
        exemplar.store_current(n as f64);
    }

    fn exemplar(&self) -> Option<Exemplar> {
        if self.first.has_exemplar.load(Relaxed) { self.exemplar.get()?.load() } else { None }
    }

    pub(crate) fn value(&self) -> u64 {
        let first = self.first.count.load(Relaxed);
        if self.first.has_stripes.load(Relaxed) { first.wrapping_add(self.striped()) } else { first }
    }

    #[inline(never)]
    fn striped(&self) -> u64 {
        let stripes = self.stripes.get().into_iter().flat_map(|stripes| stripes.iter());
        stripes.fold(0, |sum: u64, stripe| sum.wrapping_add(stripe.value()))
    }
}

impl Stripe {
    fn new() -> Self {
        Self { owner: AtomicU8::new(NOBODY), owned: AtomicU64::new(0), shared: AtomicU64::new(0) }
    }

    fn value(&self) -> u64 {
        self.owned.load(Relaxed).wrapping_add(self.shared.load(Relaxed))
    }
}

/// For the one thread that writes there. Returns what it stood at before.
#[inline]
fn add_alone(count: &AtomicU64, n: u64) -> u64 {
    let before = count.load(Relaxed);
    count.store(before.wrapping_add(n), Relaxed);
    before
}

thread_local! {
    static CACHE: RefCell<Cache<CounterCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for CounterCell {
    const KIND: Kind = Kind::Counter;

    fn new(_desc: &Desc) -> Self {
        Self {
            owner: AtomicU8::new(NOBODY),
            stripes: OnceLock::new(),
            exemplar: OnceLock::new(),
            first: Padded::default(),
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
            && let Some(exemplar) = self.exemplar()
        {
            text::push_exemplar(out, &exemplar);
        }
        out.push('\n');
    }

    fn encode_protobuf(&self, value: u64, _desc: &Desc, out: &mut Vec<u8>) {
        protobuf::push_counter(out, value as f64, self.exemplar());
    }

    fn number(value: u64, part: Part) -> Option<f64> {
        (part == Part::Whole).then_some(value as f64)
    }
}

#[cfg(all(test, not(obs_loom)))]
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
