//! tracing with obs-tracing: spans of tracing in a trace of obs-trace.

use std::sync::OnceLock;

use super::measure::time;
use super::{Peer, ours::Ours, tracing_spans};

pub(super) struct TracingBridge;

impl Peer for TracingBridge {
    fn start() -> Self {
        // The levels of the log are those of the spans. The line of a trace is off, as it is for obs-trace alone.
        static LOG: OnceLock<(tempfile::TempDir, obs_log::Guard)> = OnceLock::new();
        LOG.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder for the log");
            let config = obs_log::Config::new(folder.path()).level("info,hearthnet.trace=off");
            let guard = obs_log::configure(&config).expect("the log is configured");
            (folder, guard)
        });
        obs_tracing::configure(&obs_tracing::Config::new()).expect("no other dispatcher is installed");
        TracingBridge
    }

    fn trace(&self, spans: usize) {
        obs_trace::new_trace("root").run(|| tracing_spans::steps(spans));
    }

    fn settle(&self) {
        Ours.settle();
    }

    fn kept(&self) -> u64 {
        Ours.kept()
    }

    fn last(&self) -> Vec<String> {
        Ours.last()
    }

    fn without_trace() -> Option<f64> {
        Self::start();
        Some(time(1_000_000, || drop(tracing::info_span!("step").entered())))
    }
}
