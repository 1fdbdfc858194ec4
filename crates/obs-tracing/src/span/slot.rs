//! A slot: a place for one span at a time, which threads share by counted handles.
//!
//! One word tells everything about a slot: the generation of its contents, the handles that a program has, and the threads
//! that look at the contents now. So a span begins without a locked instruction, and ends by one.
//!
//! Unsafe code: the value is in an `UnsafeCell`. It is written and taken by one thread, and other threads only look at it in
//! between:
//!
//! - [`fill`](Slot::fill) writes it. The caller owns the slot, which has no handle then, so no other thread comes near it.
//! - [`with`](Slot::with) looks at it. It counts its thread as a user first, which succeeds only while there are handles.
//! - [`close`](Slot::close) and [`close_if`](Slot::close_if) take it. They first bring the handles to zero, so that no further
//!   user comes, and wait for those that are there. One thread alone can bring the handles to zero, and it owns the slot from
//!   then on.

#![allow(unsafe_code)]

#[cfg(not(all(test, obs_loom)))]
use std::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(all(test, obs_loom)))]
use std::thread::yield_now;

#[cfg(all(test, obs_loom))]
use loom::cell::UnsafeCell;
#[cfg(all(test, obs_loom))]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(all(test, obs_loom))]
use loom::thread::yield_now;

#[cfg(not(all(test, obs_loom)))]
use self::real::UnsafeCell;

/// Slot for a value, with two words that are read without looking at the value.
// A cache line of its own, so that threads with a span each do not disturb each other.
#[repr(align(64))]
pub(super) struct Slot<T> {
    /// From the lowest bit: handles, users, generation. A free slot has no handle and no user.
    state: AtomicU64,
    words: [AtomicU64; 2],
    // Invariant: holds a value while the slot has handles or users.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: a value moves to the thread that closes it (`Send`), and several threads may look at it at once (`Sync`).
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

/// Number of handles at which a value is never closed. Only a program that forgets handles gets there.
const MAX_HANDLES: u64 = (1 << 22) - 1;

/// One user in a state. Users are threads, and each is one for some nanoseconds.
const USER: u64 = MAX_HANDLES + 1;

/// Number of users at which a further one waits.
const MAX_USERS: u64 = (1 << 10) - 1;

const GENERATION_SHIFT: u32 = 32;

fn state_of(generation: u32, handles: u64) -> u64 {
    u64::from(generation) << GENERATION_SHIFT | handles
}

fn generation_of(state: u64) -> u32 {
    (state >> GENERATION_SHIFT) as u32
}

fn handles_of(state: u64) -> u64 {
    state & MAX_HANDLES
}

fn users_of(state: u64) -> u64 {
    (state / USER) & MAX_USERS
}

#[inline]
fn is_open(state: u64, generation: u32) -> bool {
    generation_of(state) == generation && handles_of(state) > 0
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot {
            state: AtomicU64::new(0),
            words: [AtomicU64::new(0), AtomicU64::new(0)],
            value: UnsafeCell::new(None),
        }
    }
}

impl<T> Slot<T> {
    /// Puts a value into the slot, with one handle. Returns its generation.
    ///
    /// # Safety
    ///
    /// The caller owns the slot: it is new or was closed, and no other thread fills it.
    #[inline]
    pub(super) unsafe fn fill(&self, words: [u64; 2], value: T) -> u32 {
        // Relaxed: the thread owns the slot, so it sees the last change of the state.
        let generation = generation_of(self.state.load(Ordering::Relaxed));
        // Release: a thread that reads one of the new words sees that the value before is closed. See `words`.
        fence(Ordering::Release);
        // Relaxed: published by the `Release` below.
        self.words[0].store(words[0], Ordering::Relaxed);
        self.words[1].store(words[1], Ordering::Relaxed);
        // SAFETY: the slot has no handle, so no other thread reads or writes the value. It is `None`, which has nothing to
        // drop.
        self.value.with_mut(|place| unsafe { place.write(Some(value)) });
        // Release: a thread that sees the handle (`Acquire`) sees the value and the words.
        self.state.store(state_of(generation, 1), Ordering::Release);
        generation
    }

    /// Returns the words of an open value.
    #[inline]
    pub(super) fn words(&self, generation: u32) -> Option<[u64; 2]> {
        // Acquire: pairs with the `Release` in `fill`.
        if !is_open(self.state.load(Ordering::Acquire), generation) {
            return None;
        }
        // Relaxed: the fence below orders them before the second look at the state.
        let words = [self.words[0].load(Ordering::Relaxed), self.words[1].load(Ordering::Relaxed)];
        // Acquire: if the slot got another value meanwhile, the state has changed, and the words are of no use.
        fence(Ordering::Acquire);
        is_open(self.state.load(Ordering::Relaxed), generation).then_some(words)
    }

