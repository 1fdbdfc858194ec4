//! Lines about failures that are counted without them.

use std::cell::Cell;

thread_local! {
    /// Whether the lines of this thread are counted elsewhere now.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `log`, whose lines on this thread are no problems of their own.
///
/// One failure is one problem. A trace that fails is a problem by its capability and code, so a line of level `warning` or
/// `error` that tells of the same failure would make it two. The one who writes that line knows, and writes it in here. The
/// line is in the log as usual.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let _guard = obs_facade::configure(&obs_facade::ObservabilityConfig::new(folder.path()))?;
/// let call = obs_facade::trace::new_trace("llm.chat");
/// call.fail("timeout");
/// obs_facade::counted_elsewhere(|| obs_facade::warn!("the model did not answer"));
/// call.finish(); // the problem: `llm.chat`, `timeout`
/// # #[cfg(feature = "history")]
/// assert_eq!(obs_facade::problems().list().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn counted_elsewhere<R>(log: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            set(self.0);
        }
    }
    // A call within a call ends with the outer one, and a panic ends it too.
    let _restore = Restore(set(true));
    log()
}

/// Returns the value before. At the end of a thread there is none, and its last lines are problems.
fn set(is_counted: bool) -> bool {
    IS_COUNTED.try_with(|now| now.replace(is_counted)).unwrap_or(false)
}

/// Returns whether the lines of this thread are counted elsewhere now.
#[cfg(feature = "history")]
pub(crate) fn is_counted() -> bool {
    IS_COUNTED.try_with(Cell::get).unwrap_or(false)
}
