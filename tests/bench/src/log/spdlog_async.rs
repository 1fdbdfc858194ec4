//! spdlog-rs, its file sink behind its thread pool, whose queue of 8 192 events blocks when it is full.

use std::path::Path;
use std::sync::Arc;

use spdlog::sink::AsyncPoolSink;
use spdlog::{Logger, ThreadPool};

use super::spdlog_file::{debug, file_sink, info, logger};
use super::{Event, Peer};

pub(super) struct SpdlogAsync(Logger);

impl Peer for SpdlogAsync {
    fn start(folder: &Path) -> Self {
        let pool = Arc::new(ThreadPool::new().expect("a thread can be started"));
        let sink = AsyncPoolSink::builder().sink(file_sink(folder)).thread_pool(pool).build_arc();
        SpdlogAsync(logger(sink.expect("a proper sink")))
    }

    fn log(&self, event: &Event) {
        info(&self.0, event);
    }

    fn log_disabled(&self, event: &Event) {
        debug(&self.0, event);
    }

    fn flush(&self) {
        self.0.flush();
    }

    /// Dropping the logger ends the pool after its last line, and then closes the file.
    fn finish(self) {
        drop(self.0);
    }
}
