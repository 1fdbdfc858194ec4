//! Numbers of free slots.
//!
//! Each thread keeps a few, so that a span that begins and ends on one thread takes no lock for its slot.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers that a thread keeps. Few, because other threads cannot use them.
const KEPT: usize = 16;

/// Numbers that a thread takes or gives back at a time.
const AT_A_TIME: usize = KEPT / 2;

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), made: 0 });

pub(super) struct Pool {
    free: Vec<u32>,
    /// Numbers that exist. Slots from here on have never been used.
    made: u32,
}

thread_local! {
    static OWN: RefCell<Own> = const { RefCell::new(Own(Vec::new())) };
}

struct Own(Vec<u32>);

impl Drop for Own {
    fn drop(&mut self) {
        pool().free.append(&mut self.0);
    }
}

/// Returns the number of a free slot. `refill` finds more when there is none at hand.
#[inline]
pub(super) fn take(refill: impl FnOnce() -> Vec<u32>) -> Option<u32> {
    let own = OWN.try_with(|own| own.try_borrow_mut().ok()?.0.pop()).ok().flatten();
    own.or_else(|| take_new(refill))
}

#[cold]
fn take_new(refill: impl FnOnce() -> Vec<u32>) -> Option<u32> {
    let mut free = refill();
    let slot = free.pop();
    free.into_iter().for_each(give_back);
    slot
}

#[inline]
pub(super) fn give_back(slot: u32) {
    let is_kept = OWN.try_with(|own| {
        let Ok(mut own) = own.try_borrow_mut() else { return false };
        let has_room = own.0.len() < KEPT;
        if has_room {
            own.0.push(slot);
        }
        has_room
    });
    if !is_kept.unwrap_or_default() {
        give_back_more(slot);
    }
}

/// Gives a number back to the pool, with some of the thread's own.
#[cold]
fn give_back_more(slot: u32) {
    let some = |own: &RefCell<Own>| {
        let mut own = own.try_borrow_mut().ok()?;
        let rest = AT_A_TIME.min(own.0.len());
        Some(own.0.split_off(rest))
    };
    let mut more = OWN.try_with(some).ok().flatten().unwrap_or_default();
    more.push(slot);
    pool().free.append(&mut more);
}

pub(super) fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// Returns some free numbers. Makes them if there is none, up to `most`.
    pub(super) fn some(&mut self, most: u32) -> Vec<u32> {
        if self.free.is_empty() {
            let made = self.made;
            self.made = most.min(made + AT_A_TIME as u32);
            return (made..self.made).collect();
        }
        self.free.split_off(self.free.len().saturating_sub(AT_A_TIME))
    }

    pub(super) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }
}
