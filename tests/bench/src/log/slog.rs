//! slog-async with slog-json into a buffered file. The default channel of 128 lines would drop most of a burst, so this one
//! has room for some bursts and blocks when it is full.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use slog::{Drain, Level, Logger, debug, info, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};
use slog_json::Json;

use super::{Event, Peer};

pub(super) struct Slog {
    logger: Logger,
    guard: AsyncGuard,
}

impl Peer for Slog {
    fn start(folder: &Path) -> Self {
        let file = File::create(folder.join("day.log")).expect("the folder is writable");
        let json = Json::new(BufWriter::new(file)).add_default_keys().build().fuse();
        let (drain, guard) = Async::new(json)
            .chan_size(16 << 10)
            .overflow_strategy(OverflowStrategy::Block)
            .build_with_guard();
        let logger = Logger::root(drain.filter_level(Level::Info).fuse(), o!("logger" => "bench.bus.router"));
        Slog { logger, guard }
    }

    fn log(&self, event: &Event) {
        info!(self.logger, "routed"; "capability" => event.capability, "to" => event.to, "ms" => event.ms, "ok" => event.ok);
    }

    fn log_disabled(&self, event: &Event) {
        debug!(self.logger, "routed"; "capability" => event.capability, "to" => event.to, "ms" => event.ms, "ok" => event.ok);
    }

    /// Dropping the guard ends the writer, which writes its buffer.
    fn finish(self) {
        drop(self.logger);
        drop(self.guard);
    }
}
