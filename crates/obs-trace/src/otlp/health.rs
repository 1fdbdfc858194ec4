//! What is said about an exporter: that it began to fail, and that it works again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Says each change once, and nothing about a collector that keeps changing.
pub(super) struct Health {
    endpoint: String,
    is_failing: bool,
    /// When the failure was said that goes on, or the last one.
    said: Option<Instant>,
    /// Whether the end of the failure is to be said too.
    owes_recovery: bool,
}

const TARGET: &str = "hearthnet.trace.otlp";
/// At most one line in so long about failures.
const QUIET: Duration = Duration::from_secs(60);

impl Health {
    pub(super) fn new(endpoint: String) -> Health {
        Health { endpoint, is_failing: false, said: None, owes_recovery: false }
    }

    pub(super) fn fails(&mut self, why: &str) {
        let is_new = !std::mem::replace(&mut self.is_failing, true);
        if is_new && self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            self.said = Some(Instant::now());
            self.owes_recovery = true;
            say(|| {
                log::warn!(
                    target: TARGET, endpoint = self.endpoint, reason = why;
                    "traces cannot be exported; they stay on this node"
                );
            });
        }
    }

    pub(super) fn works(&mut self) {
        self.is_failing = false;
        if std::mem::take(&mut self.owes_recovery) {
            say(|| log::info!(target: TARGET, endpoint = self.endpoint; "traces are exported again"));
        }
    }
}

/// A logger that panics must not end the export.
fn say(line: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(line));
}
