//! Sinks of the process: the day files and the console.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use log::{Level, Record};

use crate::backtrace::Unresolved;
use crate::config::ConsoleFormat;
use crate::config::redactor::Redactor;
use crate::console::Terminal;
use crate::dispatch::pipeline::{Pipeline, Producer};
use crate::json::cache::names::NameSlot;
use crate::process::fork::in_forked_child;
use crate::record::source::Source;

/// Maximum time of a flush that has no limit of its own, such as `Log::flush`.
pub(crate) const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Pipeline to the day files, from the first `configure` on.
pub(crate) static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// Queue to the console, once there is one.
pub(crate) static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Sinks of a routing.
#[derive(Clone, Debug)]
pub(crate) struct Sinks {
    pub(crate) file: FileSink,
    /// Behind a pointer, because each line hands it on.
    pub(crate) console: Option<Arc<ConsoleSink>>,
}

/// Sink to the day files.
#[derive(Clone, Debug)]
pub(crate) struct FileSink {
    pub(crate) pipeline: &'static Pipeline,
    pub(crate) redact: Arc<Redactor>,
}

/// Sink to stderr.
#[derive(Debug)]
pub(crate) struct ConsoleSink {
    pub(crate) terminal: &'static Terminal,
    pub(crate) redact: Arc<Redactor>,
    pub(crate) format: ConsoleFormat,
}

impl FileSink {
    #[inline]
    pub(crate) fn accept(&self, producer: Producer<'_>, name: NameSlot, source: &impl Source) {
        self.pipeline.accept(producer, name, source, &self.redact);
    }

    #[cold]
    pub(crate) fn accept_at_once(&self, producer: Producer<'_>, name: NameSlot, record: &Record<'_>) {
        self.pipeline.accept_within(producer, name, record, &self.redact, Duration::ZERO);
    }

    #[cold]
    pub(crate) fn accept_unresolved(
        &self,
        producer: Producer<'_>,
        name: NameSlot,
        record: &Record<'_>,
        trace: &Arc<Unresolved>,
    ) {
        self.pipeline.accept_unresolved(producer, name, record, &self.redact, trace);
    }
}

/// Waits until all lines made before are written. Returns `false` after `timeout`.
pub(crate) fn flush(timeout: Duration) -> bool {
    let now = Instant::now();
    // A caller may pass `Duration::MAX`.
    let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400));
    let written = PIPELINE.get().is_none_or(|pipeline| pipeline.flush(deadline));
    TERMINAL.get().is_none_or(|terminal| terminal.flush(deadline)) && written
}

/// Waits until the lines made before are in their file, or cannot be written now. Does not wait for a broken disk, nor for
/// the console.
pub(crate) fn flush_once(timeout: Duration) {
    PIPELINE.get().map(|pipeline| pipeline.flush_once(Instant::now() + timeout));
}

/// Has the writer write at once, without waiting for it.
pub(crate) fn ask() {
    if let Some(pipeline) = PIPELINE.get().filter(|_| !in_forked_child()) {
        pipeline.shared().queue.ask();
    }
}

/// Tells the writer that a rate limit holds lines back.
pub(crate) fn notice_held_back() {
    if let Some(pipeline) = PIPELINE.get().filter(|_| !in_forked_child()) {
        pipeline.shared().queue.notice();
    }
}

/// Writes all lines for the last time.
pub(crate) fn end(deadline: Instant) {
    if let Some(pipeline) = PIPELINE.get() {
        pipeline.end(deadline);
    }
    if let Some(terminal) = TERMINAL.get() {
        terminal.flush(deadline);
    }
}

/// Continues after an [`end`] that was not the end of the process.
pub(crate) fn resume() {
    if let Some(pipeline) = PIPELINE.get() {
        pipeline.resume();
    }
}

/// Counts a line as dropped that is not even queued.
pub(crate) fn count_dropped(level: Level) {
    if let Some(pipeline) = PIPELINE.get() {
        pipeline.shared().queue.count_dropped(level, 1);
    }
}
