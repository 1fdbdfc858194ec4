//! Whether a thread polls for a runtime.

use tokio::runtime::{self, Handle};
use tokio::task;

/// Returns whether this thread is a worker of a tokio runtime, or is in `block_on` of one.
///
/// A thread of `spawn_blocking` may block, also when it polls a future by `Handle::block_on`. A thread without a runtime
/// holds up nothing but itself.
pub(crate) fn is_worker() -> bool {
    let Ok(runtime) = Handle::try_current() else { return false };
    match runtime::worker_index() {
        Some(index) => !is_parked(&runtime, index),
        // In `block_on` there is no task. A thread of `spawn_blocking` has one.
        None => task::try_id().is_none(),
    }
}

/// Returns whether the worker waits for work. Then it is another thread, to which `block_in_place` has given this one's work.
fn is_parked(runtime: &Handle, worker: usize) -> bool {
    // The count is odd while the worker is parked. Without 64-bit atomics tokio does not count.
    #[cfg(target_has_atomic = "64")]
    return runtime.metrics().worker_park_unpark_count(worker) % 2 == 1;
    #[cfg(not(target_has_atomic = "64"))]
    return {
        _ = (runtime, worker);
        false
    };
}
