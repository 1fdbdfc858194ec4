//! Where lines go.

use std::sync::Arc;

use log::Record;

use crate::api::secret::Redactor;
use crate::backtrace::Unresolved;
use crate::console::Terminal;
use crate::dispatch::pipeline::Pipeline;
use crate::dispatch::thread::Caller;
use crate::json::cache::names::Found;

/// Where the lines of a routing go.
#[derive(Debug)]
pub(crate) struct Sinks {
    pub(crate) file: FileSink,
    pub(crate) console: Option<ConsoleSink>,
}

/// The day files.
#[derive(Debug)]
pub(crate) struct FileSink {
    pub(crate) pipeline: &'static Pipeline,
    pub(crate) redact: Arc<Redactor>,
}

/// The people in front of the screen.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleSink {
    pub(crate) terminal: &'static Terminal,
    pub(crate) redact: Arc<Redactor>,
}

impl FileSink {
    #[inline]
    pub(crate) fn accept(&self, caller: Caller<'_>, name: Found, record: &Record<'_>) {
        self.pipeline.accept(caller, name, record, &self.redact);
    }

    #[cold]
    pub(crate) fn accept_unresolved(
        &self,
        caller: Caller<'_>,
        name: Found,
        record: &Record<'_>,
        trace: &Arc<Unresolved>,
    ) {
        self.pipeline.accept_unresolved(caller, name, record, &self.redact, trace);
    }
}

impl ConsoleSink {
    pub(crate) fn accept(&self, name: &str, record: &Record<'_>, trace: Option<&Arc<Unresolved>>) {
        self.terminal.accept(name, record, &self.redact, trace);
    }
}
