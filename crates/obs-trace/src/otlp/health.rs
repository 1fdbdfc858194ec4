//! What is said about an exporter: that it began to fail, and that it works again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Says each change of state once, and of a collector that keeps changing only how often it did.
///
/// The last state that a reader of the log has seen is always the true one in the end: a change that was not said
/// in time is said as soon as [`due`](Health::due) allows it.
pub(super) struct Health {
    endpoint: String,
    is_failing: bool,
    /// The state that the last line told of.
    said_failing: bool,
    /// Why the last request failed.
    why: String,
    /// Changes that no line tells of yet.
    unsaid: u64,
    budget: Budget,
    /// What had been lost when a request last went well.
    lost_before: Lost,
    lost: Lost,
    remark: Option<String>,
    remarks: Budget,
}

/// What no collector has, in all since the exporter was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Given up, or refused by a full queue.
    pub(super) traces: u64,
    /// Taken and rejected.
    pub(super) spans: u64,
}

const TARGET: &str = "hearthnet.trace.otlp";
const PERIOD: Duration = Duration::from_secs(60);
/// Changes of state that are said in a period: five outages and their ends.
const CHANGES: u32 = 10;
const REMARKS: u32 = 1;

impl Health {
    pub(super) fn new(endpoint: String) -> Health {
        Health {
            endpoint,
            is_failing: false,
            said_failing: false,
            why: String::new(),
            unsaid: 0,
            budget: Budget::new(CHANGES),
            lost_before: Lost::default(),
            lost: Lost::default(),
            remark: None,
            remarks: Budget::new(REMARKS),
        }
    }

    /// A request has failed.
    pub(super) fn fails(&mut self, why: &str, now: Instant) {
        if !self.is_failing {
            why.clone_into(&mut self.why);
        }
        self.turn(true, now);
    }

    /// A request went well; `lost` is the sum so far.
    pub(super) fn works(&mut self, lost: Lost, now: Instant) {
        if self.is_failing {
            self.lost.traces += lost.traces - self.lost_before.traces;
            self.lost.spans += lost.spans - self.lost_before.spans;
        }
        self.lost_before = lost;
        self.turn(false, now);
    }

    /// When to call [`catch_up`](Health::catch_up), if something is left to say.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.unsaid > 0).then(|| self.budget.renewed_at())
    }

    /// Says what is left to say, if it is time.
    pub(super) fn catch_up(&mut self, now: Instant) {
        if self.unsaid > 0 && self.budget.take(now) {
            self.say_state();
        }
    }

    /// Says what is left to say before nothing more can be.
    pub(super) fn end(&mut self) {
        if self.unsaid > 0 {
            self.say_state();
        }
    }

    /// Mentions what a collector says or does beside taking the spans; the same words once.
    pub(super) fn remarks(&mut self, remark: &str, now: Instant) {
        if self.remark.as_deref() != Some(remark) && self.remarks.take(now) {
            self.remark = Some(remark.to_owned());
            say(
                || log::warn!(target: TARGET, endpoint = self.endpoint, reason = remark; "the collector has a remark"),
            );
        }
    }

    fn turn(&mut self, is_failing: bool, now: Instant) {
        if self.is_failing != is_failing {
            self.is_failing = is_failing;
            self.unsaid += 1;
        }
        self.catch_up(now);
    }

    fn say_state(&mut self) {
        // Beside the change that the line itself tells of.
        let more = self.unsaid - u64::from(self.is_failing != self.said_failing);
        (self.unsaid, self.said_failing) = (0, self.is_failing);
        let (endpoint, why) = (&self.endpoint, &self.why);
        match (self.is_failing, more) {
            (true, 0) => say(|| {
                log::warn!(
                    target: TARGET, endpoint = endpoint, reason = why;
                    "traces cannot be exported; they stay on this node"
                );
            }),
            (true, more) => say(|| {
                log::warn!(
                    target: TARGET, endpoint = endpoint, reason = why, more_changes = more;
                    "traces cannot be exported; they stay on this node"
                );
            }),
            (false, more) => {
                let lost = std::mem::take(&mut self.lost);
                say(|| {
                    log::info!(
                        target: TARGET, endpoint = endpoint, lost_traces = lost.traces,
                        rejected_spans = lost.spans, more_changes = more; "traces are exported again"
                    );
                });
            }
        }
    }
}

/// So many lines in a period.
struct Budget {
    size: u32,
    used: u32,
    since: Option<Instant>,
}

impl Budget {
    fn new(size: u32) -> Budget {
        Budget { size, used: 0, since: None }
    }

    fn take(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            (self.since, self.used) = (Some(now), 0);
        }
        self.used += 1;
        self.used <= self.size
    }

    fn renewed_at(&self) -> Instant {
        self.since.map_or_else(Instant::now, |since| since + PERIOD)
    }
}

/// A logger that panics must not end the export.
fn say(line: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(line));
}
