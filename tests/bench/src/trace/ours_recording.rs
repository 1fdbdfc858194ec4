//! obs-trace with the history of obs-history, which copies each trace into a file.

use obs_history::TraceHistory;
use obs_trace::Store;
use tempfile::TempDir;

use super::Peer;
use super::ours::Ours;

pub(super) struct OursRecording {
    ours: Ours,
    /// Records until it is dropped.
    history: TraceHistory,
    _folder: TempDir,
}

impl Peer for OursRecording {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the file");
        let history = TraceHistory::start(&Store::current(), folder.path(), TraceHistory::DEFAULT_BYTES);
        assert!(history.stats().is_recording, "the file cannot be used");
        OursRecording { ours: Ours::start(), history, _folder: folder }
    }

    fn trace(&self, spans: usize) {
        self.ours.trace(spans);
    }

    fn settle(&self) {
        self.ours.settle();
    }

    fn kept(&self) -> u64 {
        self.ours.kept() - self.history.stats().missed
    }

    fn last(&self) -> Vec<String> {
        self.ours.last()
    }
}
