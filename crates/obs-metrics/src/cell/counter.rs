//! Storage of a counter.

use crossbeam_utils::CachePadded;

use super::Cell;
use super::exemplar::{self, ExemplarSlot};
use super::sync::OnceLock;
use super::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use super::thread_slot::{self, NO_OWNER};
use crate::desc::Desc;
use crate::exposition::exemplar::Exemplar;
use crate::exposition::format::Format;
use crate::exposition::{protobuf, text};
use crate::snapshot::{ExemplarSnapshot, SampleValue};

/// Count in parts. A part with one writer is a plain load and store, which costs a fifth of a locked instruction.
///
/// The first thread that counts owns `first`. Other threads own a stripe each. Threads that find their stripe owned share
/// its second word by locked instructions.
///
/// A part belongs to a [thread slot](thread_slot). A slot passes from an ended thread to a new one, and its parts with it.
///
/// Every access is `Relaxed`. Each word is a count of its own that only grows, so a reader needs no order between words. A
/// part has one writer at a time, and the lock of the slots orders one owner's writes before those of the next.
#[derive(Debug)]
pub struct CounterCell {
    /// Mark of the thread slot that owns `first`.
    owner: AtomicU8,
    stripes: OnceLock<Box<[CachePadded<Stripe>; STRIPES]>>,
    exemplar: OnceLock<Box<ExemplarSlot>>,
    first: First,
}

/// Words that the owner of the cell writes. The flags let a scrape of most counters read this cache line alone.
// Aligned to 64 bytes and not to the 128 of `CachePadded`: every series has one, and a page of 10 000 counters took 8 to 13 %
// longer to write with series aligned to 128.
#[derive(Debug, Default)]
#[repr(align(64))]
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

/// Contents of a counter at one moment, without its exemplar. The flag spares a page a second look at the cells of most
/// counters.
#[derive(Debug)]
pub struct Reading {
    count: u64,
    has_exemplar: bool,
}

/// Number of stripes, about the number of processors of a node's machine. Each stripe costs a contended counter two cache
/// lines. A power of two, so that the remainder of a slot is a mask.
const STRIPES: usize = 8;

impl CounterCell {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        let before = self.add_to_part(n);
        if exemplar::is_due(before, before.wrapping_add(n)) {
            self.store_exemplar(n);
        }
    }

    /// Returns the previous count of the part that this thread writes.
    #[inline]
    fn add_to_part(&self, n: u64) -> u64 {
        let mark = thread_slot::mark();
        if self.owner.load(Relaxed) == mark {
            return add_as_owner(&self.first.count, n);
        }
        match self.stripes.get().map(|stripes| &stripes[usize::from(mark) % STRIPES]) {
            Some(stripe) if stripe.owner.load(Relaxed) == mark => add_as_owner(&stripe.owned, n),
            _ => self.add_without_part(n),
        }
    }

    /// Takes a part that has no owner, or counts in a shared word.
    #[inline(never)]
    fn add_without_part(&self, n: u64) -> u64 {
        let slot = thread_slot::current();
        let mark = thread_slot::mark();
        // Relaxed: the exchange alone decides who owns the part, which is still empty or the slot's own.
        let take = |owner: &AtomicU8| {
            slot.is_some() && owner.compare_exchange(NO_OWNER, mark, Relaxed, Relaxed).is_ok()
        };
        if take(&self.owner) {
            return add_as_owner(&self.first.count, n);
        }
        let stripes = self.stripes.get_or_init(|| {
            // Set before the first count in a stripe, so a reader that must see that count sees the flag too.
            self.first.has_stripes.store(true, Relaxed);
            Box::new([(); STRIPES].map(|()| CachePadded::new(Stripe::new())))
        });
        let stripe = &stripes[slot.unwrap_or(0) % STRIPES];
        if take(&stripe.owner) { add_as_owner(&stripe.owned, n) } else { stripe.shared.fetch_add(n, Relaxed) }
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
        Self { owner: AtomicU8::new(NO_OWNER), owned: AtomicU64::new(0), shared: AtomicU64::new(0) }
    }

    fn value(&self) -> u64 {
        self.owned.load(Relaxed).wrapping_add(self.shared.load(Relaxed))
    }
}

/// Adds to a word that only this thread writes. Returns its previous value.
#[inline]
fn add_as_owner(count: &AtomicU64, n: u64) -> u64 {
    // Load and store instead of `fetch_add`: no other thread writes between the two.
    let before = count.load(Relaxed);
    count.store(before.wrapping_add(n), Relaxed);
    before
}

impl Cell for CounterCell {
    type Reading = Reading;

    const IS_ONE_NUMBER: bool = true;

    fn new(_desc: &Desc) -> Self {
        Self {
            owner: AtomicU8::new(NO_OWNER),
            stripes: OnceLock::new(),
            exemplar: OnceLock::new(),
            first: First::default(),
        }
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_scalar_prefix(out, &desc.name, &desc.labels, values);
    }

    #[inline]
    fn read(&self) -> Reading {
        Reading { count: self.value(), has_exemplar: self.first.has_exemplar.load(Relaxed) }
    }

    #[inline]
    fn encode(&self, reading: &Reading, _desc: &Desc, prefix: &str, format: Format, out: &mut String) {
        out.push_str(prefix);
        text::push_u64(out, reading.count);
        if format == Format::OpenMetrics
            && reading.has_exemplar
            && let Some(exemplar) = self.exemplar()
        {
            text::push_exemplar(out, &exemplar);
        }
        out.push('\n');
    }

    fn encode_protobuf(&self, reading: Reading, _desc: &Desc, out: &mut Vec<u8>) {
        protobuf::push_counter(out, reading.count as f64, self.exemplar());
    }

    fn value_of(&self, reading: Reading, _desc: &Desc) -> SampleValue {
        SampleValue::Counter(reading.count as f64)
    }

    fn newest_exemplar(&self) -> Option<ExemplarSnapshot> {
        self.exemplar().map(Into::into)
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;
    use crate::exposition::kind::Kind;

    fn cell() -> CounterCell {
        CounterCell::new(&Desc::new(Kind::Counter, "c", "", &[]).unwrap())
    }

    #[test]
    fn threads_that_share_a_stripe_lose_no_count() {
        let cell = cell();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100_000).for_each(|_| cell.add(1)));
            }
        });
        assert_eq!(cell.value(), 800_000);
    }

    /// A thread that gets the slot of an ended thread continues its parts.
    #[test]
    fn ownership_passes_from_thread_to_thread() {
        let cell = cell();
        for _ in 0..200 {
            std::thread::scope(|scope| {
                scope.spawn(|| (0..100).for_each(|_| cell.add(1)));
                scope.spawn(|| (0..100).for_each(|_| cell.add(1)));
            });
        }
        assert_eq!(cell.value(), 40_000);
    }
}
