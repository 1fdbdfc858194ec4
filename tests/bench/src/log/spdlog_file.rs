//! spdlog-rs, its file sink with its JSON formatter, on the calling thread.

use std::path::Path;
use std::sync::Arc;

use spdlog::formatter::JsonFormatter;
use spdlog::sink::{FileSink, Sink};
use spdlog::{LevelFilter, Logger, debug, info};

use super::{Event, Peer};

pub(super) struct SpdlogFile(Logger);

impl Peer for SpdlogFile {
    fn start(folder: &Path) -> Self {
        SpdlogFile(logger(file_sink(folder)))
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

    fn finish(self) {
        self.flush();
    }
}

pub(super) fn file_sink(folder: &Path) -> Arc<dyn Sink> {
    let builder = FileSink::builder().path(folder.join("day.log")).formatter(JsonFormatter::new());
    builder.build_arc().expect("the folder is writable")
}

pub(super) fn logger(sink: Arc<dyn Sink>) -> Logger {
    Logger::builder()
        .name("bench.bus.router")
        .sink(sink)
        .level_filter(LevelFilter::MoreSevereEqual(spdlog::Level::Info))
        .build()
        .expect("a proper name")
}

#[inline]
pub(super) fn info(logger: &Logger, event: &Event) {
    info!(logger: logger, "routed", kv: { capability = event.capability, to = event.to, ms = event.ms, ok = event.ok });
}

#[inline]
pub(super) fn debug(logger: &Logger, event: &Event) {
    debug!(logger: logger, "routed", kv: { capability = event.capability, to = event.to, ms = event.ms, ok = event.ok });
}
