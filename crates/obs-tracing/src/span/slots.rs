//! Table of the open spans.
//!
//! The number of a slot is in one place at a time: in the pool, with a thread, in a [`Reserved`], or in the slot's filled
//! state. So one thread at a time fills a slot, which is what the unsafe code here and in `slot.rs` relies on.

#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use obs_trace::SpanMark;
use tracing_core::span::Id;

use super::free;
use super::id::Key;
use super::open::Open;
use super::slot::Slot;
use super::stats::EXCESS;

/// Maximum number of spans that are open at a time. A node has some hundred. A slot takes 64 bytes, so the table takes at
/// most half a MiB.
pub(crate) const MAX_OPEN: u32 = 8_192;

/// Slots that are allocated together: 16 KiB.
const PAGE: u32 = 256;

static PAGES: [OnceLock<Box<[Slot<Open>]>>; (MAX_OPEN / PAGE) as usize] =
    [const { OnceLock::new() }; (MAX_OPEN / PAGE) as usize];

/// A free slot. It goes back if it is not filled.
pub(super) struct Reserved {
    slot: &'static Slot<Open>,
    number: u32,
}

/// Returns a free slot. Without one it counts the span and returns `None`.
#[inline]
pub(super) fn reserve() -> Option<Reserved> {
    let Some(number) = free::take(refill) else {
        // Relaxed: a counter orders nothing else.
        EXCESS.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let page = page(number).get_or_init(new_page);
    Some(Reserved { slot: &page[(number % PAGE) as usize], number })
}

impl Reserved {
    /// Puts a span into the slot, with one handle.
    #[inline]
    pub(super) fn fill(self, open: Open) -> Id {
        let words = open.mark().map_or([0; 2], SpanMark::to_words);
        // SAFETY: `self` has the slot's number, which is in no other place.
        let generation = unsafe { self.slot.fill(words, open) };
        let id = Key { slot: self.number, generation }.id();
        // `Drop` gives unfilled slots back.
        std::mem::forget(self);
        id
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        free::give_back(self.number);
    }
}

/// Returns the position of an open span.
#[inline]
pub(super) fn mark(id: &Id) -> Option<SpanMark> {
    let (slot, key) = find(id)?;
    slot.words(key.generation).map(SpanMark::from_words)
}

/// Looks at an open span. `f` must not run a user's code nor drop a trace.
pub(super) fn with<R>(id: &Id, f: impl FnOnce(&Open) -> R) -> Option<R> {
    let (slot, key) = find(id)?;
    slot.with(key.generation, f)
}

/// Counts one more handle of a span, if it is open.
pub(super) fn clone(id: &Id) {
    if let Some((slot, key)) = find(id) {
        slot.clone_handle(key.generation);
    }
}

/// Drops a handle of a span. Returns whether the span has ended by it.
#[inline]
pub(super) fn close(id: &Id) -> bool {
    let Some((slot, key)) = find(id) else { return false };
    let Some(open) = slot.close(key.generation) else { return false };
    // The span is out of the table: the drop of a trace runs the logger.
    drop(open);
    free::give_back(key.slot);
    true
}

/// Returns the number of open spans.
pub(super) fn count() -> usize {
    let pages = PAGES.iter().filter_map(OnceLock::get);
    pages.flatten().filter(|slot| slot.is_open()).count()
}

#[inline]
fn find(id: &Id) -> Option<(&'static Slot<Open>, Key)> {
    let key = Key::of(id)?;
    let page = PAGES.get((key.slot / PAGE) as usize)?.get()?;
    Some((page.get((key.slot % PAGE) as usize)?, key))
}

#[inline]
fn page(slot: u32) -> &'static OnceLock<Box<[Slot<Open>]>> {
    &PAGES[(slot / PAGE) as usize]
}

#[cold]
fn new_page() -> Box<[Slot<Open>]> {
    (0..PAGE).map(|_| Slot::default()).collect()
}

/// Slots that [`reclaim`] looks at in a turn. Few, because a span that finds none is not worth more than a microsecond.
const TURN: u32 = 16;

/// Slot at which the next turn of [`reclaim`] begins.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Finds free slots for a thread that has none.
///
/// Before a new page is begun, spans of ended traces that are still open are forgotten. So handles that a program has leaked
/// use up no memory while other spans come and go.
#[cold]
fn refill() -> Vec<u32> {
    let mut pool = free::pool();
    let needs_page = !pool.has_free() && pool.made().is_multiple_of(PAGE);
    if !needs_page || pool.made() == 0 {
        return pool.some(MAX_OPEN);
    }
    let made = pool.made();
    // Not under the lock, because a forgotten span drops a trace.
    drop(pool);
    let reclaimed = reclaim(made);
    if reclaimed.is_empty() { free::pool().some(MAX_OPEN) } else { reclaimed }
}

/// Forgets spans of ended traces. Returns the numbers of their slots.
fn reclaim(made: u32) -> Vec<u32> {
    // Relaxed: two threads may look at the same slots, where one of them finds nothing.
    let start = NEXT.fetch_add(TURN, Ordering::Relaxed);
    let numbers = (0..TURN).map(|step| start.wrapping_add(step) % made);
    let close = |number: u32| {
        let slot = page(number).get()?.get((number % PAGE) as usize)?;
        slot.close_if(Open::is_over).map(|_| number)
    };
    numbers.filter_map(close).collect()
}
