//! The line `done` that is logged when a trace ends.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Status, TraceRecord};
use crate::{TraceId, clock};

const TARGET: &str = "hearthnet.trace";

thread_local! {
    /// Trace whose `done` line this thread is logging.
    static ENDING: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Returns the ID of the trace whose `done` line this thread is logging. The line carries it, although the trace may
/// not be current here.
pub(crate) fn ending() -> Option<TraceId> {
    ENDING.get()
}

/// Logs the line for a trace that has ended: at `warn` if the request failed, else at `info`.
pub(super) fn log(record: &TraceRecord) {
    let status = record.status();
    let level = match status {
        // The caller went away. Nothing failed here.
        Status::Ok | Status::Cancelled => log::Level::Info,
        Status::Failed(_) | Status::Panic => log::Level::Warn,
    };
    if !log::log_enabled!(target: TARGET, level) {
        return;
    }
    let line = || {
        log::log!(
            target: TARGET, level,
            capability = record.capability(),
            status = status.as_str(),
            ms = clock::ms(record.duration()),
            spans = record.span_count();
            "done"
        );
    };
    // A panic in the logger must not end the request. During unwinding it would abort the process.
    let _ = catch_unwind(AssertUnwindSafe(|| while_ending(record.trace_id(), line)));
}

/// Runs `f` while [`ending`] returns `id`.
fn while_ending<R>(id: TraceId, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<TraceId>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ENDING.set(self.0);
        }
    }
    // The logger may end another trace itself, so the value from before comes back, also after a panic.
    let _restore = Restore(ENDING.replace(Some(id)));
    f()
}
