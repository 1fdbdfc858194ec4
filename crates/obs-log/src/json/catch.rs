//! Panics of a user's code that is called while a line is made.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Placeholder of a value whose code panicked.
pub(crate) const PANICKED: &str = "[panicked while formatting]";

/// Returns the result of `run`, or `None` if it panics.
#[inline]
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Some(result),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic. It is a user's value too, so its `drop` may panic again.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A third panic would be no better, so the second payload is leaked.
        mem::forget(again);
    }
}
