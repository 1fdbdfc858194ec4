//! A small number that belongs to the current thread alone, for as long as it lives.
//!
//! Cells that keep one part for each thread need it: a part with a single writer is a plain load and store instead of a
//! locked instruction, and it never shares a cache line. Numbers are given back when a thread ends, the lowest free one
//! goes out first, and threads beyond [`SLOTS`] have none.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

/// How many threads may own a slot at once.
pub(crate) const SLOTS: usize = 32;

struct Pool {
    unused: usize,
    returned: BinaryHeap<Reverse<usize>>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { unused: 0, returned: BinaryHeap::new() });

struct Slot(Option<usize>);

/// Not asked for yet.
const UNKNOWN: u8 = u8::MAX;
/// All were taken, or the thread is ending.
const NONE: u8 = u8::MAX - 1;
/// Never a thread's: what stands for the owner of what nobody owns.
pub(crate) const NOBODY: u8 = u8::MAX - 2;

thread_local! {
    static SLOT: Slot = Slot::take();
    /// The same number without a destructor, which makes reading it a single load.
    static INDEX: Cell<u8> = const { Cell::new(UNKNOWN) };
}

/// The current thread's slot, or `None` when all are taken or the thread is ending.
#[inline]
pub(crate) fn current() -> Option<usize> {
    match INDEX.get() {
        NONE => None,
        UNKNOWN => ask(),
        slot => Some(usize::from(slot)),
    }
}

/// The slot as one byte, for a thread that wants to know whether it owns something; of no use where it does not.
#[inline]
pub(crate) fn mark() -> u8 {
    INDEX.get()
}

#[cold]
fn ask() -> Option<usize> {
    let slot = SLOT.try_with(|slot| slot.0).ok().flatten();
    INDEX.set(slot.map_or(NONE, |slot| slot as u8));
    slot
}

impl Slot {
    fn take() -> Self {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Reverse(slot)) = pool.returned.pop() {
            return Self(Some(slot));
        }
        if pool.unused == SLOTS {
            return Self(None);
        }
        pool.unused += 1;
        Self(Some(pool.unused - 1))
    }
}

/// The lock of the pool orders everything this thread wrote before whatever the slot's next owner does.
impl Drop for Slot {
    fn drop(&mut self) {
        INDEX.set(NONE);
        if let Some(slot) = self.0 {
            POOL.lock().unwrap_or_else(PoisonError::into_inner).returned.push(Reverse(slot));
        }
    }
}

#[cfg(test)]
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
