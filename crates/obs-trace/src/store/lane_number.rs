//! Which lane a thread uses.

use std::cell::{Cell, OnceCell};
use std::sync::Mutex;

pub(crate) const LANES: usize = 16;

/// How many threads use each lane.
static THREADS: Mutex<[u32; LANES]> = Mutex::new([0; LANES]);

thread_local! {
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    static LEASE: OnceCell<Lease> = const { OnceCell::new() };
}

/// The number of this thread's lane: one that no other thread uses, as long as there are lanes enough.
#[inline]
pub(crate) fn of_thread() -> usize {
    // Without a destructor, so that what a thread does at its very end finds its lane, too.
    NUMBER.get().unwrap_or_else(assign)
}

#[cold]
fn assign() -> usize {
    let number = take_least_used();
    NUMBER.set(Some(number));
    let lease = Lease(number);
    // A thread that is at its end already gives it back here.
    let _ = LEASE.try_with(|place| place.set(lease));
    number
}

fn take_least_used() -> usize {
    let mut threads = THREADS.lock().unwrap_or_else(|poison| poison.into_inner());
    let number = (0..LANES).min_by_key(|&number| threads[number]).unwrap_or(0);
    threads[number] += 1;
    number
}

/// Given back when the thread ends: whoever comes next goes on with what is in the lane.
struct Lease(usize);

impl Drop for Lease {
    fn drop(&mut self) {
        THREADS.lock().unwrap_or_else(|poison| poison.into_inner())[self.0] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn threads_that_run_have_lanes_of_their_own_and_leave_them_to_others() {
        let barrier = Barrier::new(4);
        for _ in 0..3 * LANES {
            let mut numbers = std::thread::scope(|threads| {
                let run = || {
                    let number = of_thread();
                    barrier.wait();
                    assert_eq!(of_thread(), number);
                    number
                };
                let threads = [(); 4].map(|()| threads.spawn(run));
                threads.map(|thread| thread.join().unwrap())
            });
            numbers.sort_unstable();
            // Other tests run beside this one, and there may be more threads than lanes.
            let used: u32 = THREADS.lock().unwrap().iter().sum();
            assert!(
                used as usize > LANES / 2 || numbers.windows(2).all(|two| two[0] < two[1]),
                "{numbers:?}"
            );
        }
    }
}
