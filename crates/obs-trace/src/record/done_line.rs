//! The line `done` that is logged when a trace ends.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use log::Record;
use log::kv::{Error, Key, Source, Value, VisitSource};

use super::done_fields::DoneFields;
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

/// Logs the line for a trace that has ended: at `warn` if the request failed, else at `info`. `more` are fields of the
/// program, after our own.
pub(super) fn log(record: &TraceRecord, more: Option<&DoneFields>) {
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
        let blocked = record.blocked();
        // A logger encodes a key once if it is told that the key is static.
        let key = Key::from_str_static;
        let ours = [
            (key("capability"), Value::from(record.capability())),
            (key("status"), Value::from(status.as_str())),
            (key("ms"), Value::from(clock::ms(record.duration()))),
            (key("spans"), Value::from(record.span_count())),
            (key("blocked_ms"), Value::from(clock::ms(blocked))),
        ];
        // Most traces block nothing, and their lines do not say so.
        let ours = if blocked.is_zero() { &ours[..4] } else { &ours[..] };
        let fields = Joined(ours, more);
        // Without the macro, which takes a list of fields that is known when it is compiled.
        let mut line = Record::builder();
        line.target(TARGET).level(level).module_path_static(Some(module_path!())).key_values(&fields);
        log::logger().log(&line.args(format_args!("done")).build());
    };
    // A panic in the logger must not end the request. During unwinding it would abort the process.
    let _ = catch_unwind(AssertUnwindSafe(|| while_ending(record.trace_id(), line)));
}

struct Joined<'a>(&'a [(Key<'static>, Value<'a>)], Option<&'a DoneFields>);

impl Source for Joined<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.0.visit(visitor)?;
        self.1.visit(visitor)
    }
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
