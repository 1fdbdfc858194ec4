//! What fern hands records to.

use std::sync::Arc;

use log::{Log, Metadata, Record};

use crate::console::Terminal;
use crate::pipeline::Pipeline;
use crate::redact::Redactor;

/// The day files.
#[derive(Debug)]
pub(crate) struct FileSink {
    pub(crate) pipeline: &'static Pipeline,
    pub(crate) redact: Arc<Redactor>,
}

impl Log for FileSink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.pipeline.accept(record, &self.redact);
    }

    fn flush(&self) {}
}

/// The people in front of the screen.
#[derive(Debug)]
pub(crate) struct ConsoleSink {
    pub(crate) terminal: &'static Terminal,
    pub(crate) redact: Arc<Redactor>,
}

impl Log for ConsoleSink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.terminal.accept(record, &self.redact);
    }

    fn flush(&self) {}
}
