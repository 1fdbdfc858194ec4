//! obs-log, its configuration untouched.

use std::path::Path;
use std::time::Duration;

use obs_log::{Config, Guard, Logger, debug, info};

use super::{Event, Peer};

static LOG: Logger = Logger::new("bench.bus.router");

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Ours(Guard);

impl Peer for Ours {
    fn start(folder: &Path) -> Self {
        Ours(obs_log::configure(&Config::new(folder)).expect("the folder is writable"))
    }

    fn log(&self, event: &Event) {
        info!(logger: LOG, capability = event.capability, to = event.to, ms = event.ms, ok = event.ok; "routed");
    }

    fn log_disabled(&self, event: &Event) {
        debug!(logger: LOG, capability = event.capability, to = event.to, ms = event.ms, ok = event.ok; "routed");
    }

    fn flush(&self) {
        assert!(obs_log::flush(PATIENCE), "the writer is stuck");
    }

    fn finish(self) {
        self.flush();
        drop(self.0);
    }
}
