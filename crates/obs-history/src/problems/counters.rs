//! Counters of the causes that are seen often, so that an error takes no lock and allocates nothing.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use super::cause::{Cause, Kind, Text};
use super::pattern::write_pattern;

/// Number of slots: twice the problems, so that searches are short.
const SLOTS: usize = 2_048;
/// Number of slots that are looked at for a key.
const REACH: usize = 16;
/// Time in milliseconds for which errors of a cause are only counted. The next one then goes by the table, so that an
/// example is not older than this.
const COUNTED_ONLY_MS: u64 = 60_000;
/// Value of `shown_ms` of a slot whose next error goes by the table.
const NEVER: u64 = u64::MAX;

/// Counts that the table has not taken yet, by the key of a cause.
///
/// A key is written once, under the lock of the table, and stays. All else is a number of its own, so that an access is
/// relaxed: a count that is added while the table takes it is taken the next time. Counts alone are in one order with the mark
/// of `Problems::tell`, so that a writer which was told of one finds it.
#[derive(Debug)]
pub(super) struct Counters {
    // Random for each process, so that no text can be made to share a key with another one.
    hasher: RandomState,
    slots: Box<[Slot]>,
}

#[derive(Debug)]
struct Slot {
    /// 0 for a free slot.
    key: AtomicU64,
    count: AtomicU64,
    last_ms: AtomicU64,
    is_error: AtomicBool,
    /// Time of the last error that went by the table.
    shown_ms: AtomicU64,
}

/// Number of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotNumber(pub(super) usize);

/// Counts of a slot since they were taken last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) count: u64,
    pub(super) last_ms: u64,
    pub(super) is_error: bool,
}

/// Result of an attempt to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Counted,
    /// The error goes by the table.
    Due,
    /// The key has no slot.
    Unknown,
}

impl Counters {
    pub(super) const SLOTS: usize = SLOTS;

    pub(super) fn new() -> Counters {
        let slot = || Slot {
            key: AtomicU64::new(0),
            count: AtomicU64::new(0),
            last_ms: AtomicU64::new(0),
            is_error: AtomicBool::new(false),
            shown_ms: AtomicU64::new(NEVER),
        };
        Counters { hasher: RandomState::new(), slots: (0..SLOTS).map(|_| slot()).collect() }
    }

    /// Returns the key of a text's cause. `scratch` is a buffer.
    pub(super) fn key(&self, text: &Text<'_>, scratch: &mut String) -> u64 {
        let mut hasher = self.begun(text.kind);
        part(&mut hasher, text.place());
        if matches!(text.kind, Kind::Trace | Kind::Other) {
            part(&mut hasher, text.what);
        } else {
            write_pattern(scratch, text.what);
            part(&mut hasher, scratch);
        }
        if let Some(because) = text.because {
            write_pattern(scratch, because);
            // A cause without a text is none.
            [&**scratch].iter().filter(|text| !text.is_empty()).for_each(|text| part(&mut hasher, text));
        }
        hasher.finish().max(1)
    }

    /// Returns the key of a cause.
    pub(super) fn key_of(&self, cause: &Cause) -> u64 {
        let mut hasher = self.begun(cause.kind());
        let because = cause.because();
        [cause.place(), cause.what()].into_iter().chain(because).for_each(|text| part(&mut hasher, text));
        hasher.finish().max(1)
    }

    fn begun(&self, kind: Kind) -> impl Hasher + use<> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind as u8);
        hasher
    }

    /// Counts errors of a key, if its cause was shown to the table within a minute.
    pub(super) fn add(&self, key: u64, at_ms: u64, count: u64, is_error: bool) -> Attempt {
        let Some(slot) = self.find(key) else { return Attempt::Unknown };
        // In both directions, so that a clock which is set back keeps no example for long.
        let shown_ms = slot.shown_ms.load(Relaxed);
        if shown_ms == NEVER || at_ms.abs_diff(shown_ms) >= COUNTED_ONLY_MS {
            return Attempt::Due;
        }
        // The count comes last, so that who takes it mostly finds its time too.
        slot.last_ms.fetch_max(at_ms, Relaxed);
        if is_error && !slot.is_error.load(Relaxed) {
            slot.is_error.store(true, Relaxed);
        }
        slot.count.fetch_add(count, SeqCst);
        Attempt::Counted
    }

    /// Notes that the table has seen an error of a key. Returns the key's slot, if there is room. The caller holds the lock
    /// of the table.
    pub(super) fn show(&self, key: u64, at_ms: u64) -> Option<SlotNumber> {
        let number = self.reserve(key)?;
        self.slots[number.0].shown_ms.store(at_ms.min(NEVER - 1), Relaxed);
        Some(number)
    }

    /// Returns the slot of a key, if there is room. The caller holds the lock of the table.
    pub(super) fn reserve(&self, key: u64) -> Option<SlotNumber> {
        let has = |wanted: u64| move |number: &usize| self.slots[*number].key.load(Relaxed) == wanted;
        let number = near(key).find(has(key)).or_else(|| near(key).find(has(0)))?;
        self.slots[number].key.store(key, Relaxed);
        Some(SlotNumber(number))
    }

    /// Takes what a slot has counted.
    pub(super) fn take(&self, number: SlotNumber) -> Option<Counted> {
        let slot = &self.slots[number.0];
        if slot.count.load(SeqCst) == 0 {
            return None;
        }
        let count = slot.count.swap(0, SeqCst);
        Some(Counted { count, last_ms: slot.last_ms.load(Relaxed), is_error: slot.is_error.load(Relaxed) })
    }

    /// Sends the next error of each cause by the table.
    pub(super) fn forget_shown(&self) {
        self.slots.iter().for_each(|slot| slot.shown_ms.store(NEVER, Relaxed));
    }

    fn find(&self, key: u64) -> Option<&Slot> {
        near(key).map(|number| &self.slots[number]).find(|slot| slot.key.load(Relaxed) == key)
    }
}

fn part(hasher: &mut impl Hasher, text: &str) {
    hasher.write(text.as_bytes());
    // In no text, so that the parts cannot flow into each other.
    hasher.write_u8(0xff);
}

/// Slots in which a key may be.
fn near(key: u64) -> impl Iterator<Item = usize> {
    let first = key as usize % SLOTS;
    (first..first + REACH).map(|number| number % SLOTS)
}
