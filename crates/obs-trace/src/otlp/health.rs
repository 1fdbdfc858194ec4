//! What is said about an exporter: that it began to fail, and that it works again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Says each change once, and little about a collector that keeps changing.
pub(super) struct Health {
    endpoint: String,
    /// When a failure was last said.
    said: Option<Instant>,
    /// Whether that failure goes on, so that its end is to be said too.
    goes_on: bool,
}

const TARGET: &str = "hearthnet.trace.otlp";
/// At most one failure in so long is said.
const QUIET: Duration = Duration::from_secs(60);

impl Health {
    pub(super) fn new(endpoint: String) -> Health {
        Health { endpoint, said: None, goes_on: false }
    }

    pub(super) fn fails(&mut self, why: &str) {
        if !self.goes_on && self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            (self.said, self.goes_on) = (Some(Instant::now()), true);
            say(|| {
                log::warn!(
                    target: TARGET, endpoint = self.endpoint, reason = why;
                    "traces cannot be exported; they stay on this node"
                );
            });
        }
    }

    pub(super) fn works(&mut self) {
        if std::mem::take(&mut self.goes_on) {
            say(|| log::info!(target: TARGET, endpoint = self.endpoint; "traces are exported again"));
        }
    }
}

/// A logger that panics must not end the export.
fn say(line: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(line));
}
