//! Events of `tracing` through obs-tracing into obs-log, and the same events where nothing takes them.

use std::path::Path;
use std::time::Duration;

use obs_log::{Config, Guard};

use super::{Event, Peer, tracing_line};

const PATIENCE: Duration = Duration::from_secs(60);

/// Bridge as the only dispatcher of the process.
pub(super) struct TracingBridge(Guard);

impl Peer for TracingBridge {
    fn start(folder: &Path) -> Self {
        obs_tracing::configure(&obs_tracing::Config::new()).expect("no other dispatcher is installed");
        TracingBridge(obs_log::configure(&Config::new(folder)).expect("the folder is writable"))
    }

    fn log(&self, event: &Event) {
        tracing_line::log(event);
    }

    #[inline(always)]
    fn log_disabled(&self, event: &Event) {
        tracing_line::log_disabled(event);
    }

    fn flush(&self) {
        assert!(obs_log::flush(PATIENCE), "the writer is stuck");
    }

    fn finish(self) {
        self.flush();
        drop(self.0);
    }
}

/// No dispatcher at all.
pub(super) struct NoDispatcher;

impl Peer for NoDispatcher {
    const WRITES: bool = false;

    fn start(_: &Path) -> Self {
        NoDispatcher
    }

    fn log(&self, event: &Event) {
        tracing_line::log(event);
    }

    #[inline(always)]
    fn log_disabled(&self, event: &Event) {
        tracing_line::log_disabled(event);
    }

    fn finish(self) {}
}
