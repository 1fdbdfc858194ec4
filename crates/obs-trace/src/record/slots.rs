//! The spans of one trace: a fixed number of slots that all threads fill without a lock.

use std::num::NonZeroU8;

use super::interner::NameId;
use crate::clock::Instant;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{AtomicInstant, IS_MODEL, OnceLock};

/// Maximum number of spans that a trace keeps, whatever the configuration. A record holds one bit for each in a `u128`.
pub(crate) const SPAN_LIMIT: usize = if IS_MODEL { 4 } else { 128 };

/// Position of a span in its trace, in the order in which spans began.
///
/// The byte is one higher than the index of the slot, so that `None` is a zero byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanIndex(NonZeroU8);

impl SpanIndex {
    /// Returns the position of a slot. `None` from [`SPAN_LIMIT`] on.
    pub(crate) fn of_slot(slot: u64) -> Option<SpanIndex> {
        NonZeroU8::new((slot + 1) as u8).filter(|_| slot < SPAN_LIMIT as u64).map(SpanIndex)
    }

    pub(crate) fn of_byte(byte: u8) -> Option<SpanIndex> {
        NonZeroU8::new(byte).map(SpanIndex)
    }

    /// Returns the position that a byte of unknown origin stands for. `None` if there is no such position.
    pub(crate) fn of_checked_byte(byte: u8) -> Option<SpanIndex> {
        SpanIndex::of_byte(byte).filter(|index| index.get() < SPAN_LIMIT)
    }

    pub(crate) fn to_byte(index: Option<SpanIndex>) -> u8 {
        index.map_or(0, |index| index.0.get())
    }

    pub(crate) fn get(self) -> usize {
        usize::from(self.0.get() - 1)
    }
}

/// Slots for [`SPAN_LIMIT`] spans. The first ones are part of the trace, the others are allocated when they are needed.
///
/// A slot belongs to the span that took its number. That span writes it twice: all of it at its beginning, and the end
/// when it is closed.
pub(crate) struct Slots {
    /// Number of spans that have begun, and [`ENDED`]. Both are in one atomic, so that each span is on one side of the
    /// end.
    begun: AtomicU64,
    first: [Slot; FIRST],
    second: OnceLock<Box<[Slot; SECOND]>>,
    third: OnceLock<Box<[Slot; THIRD]>>,
    fourth: OnceLock<Box<[Slot; FOURTH]>>,
}

// A trace of up to four spans is one allocation of about 400 bytes. The steps up to 128 are about threefold.
const FIRST: usize = if IS_MODEL { 1 } else { 4 };
const SECOND: usize = if IS_MODEL { 1 } else { 12 };
const THIRD: usize = if IS_MODEL { 1 } else { 32 };
const SECOND_END: usize = FIRST + SECOND;
const THIRD_END: usize = SECOND_END + THIRD;
const FOURTH: usize = SPAN_LIMIT - THIRD_END;

struct Slot {
    begin: AtomicInstant,
    /// Zero while the span is open.
    end: AtomicInstant,
    /// From the lowest bit: one byte for the parent, 16 bits for the name, [`IS_CLIENT`].
    about: AtomicU64,
}

/// Set in [`Slots::begun`] when the trace has ended. The count below never gets that far.
const ENDED: u64 = 1 << 63;

/// Set in [`Slot::about`] for a span whose ID was given to another node.
const IS_CLIENT: u64 = 1 << 24;

fn about(name: NameId, parent: Option<SpanIndex>) -> u64 {
    u64::from(name.0) << 8 | u64::from(SpanIndex::to_byte(parent))
}

fn name_and_parent(about: u64) -> (NameId, Option<SpanIndex>) {
    (NameId((about >> 8) as u16), SpanIndex::of_byte(about as u8))
}

impl Slot {
    fn new() -> Slot {
        Slot {
            begin: AtomicInstant::new(Instant::ZERO),
            end: AtomicInstant::new(Instant::ZERO),
            about: AtomicU64::new(0),
        }
    }
}

/// Outcome of beginning a span.
pub(super) enum Begun {
    Kept(SpanIndex),
    /// All slots were taken.
    Unkept,
    /// The trace had ended.
    Late,
}

/// A closed span.
pub(super) struct Closed {
    pub(super) name: NameId,
    pub(super) parent: Option<SpanIndex>,
    pub(super) begin: Instant,
    pub(super) end: Instant,
    pub(super) is_client: bool,
}

