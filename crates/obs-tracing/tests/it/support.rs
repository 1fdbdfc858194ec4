//! What the tests of spans share.

use std::sync::{Arc, OnceLock};

use obs_trace::{SpanRecord, Trace, TraceRecord, new_trace};
use obs_tracing::Bridge;
use tracing::dispatcher::{self, Dispatch};

/// Configures the log of this process. Its levels are those of the spans, on every thread.
pub(crate) fn log() {
    static LOG: OnceLock<(tempfile::TempDir, obs_log::Guard)> = OnceLock::new();
    LOG.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let guard = obs_log::configure(&obs_log::Config::new(folder.path()).level("trace")).unwrap();
        (folder, guard)
    });
}

/// Runs `f` with a bridge as this thread's dispatcher.
pub(crate) fn bridged<R>(f: impl FnOnce() -> R) -> R {
    log();
    tracing::subscriber::with_default(Bridge::new(), f)
}

/// Runs `f` in a trace, with a bridge as this thread's dispatcher. Returns the record of the trace.
pub(crate) fn traced(f: impl FnOnce(&Trace)) -> Arc<TraceRecord> {
    let trace = new_trace("test");
    bridged(|| trace.enter(|| f(&trace)));
    trace.finish().unwrap()
}

/// Index of the span with a name.
pub(crate) fn place(spans: &[SpanRecord], name: &str) -> usize {
    let found = spans.iter().position(|span| span.name() == name);
    found.unwrap_or_else(|| panic!("no span `{name}` in {spans:?}"))
}

pub(crate) fn named<'a>(spans: &'a [SpanRecord], name: &str) -> &'a SpanRecord {
    &spans[place(spans, name)]
}

/// Name of the parent of the span with a name.
pub(crate) fn parent<'a>(spans: &'a [SpanRecord], name: &str) -> Option<&'a str> {
    named(spans, name).parent().map(|parent| spans[parent].name())
}

/// Runs `f` on a thread that uses the same dispatcher, and waits for it.
pub(crate) fn elsewhere<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let dispatch = dispatcher::get_default(Dispatch::clone);
    std::thread::spawn(move || dispatcher::with_default(&dispatch, f)).join().unwrap()
}
