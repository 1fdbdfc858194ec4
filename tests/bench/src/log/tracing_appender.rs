//! tracing-subscriber's JSON into a file behind tracing-appender's queue of 128 000 lines, which drops lines when it is full.

use std::fs::File;
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;

use super::{Event, Peer, tracing_line};

pub(super) struct TracingAppender(WorkerGuard);

impl Peer for TracingAppender {
    fn start(folder: &Path) -> Self {
        let file = File::create(folder.join("day.log")).expect("the folder is writable");
        let (writer, guard) = tracing_appender::non_blocking(file);
        tracing_subscriber::fmt().json().with_writer(writer).init();
        TracingAppender(guard)
    }

    fn log(&self, event: &Event) {
        tracing_line::log(event);
    }

    #[inline(always)]
    fn log_disabled(&self, event: &Event) {
        tracing_line::log_disabled(event);
    }

    /// Dropping the guard writes the queue, within a second.
    fn finish(self) {
        drop(self.0);
    }
}