impl Slots {
    pub(super) fn new() -> Slots {
        Slots {
            begun: AtomicU64::new(0),
            first: std::array::from_fn(|_| Slot::new()),
            second: OnceLock::new(),
            third: OnceLock::new(),
            fourth: OnceLock::new(),
        }
    }

    /// Makes the slots of a trace that has ended, in which this many spans had begun.
    pub(super) fn restored(begun: u64) -> Slots {
        let slots = Slots::new();
        // Relaxed: nothing else has the value yet.
        slots.begun.store(begun & !ENDED | ENDED, Ordering::Relaxed);
        slots
    }

    /// Makes all slots free, for another trace, and keeps those of the second step, if there are any.
    pub(super) fn clear(&mut self) {
        // Only the end of a slot tells that it was used.
        for index in 0..self.begun().min(SECOND_END as u64) as usize {
            if let Some(slot) = self.slot(index) {
                // Relaxed: nothing else refers to the slots.
                slot.end.store(Instant::ZERO, Ordering::Relaxed);
            }
        }
        (self.third, self.fourth) = (OnceLock::new(), OnceLock::new());
        self.begun = AtomicU64::new(0);
    }

    /// Puts a closed span into a slot, of a trace that is being restored.
    pub(super) fn restore(&self, index: SpanIndex, span: &Closed) {
        let slot = self.slot_or_make(index.get());
        let client = if span.is_client { IS_CLIENT } else { 0 };
        // Relaxed: the record is published as a whole later.
        slot.about.store(about(span.name, span.parent) | client, Ordering::Relaxed);
        slot.begin.store(span.begin, Ordering::Relaxed);
        slot.end.store(span.end, Ordering::Relaxed);
    }

    /// Counts one more span and gives it a slot, unless `limit` spans have one or the trace has ended.
    #[inline]
    pub(super) fn begin(&self, limit: usize, name: &'static str, parent: Option<SpanIndex>) -> Begun {
        // Relaxed: the atomic alone decides who gets which slot. A slot's contents are published by its `end`.
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        // `ENDED` is above every limit, so one comparison finds both reasons to refuse.
        if number >= limit as u64 {
            return if number & ENDED == 0 { Begun::Unkept } else { Begun::Late };
        }
        let Some(index) = SpanIndex::of_slot(number) else { return Begun::Unkept };
        let slot = self.slot_or_make(index.get());
        // Relaxed: readers look at a slot only after they have seen its `end` with `Acquire`.
        slot.about.store(about(NameId::of(name), parent), Ordering::Relaxed);
        slot.begin.store(crate::clock::now(), Ordering::Relaxed);
        Begun::Kept(index)
    }