    /// Looks at an open value. `f` must not come back to this slot.
    #[inline]
    pub(super) fn with<R>(&self, generation: u32, f: impl FnOnce(&T) -> R) -> Option<R> {
        let _user = self.enter(generation)?;
        // SAFETY: this thread is a user, so the value is not taken and not written.
        self.value.with(|value| unsafe { (*value).as_ref() }.map(f))
    }

    /// Counts one more handle of an open value.
    #[inline]
    pub(super) fn clone_handle(&self, generation: u32) {
        let more =
            |state| (is_open(state, generation) && handles_of(state) < MAX_HANDLES).then_some(state + 1);
        // Relaxed: the thread has a handle, so the value stays open.
        _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Drops a handle of an open value. Returns the value if it was the last one. The caller owns the slot then.
    #[inline]
    pub(super) fn close(&self, generation: u32) -> Option<T> {
        // Relaxed: the exchange below decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if !is_open(state, generation) || handles_of(state) == MAX_HANDLES {
                return None;
            }
            let is_last = handles_of(state) == 1;
            // Without users, the last handle begins the next generation at once.
            let next = if is_last && users_of(state) == 0 { after(generation) } else { state - 1 };
            // AcqRel: the last handle sees what other threads did before they dropped theirs or ceased to be users.
            match self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if !is_last => return None,
                Ok(_) if next == after(generation) => return self.take(),
                Ok(_) => return self.take_after_users(generation),
                Err(now) => state = now,
            }
        }
    }

    /// Takes an open value out, whatever its handles, if `is_over` says so and no other thread is a user.
    pub(super) fn close_if(&self, is_over: impl FnOnce(&T) -> bool) -> Option<T> {
        // Relaxed: `with` looks again.
        let generation = generation_of(self.state.load(Ordering::Relaxed));
        if !self.with(generation, is_over)? {
            return None;
        }
        // Relaxed: the exchange below decides. A thread that uses the value meanwhile keeps it.
        let state = self.state.load(Ordering::Relaxed);
        if !is_open(state, generation) || users_of(state) > 0 {
            return None;
        }
        // AcqRel: as in `close`.
        let exchanged =
            self.state.compare_exchange(state, after(generation), Ordering::AcqRel, Ordering::Relaxed);
        exchanged.ok().and_then(|_| self.take())
    }

    /// Whether the slot holds an open value.
    pub(super) fn is_open(&self) -> bool {
        // Relaxed: a reading for people.
        handles_of(self.state.load(Ordering::Relaxed)) > 0
    }

    #[inline]
    fn enter(&self, generation: u32) -> Option<User<'_>> {
        // Relaxed: the exchange below decides.
        let mut state = self.state.load(Ordering::Relaxed);
        while is_open(state, generation) {
            if users_of(state) == MAX_USERS {
                yield_now();
                state = self.state.load(Ordering::Relaxed);
                continue;
            }
            // Acquire: pairs with the `Release` in `fill`, so the thread sees the value.
            match self.state.compare_exchange_weak(state, state + USER, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Some(User(&self.state)),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Takes the value out of a slot that has no handles, once it has no users.
    #[cold]
    fn take_after_users(&self, generation: u32) -> Option<T> {
        // Acquire: sees what the users did before they left.
        while users_of(self.state.load(Ordering::Acquire)) > 0 {
            yield_now();
        }
        // Relaxed: this thread owns the slot, and passes it on by what it does to the slot's number.
        self.state.store(after(generation), Ordering::Relaxed);
        self.take()
    }

    #[inline]
    fn take(&self) -> Option<T> {
        // SAFETY: the thread that calls it has brought the handles to zero, and there are no users, so it alone reaches the
        // value.
        self.value.with_mut(|value| unsafe { (*value).take() })
    }
}

/// State of a slot whose value of this generation is closed.
#[inline]
fn after(generation: u32) -> u64 {
    state_of(generation.wrapping_add(1), 0)
}

/// Count of the calling thread as a user of a slot, until it is dropped.
struct User<'a>(&'a AtomicU64);

impl Drop for User<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: what the thread read comes before the end of the value.
        self.0.fetch_sub(USER, Ordering::Release);
    }
}

