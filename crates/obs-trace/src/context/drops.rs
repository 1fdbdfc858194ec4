//! Drops of futures that have not ended.

use std::cell::Cell;

thread_local! {
    /// Whether this thread drops a future that has not ended.
    static CANCELS: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether what ends here ends because a future is dropped before its end.
#[inline]
pub(crate) fn is_cancelled() -> bool {
    CANCELS.get()
}

/// Drops a future by `drop`. Spans that end in it are cancelled.
pub(crate) fn cancelling<R>(drop: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CANCELS.set(self.0);
        }
    }
    let _restore = Restore(CANCELS.replace(true));
    drop()
}