    /// Ends the trace, so that spans which begin from here on are late. Returns the number of spans that had begun,
    /// `None` if the trace has ended already.
    pub(super) fn end(&self) -> Option<u64> {
        // AcqRel: a thread that learns from this atomic of the end also sees what was done before the end, and
        // two threads that end it are ordered.
        let begun = self.begun.fetch_or(ENDED, Ordering::AcqRel);
        (begun & ENDED == 0).then_some(begun)
    }

    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        // Relaxed: an early answer only. `end` decides, and `set_field` is ordered by the lock of the fields.
        self.begun.load(Ordering::Relaxed) & ENDED != 0
    }

    #[inline]
    pub(super) fn close(&self, index: SpanIndex) {
        if let Some(slot) = self.slot(index.get()) {
            // Release: a reader that sees this end (`Acquire`) sees the name, parent and beginning.
            slot.end.store(crate::clock::now(), Ordering::Release);
        }
    }

    /// Returns the number of spans that have begun, with or without a slot.
    pub(super) fn begun(&self) -> u64 {
        // Relaxed: a count. The slots that it leads to are checked one by one.
        self.begun.load(Ordering::Relaxed) & !ENDED
    }

    /// Returns one bit for each span that is closed by now.
    pub(super) fn closed(&self) -> u128 {
        let slots = self.begun().min(SPAN_LIMIT as u64) as usize;
        (0..slots).filter(|&index| self.is_closed(index)).fold(0, |bits, index| bits | 1 << index)
    }

    fn is_closed(&self, index: usize) -> bool {
        // Acquire: pairs with the `Release` in `close`, so that a bit in `closed` promises a whole slot.
        self.slot(index).is_some_and(|slot| slot.end.load(Ordering::Acquire) != Instant::ZERO)
    }

    /// Returns a closed span. `None` while it is open.
    pub(super) fn read(&self, index: usize) -> Option<Closed> {
        let slot = self.slot(index)?;
        // Acquire: pairs with the `Release` in `close`. It must come before the two relaxed loads.
        let end = slot.end.load(Ordering::Acquire);
        let about = slot.about.load(Ordering::Relaxed);
        let (name, parent) = name_and_parent(about);
        let begin = slot.begin.load(Ordering::Relaxed);
        let is_client = about & IS_CLIENT != 0;
        (end != Instant::ZERO).then_some(Closed { name, parent, begin, end, is_client })
    }

    /// Marks a span as the client of a call, because another node was told its ID.
    pub(super) fn mark_client(&self, index: SpanIndex) {
        if let Some(slot) = self.slot(index.get()) {
            // Relaxed: published by `close`, as the rest of the slot. A read-modify-write, because name and parent are
            // in the same word.
            slot.about.fetch_or(IS_CLIENT, Ordering::Relaxed);
        }
    }

    /// Returns the parent of a span, open or closed.
    pub(super) fn parent(&self, index: SpanIndex) -> Option<SpanIndex> {
        // Relaxed: asked for an ancestor of a closed span. The ancestor's slot was written before its child began, and
        // the child's end has been seen with `Acquire`.
        let (_, parent) = name_and_parent(self.slot(index.get())?.about.load(Ordering::Relaxed));
        parent
    }

    /// Returns the name of a span, open or closed.
    #[cfg(feature = "rt")]
    pub(super) fn name(&self, index: SpanIndex) -> NameId {
        // Relaxed: the caller runs in the span, so its own thread, or one that its future came from, wrote the slot.
        let about = self.slot(index.get()).map_or(0, |slot| slot.about.load(Ordering::Relaxed));
        name_and_parent(about).0
    }

    /// Returns the bytes allocated beside the trace.
    pub(super) fn heap_bytes(&self) -> usize {
        let second = self.second.get().map_or(0, |slots| size_of_val(&**slots));
        let third = self.third.get().map_or(0, |slots| size_of_val(&**slots));
        second + third + self.fourth.get().map_or(0, |slots| size_of_val(&**slots))
    }

    #[inline]
    fn slot_or_make(&self, index: usize) -> &Slot {
        match index {
            ..FIRST => &self.first[index],
            FIRST..SECOND_END => &self.second.get_or_init(new_slots)[index - FIRST],
            SECOND_END..THIRD_END => &self.third.get_or_init(new_slots)[index - SECOND_END],
            _ => &self.fourth.get_or_init(new_slots)[index - THIRD_END],
        }
    }

    #[inline]
    fn slot(&self, index: usize) -> Option<&Slot> {
        match index {
            ..FIRST => self.first.get(index),
            FIRST..SECOND_END => self.second.get()?.get(index - FIRST),
            SECOND_END..THIRD_END => self.third.get()?.get(index - SECOND_END),
            _ => self.fourth.get()?.get(index - THIRD_END),
        }
    }
}

#[cold]
fn new_slots<const N: usize>() -> Box<[Slot; N]> {
    Box::new(std::array::from_fn(|_| Slot::new()))
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_span_has_its_own_slot() {
        let slots = Slots::new();
        let name = "slots";
        let mut parent = None;
        for number in 0..SPAN_LIMIT {
            let Begun::Kept(index) = slots.begin(SPAN_LIMIT, name, parent) else { panic!("{number}") };
            assert_eq!(index.get(), number);
            parent = Some(index);
        }
        assert!(matches!(slots.begin(SPAN_LIMIT, name, None), Begun::Unkept));
        for number in (0..SPAN_LIMIT).step_by(2) {
            slots.close(SpanIndex::of_slot(number as u64).unwrap());
        }
        assert_eq!(slots.closed(), u128::MAX / 3);
        assert_eq!(slots.begun(), SPAN_LIMIT as u64 + 1);
        let last = slots.read(126).unwrap();
        assert_eq!((last.name.name(), last.parent.unwrap().get()), (name, 125));
        assert!(slots.read(127).is_none(), "still open");
        assert!(last.end >= last.begin);
        assert_eq!((slots.end(), slots.end()), (Some(SPAN_LIMIT as u64 + 1), None));
        assert!(matches!(slots.begin(SPAN_LIMIT, name, None), Begun::Late));
        assert_eq!(slots.begun(), SPAN_LIMIT as u64 + 2);
    }
}
