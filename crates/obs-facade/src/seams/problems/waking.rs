//! Thread that stores problems and passes them on, as what wakes it sees it.

use std::sync::{PoisonError, RwLock};
use std::thread::Thread;

/// Thread of the running keeper. Taken for reading by an error that is a new problem, or the first change since the last write.
static THREAD: RwLock<Option<Thread>> = RwLock::new(None);

/// Sets the thread to wake.
pub(super) fn set(thread: Thread) {
    *THREAD.write().unwrap_or_else(PoisonError::into_inner) = Some(thread);
}

/// Has the keeper look at once.
pub(super) fn wake() {
    let thread = THREAD.read().unwrap_or_else(PoisonError::into_inner);
    thread.iter().for_each(Thread::unpark);
}
