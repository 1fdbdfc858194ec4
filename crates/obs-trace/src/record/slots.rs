//! The spans of one trace: a fixed number of slots that any thread fills without a lock.

use std::num::NonZeroU8;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::{AtomicInstant, Instant};
use crate::config::SPAN_LIMIT;
use crate::record::interner::NameId;

/// The place of a span in its trace, in the order in which spans began.
///
/// One higher than the index of its slot, so that no place at all is a zero byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanIndex(NonZeroU8);

impl SpanIndex {
    /// `None` beyond [`SPAN_LIMIT`].
    pub(crate) fn of_slot(slot: u64) -> Option<SpanIndex> {
        NonZeroU8::new((slot + 1) as u8).filter(|_| slot < SPAN_LIMIT as u64).map(SpanIndex)
    }

    pub(crate) fn of_byte(byte: u8) -> Option<SpanIndex> {
        NonZeroU8::new(byte).map(SpanIndex)
    }

    pub(crate) fn to_byte(index: Option<SpanIndex>) -> u8 {
        index.map_or(0, |index| index.0.get())
    }

    pub(crate) fn get(self) -> usize {
        usize::from(self.0.get() - 1)
    }
}

/// Slots for [`SPAN_LIMIT`] spans, the first of them in the trace itself, the others made when they are needed.
///
/// A slot belongs to the span that took its number, which writes it twice: all of it at the
/// beginning and its end at the close. Whoever sees the end (`Acquire`) sees the rest (`Release`).
pub(crate) struct Slots {
    /// How many spans have begun, and [`ENDED`]: in one, so that each span is on one side of the end.
    begun: AtomicU64,
    first: [Slot; FIRST],
    second: OnceLock<Box<[Slot; SECOND]>>,
    third: OnceLock<Box<[Slot; THIRD]>>,
}

// With these a trace of up to twelve spans is one allocation of half a KiB.
const FIRST: usize = 12;
const SECOND: usize = 36;
const THIRD: usize = SPAN_LIMIT - FIRST - SECOND;

struct Slot {
    begin: AtomicInstant,
    /// Zero while the span is open.
    end: AtomicInstant,
    /// [`IS_CLIENT`], the number of the name, then the byte of the parent.
    about: AtomicU64,
}

fn about(name: NameId, parent: Option<SpanIndex>) -> u64 {
    u64::from(name.0) << 8 | u64::from(SpanIndex::to_byte(parent))
}

/// Set when the trace has ended.
const ENDED: u64 = 1 << 63;

/// Where a span has come to.
pub(crate) enum Begun {
    Kept(SpanIndex),
    /// There was no place for it.
    Unkept,
    /// The trace had ended.
    Late,
}

/// Set for a span whose ID was given to another node.
const IS_CLIENT: u64 = 1 << 24;

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

/// A span as it was recorded.
pub(crate) struct Closed {
    pub(crate) name: NameId,
    pub(crate) parent: Option<SpanIndex>,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    pub(crate) is_client: bool,
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots {
            begun: AtomicU64::new(0),
            first: std::array::from_fn(|_| Slot::new()),
            second: OnceLock::new(),
            third: OnceLock::new(),
        }
    }

    /// Counts one more span and gives it a slot, unless `limit` spans have one or the trace has ended.
    #[inline]
    pub(crate) fn begin(&self, limit: usize, name: &'static str, parent: Option<SpanIndex>) -> Begun {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        if number >= limit as u64 {
            return if number & ENDED == 0 { Begun::Unkept } else { Begun::Late };
        }
        let Some(index) = SpanIndex::of_slot(number) else { return Begun::Unkept };
        let slot = self.slot_or_make(index.get());
        slot.about.store(about(NameId::of(name), parent), Ordering::Relaxed);
        slot.begin.store(crate::clock::now(), Ordering::Relaxed);
        Begun::Kept(index)
    }

    /// Ends the trace: spans that begin from here on are late. Gives how many had begun to whoever was first.
    pub(crate) fn end(&self) -> Option<u64> {
        let begun = self.begun.fetch_or(ENDED, Ordering::AcqRel);
        (begun & ENDED == 0).then_some(begun)
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.begun.load(Ordering::Relaxed) & ENDED != 0
    }

    #[inline]
    pub(crate) fn close(&self, index: SpanIndex) {
        if let Some(slot) = self.slot(index.get()) {
            slot.end.store(crate::clock::now(), Ordering::Release);
        }
    }

    /// How many spans have begun, those without a slot included.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed) & !ENDED
    }

    /// One bit for each span that is closed by now.
    pub(crate) fn closed(&self) -> u128 {
        let slots = self.begun().min(SPAN_LIMIT as u64) as usize;
        (0..slots).filter(|&index| self.is_closed(index)).fold(0, |bits, index| bits | 1 << index)
    }

    fn is_closed(&self, index: usize) -> bool {
        self.slot(index).is_some_and(|slot| slot.end.load(Ordering::Acquire) != Instant::ZERO)
    }

    pub(crate) fn read(&self, index: usize) -> Option<Closed> {
        let slot = self.slot(index)?;
        let end = slot.end.load(Ordering::Acquire);
        let about = slot.about.load(Ordering::Relaxed);
        let (name, parent) = name_and_parent(about);
        let begin = slot.begin.load(Ordering::Relaxed);
        let is_client = about & IS_CLIENT != 0;
        (end != Instant::ZERO).then_some(Closed { name, parent, begin, end, is_client })
    }

    /// Says that another node has been told the span's ID: it is the client of a call.
    pub(crate) fn mark_client(&self, index: SpanIndex) {
        if let Some(slot) = self.slot(index.get()) {
            slot.about.fetch_or(IS_CLIENT, Ordering::Relaxed);
        }
    }

    /// Who the parent of a span is, open or closed.
    pub(crate) fn parent(&self, index: SpanIndex) -> Option<SpanIndex> {
        let (_, parent) = name_and_parent(self.slot(index.get())?.about.load(Ordering::Relaxed));
        parent
    }

    /// Bytes allocated beside the trace.
    pub(crate) fn heap_bytes(&self) -> usize {
        let second = self.second.get().map_or(0, |slots| size_of_val(&**slots));
        second + self.third.get().map_or(0, |slots| size_of_val(&**slots))
    }

    #[inline]
    fn slot_or_make(&self, index: usize) -> &Slot {
        match index {
            ..FIRST => &self.first[index],
            FIRST..SECOND_END => &self.second.get_or_init(new_slots)[index - FIRST],
            _ => &self.third.get_or_init(new_slots)[index - SECOND_END],
        }
    }

    #[inline]
    fn slot(&self, index: usize) -> Option<&Slot> {
        match index {
            ..FIRST => self.first.get(index),
            FIRST..SECOND_END => self.second.get()?.get(index - FIRST),
            _ => self.third.get()?.get(index - SECOND_END),
        }
    }
}

const SECOND_END: usize = FIRST + SECOND;

#[cold]
fn new_slots<const N: usize>() -> Box<[Slot; N]> {
    Box::new(std::array::from_fn(|_| Slot::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_its_own() {
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
