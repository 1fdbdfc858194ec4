//! Slot of a thread: a small number that no other living thread has.
//!
//! Cells keep one part for each slot. A part with one writer is a plain load and store instead of a locked instruction, and
//! its cache line stays with one processor. An ended thread returns its slot. A new thread gets the lowest free one, so that
//! few parts are in use. Threads beyond [`SLOTS`] have no slot.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::sync::{Mutex, lock, per_thread};

/// Maximum number of threads with a slot. Each slot costs a histogram a pointer, and a histogram that its thread observes
/// the words of a part. Nodes run fewer threads; the slots must fit below the marks.
pub(crate) const SLOTS: usize = 32;

/// Slots that no thread has.
pub(crate) struct Pool {
    /// Lowest slot that was never taken.
    unused: usize,
    returned: BinaryHeap<Reverse<usize>>,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { unused: 0, returned: BinaryHeap::new() }
    }
}

/// Its lock orders the writes of a slot's owner before those of the next owner: both take it.
#[cfg(not(all(test, obs_loom)))]
static POOL: Mutex<Pool> = Mutex::new(Pool::new());
#[cfg(all(test, obs_loom))]
loom::lazy_static! { static ref POOL: Mutex<Pool> = Mutex::new(Pool::new()); }

struct Slot<'a> {
    pool: &'a Mutex<Pool>,
    number: Option<usize>,
}

/// Index of a thread that has not asked for a slot yet.
const UNKNOWN: u8 = u8::MAX;
/// Index of a thread that got no slot because all were taken, or that is ending.
const NONE: u8 = u8::MAX - 1;
/// Mark of a part without an owner. No thread has this index.
pub(crate) const NO_OWNER: u8 = u8::MAX - 2;

per_thread! {
    static SLOT: Slot<'static> = Slot::take(&POOL);
    /// Number of the slot once more. It has no destructor, so reading it is a single load without a check.
    static INDEX: Cell<u8> = const { Cell::new(UNKNOWN) };
}

/// Returns the slot of the current thread, or `None` when all are taken or the thread is ending.
#[inline]
pub(crate) fn current() -> Option<usize> {
    match mark() {
        NONE => None,
        UNKNOWN => take_slot(),
        slot => Some(usize::from(slot)),
    }
}

/// Returns the slot as one byte, to compare with the mark of an owner. The byte of a thread without a slot is no owner's
/// mark.
#[inline]
pub(crate) fn mark() -> u8 {
    INDEX.with(Cell::get)
}

#[cold]
fn take_slot() -> Option<usize> {
    // Fails while the thread ends. A thread whose slot was returned must not use its parts any more.
    let slot = SLOT.try_with(|slot| slot.number).ok().flatten();
    set_index(slot);
    slot
}

fn set_index(slot: Option<usize>) {
    // In a model the index of an ending thread may be gone. The standard library's stays.
    _ = INDEX.try_with(|index| index.set(slot.map_or(NONE, |slot| slot as u8)));
}

impl<'a> Slot<'a> {
    fn take(pool: &'a Mutex<Pool>) -> Self {
        let mut slots = lock(pool);
        // The lowest returned slot first, so that few parts of a cell are in use.
        if let Some(Reverse(number)) = slots.returned.pop() {
            return Self { pool, number: Some(number) };
        }
        if slots.unused == SLOTS {
            return Self { pool, number: None };
        }
        slots.unused += 1;
        Self { pool, number: Some(slots.unused - 1) }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // First, so that a destructor which records afterwards uses no part of the slot's next owner.
        set_index(None);
        if let Some(number) = self.number {
            lock(self.pool).returned.push(Reverse(number));
        }
    }
}

/// Runs `run` with a slot of this pool. In a model the destructors of thread-locals run too late for a global pool.
#[cfg(all(test, obs_loom))]
pub(crate) fn with_slot_of<R>(pool: &Mutex<Pool>, run: impl FnOnce() -> R) -> R {
    let slot = Slot::take(pool);
    set_index(slot.number);
    run()
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Barrier;

    #[test]
    fn living_threads_never_share_a_slot() {
        const THREADS: usize = SLOTS + 8;
        for _ in 0..3 {
            let barrier = Barrier::new(THREADS);
            let slots: Vec<Option<usize>> = std::thread::scope(|scope| {
                let thread = || {
                    let slot = current();
                    barrier.wait();
                    slot
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(thread)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let owned: Vec<usize> = slots.into_iter().flatten().collect();
            assert!(owned.len() >= 8, "slots come back when threads end");
            assert_eq!(owned.iter().collect::<HashSet<_>>().len(), owned.len());
            assert!(owned.iter().all(|slot| *slot < SLOTS));
        }
    }
}