#[cfg(not(all(test, obs_loom)))]
mod real {
    /// `UnsafeCell` in the form of loom's.
    pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) const fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(super) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline]
        pub(super) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_with_its_last_handle_and_a_late_generation_finds_nothing() {
        let slot = Slot::default();
        // SAFETY: no other thread has the slot.
        let first = unsafe { slot.fill([1, 2], "first".to_owned()) };
        slot.clone_handle(first);
        assert_eq!(slot.close(first), None);
        assert_eq!((slot.words(first), slot.with(first, String::len)), (Some([1, 2]), Some(5)));
        assert_eq!(slot.close(first).as_deref(), Some("first"));
        assert!(!slot.is_open());
        // SAFETY: as above.
        let second = unsafe { slot.fill([3, 4], "second".to_owned()) };
        assert_ne!(first, second);
        slot.clone_handle(first);
        assert_eq!((slot.close(first), slot.words(first), slot.with(first, String::len)), (None, None, None));
        assert_eq!((slot.words(second), slot.close(second).as_deref()), (Some([3, 4]), Some("second")));
    }

    #[test]
    fn a_value_that_is_over_goes_with_all_its_handles() {
        let slot = Slot::default();
        // SAFETY: no other thread has the slot.
        let generation = unsafe { slot.fill([0, 0], 7) };
        slot.clone_handle(generation);
        assert_eq!(slot.close_if(|value| *value == 8), None);
        slot.with(generation, |_| assert_eq!(slot.close_if(|_| true), None, "it is in use"));
        assert_eq!(slot.close_if(|value| *value == 7), Some(7));
        assert_eq!((slot.close(generation), slot.close_if(|_| true)), (None, None));
    }

    #[test]
    fn generations_and_counts_do_not_mix() {
        let slot = Slot::default();
        // Relaxed: there is one thread.
        slot.state.store(state_of(u32::MAX, 0), Ordering::Relaxed);
        // SAFETY: no other thread has the slot.
        let last = unsafe { slot.fill([0, 0], ()) };
        assert_eq!((last, slot.close(last)), (u32::MAX, Some(())));
        // SAFETY: as above.
        let next = unsafe { slot.fill([0, 0], ()) };
        slot.state.store(state_of(next, MAX_HANDLES), Ordering::Relaxed);
        slot.clone_handle(next);
        assert_eq!((next, slot.close(next), slot.with(next, |()| 1)), (0, None, Some(1)));
    }
}

#[cfg(all(test, obs_loom))]
mod models {
    use std::sync::Arc;

    use loom::thread;

    use super::*;

    fn check(model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound.get_or_insert(3);
        builder.check(model);
    }

    fn filled(value: u64) -> (Arc<Slot<u64>>, u32) {
        let slot = Arc::new(Slot::default());
        // SAFETY: no other thread has the slot yet.
        let generation = unsafe { slot.fill([value, value], value) };
        (slot, generation)
    }

    #[test]
    fn one_of_two_threads_takes_the_value() {
        check(|| {
            let (slot, generation) = filled(7);
            slot.clone_handle(generation);
            let other = {
                let slot = Arc::clone(&slot);
                thread::spawn(move || {
                    slot.with(generation, |value| assert_eq!(*value, 7));
                    slot.close(generation)
                })
            };
            let mine = slot.close(generation);
            assert!(mine.is_some() != other.join().unwrap().is_some());
        });
    }

    /// A thread that has an ID and no handle sees the value whole, or nothing.
    #[test]
    fn a_late_look_meets_the_end_and_the_next_value() {
        check(|| {
            let (slot, first) = filled(1);
            let late = {
                let slot = Arc::clone(&slot);
                thread::spawn(move || {
                    assert!(matches!(slot.with(first, |value| *value), None | Some(1)));
                    assert!(matches!(slot.words(first), None | Some([1, 1])));
                })
            };
            assert_eq!(slot.close(first), Some(1));
            // SAFETY: this thread has closed the slot.
            let second = unsafe { slot.fill([2, 2], 2) };
            assert_eq!((slot.words(second), slot.close(second)), (Some([2, 2]), Some(2)));
            late.join().unwrap();
        });
    }

    #[test]
    fn a_value_that_is_over_is_taken_by_its_handle_or_by_who_reclaims_it() {
        check(|| {
            let (slot, generation) = filled(7);
            let other = {
                let slot = Arc::clone(&slot);
                thread::spawn(move || slot.close_if(|_| true))
            };
            let mine = slot.close(generation);
            assert!(mine.is_some() != other.join().unwrap().is_some());
        });
    }
}
