//! obs-trace with an exporter whose collector is down, which callers must not notice.

use std::sync::Mutex;

use obs_trace::otlp::{self, Config, Exporter};

use super::Peer;
use super::ours::Ours;

pub(super) struct OursExporting {
    ours: Ours,
    /// Runs in the background.
    _exporter: Mutex<Exporter>,
}

impl Peer for OursExporting {
    fn start() -> Self {
        // No program listens at port 1.
        let exporter = otlp::start(&Config::new("http://127.0.0.1:1")).expect("a proper endpoint");
        OursExporting { ours: Ours::start(), _exporter: Mutex::new(exporter) }
    }

    fn trace(&self, spans: usize) {
        self.ours.trace(spans);
    }

    fn settle(&self) {
        self.ours.settle();
    }

    fn kept(&self) -> u64 {
        self.ours.kept()
    }

    fn last(&self) -> Vec<String> {
        self.ours.last()
    }
}
