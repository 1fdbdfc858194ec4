//! A small number that belongs to the current thread alone, for as long as it lives.
//!
//! Cells that keep one part for each thread need it: a part with a single writer is a plain load and store instead of a
//! locked instruction, and it never shares a cache line. Numbers are given back when a thread ends, the lowest free one
//! goes out first, and threads beyond [`SLOTS`] have none.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cell::sync::{Mutex, lock, per_thread};

/// How many threads may own a slot at once.
pub(crate) const SLOTS: usize = 32;

/// Slots that no thread has.
pub(crate) struct Pool {
    unused: usize,
    returned: BinaryHeap<Reverse<usize>>,
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { unused: 0, returned: BinaryHeap::new() }
    }
}

#[cfg(not(all(test, obs_loom)))]
static POOL: Mutex<Pool> = Mutex::new(Pool::new());
#[cfg(all(test, obs_loom))]
loom::lazy_static! { static ref POOL: Mutex<Pool> = Mutex::new(Pool::new()); }

struct Slot<'a> {
    pool: &'a Mutex<Pool>,
    number: Option<usize>,
}

/// The thread has not asked yet.
const UNKNOWN: u8 = u8::MAX;
/// All slots were taken, or the thread is ending.
const NONE: u8 = u8::MAX - 1;
/// Never a thread's slot: marks what has no owner.
pub(crate) const NOBODY: u8 = u8::MAX - 2;

per_thread! {
    static SLOT: Slot<'static> = Slot::take(&POOL);
    /// The same number without a destructor, which makes reading it a single load.
    static INDEX: Cell<u8> = const { Cell::new(UNKNOWN) };
}

/// Returns the current thread's slot, or `None` when all are taken or the thread is ending.
#[inline]
pub(crate) fn current() -> Option<usize> {
    match mark() {
        NONE => None,
        UNKNOWN => ask(),
        slot => Some(usize::from(slot)),
    }
}

/// Returns the slot as one byte, to compare with the mark of an owner. A thread without a slot gets a byte that marks
/// no owner.
#[inline]
pub(crate) fn mark() -> u8 {
    INDEX.with(Cell::get)
}

#[cold]
fn ask() -> Option<usize> {
    let slot = SLOT.try_with(|slot| slot.number).ok().flatten();
    set_index(slot);
    slot
}

fn set_index(slot: Option<usize>) {
    // While a thread ends the index may be gone in a model. The standard library's stays.
    _ = INDEX.try_with(|index| index.set(slot.map_or(NONE, |slot| slot as u8)));
}

impl<'a> Slot<'a> {
    fn take(pool: &'a Mutex<Pool>) -> Self {
        let mut slots = lock(pool);
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

/// The lock of the pool orders everything this thread wrote before whatever the slot's next owner does.
impl Drop for Slot<'_> {
    fn drop(&mut self) {
        set_index(None);
        if let Some(number) = self.number {
            lock(self.pool).returned.push(Reverse(number));
        }
    }
}

/// Runs a thread's work with a slot of this pool. In a model the destructors of thread-locals come too late for a pool
/// that is global.
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
