//! Limits of a store.

use crate::Error;
use crate::record::SPAN_LIMIT;

/// Limits of a [`Store`](crate::Store). The defaults suit a node.
///
/// ```
/// let config = obs_trace::Config::default().ring_capacity(500).max_spans(32);
/// obs_trace::configure(&config)?;
/// # Ok::<(), obs_trace::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a configuration has no effect until it is passed to `configure` or `Store::new`"]
pub struct Config {
    pub(crate) ring_capacity: usize,
    pub(crate) ring_bytes: usize,
    pub(crate) max_spans: usize,
    pub(crate) max_field_bytes: usize,
    pub(crate) max_capabilities: usize,
    pub(crate) kept_per_capability: usize,
    pub(crate) kept_failed: usize,
    pub(crate) blocked_worker_ms: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            ring_capacity: 10_000,
            // A trace of ten spans takes 0.6 KiB to 2.7 KiB, so the capacity is reached first as a rule.
            ring_bytes: 64 << 20,
            max_spans: SPAN_LIMIT,
            max_field_bytes: 256,
            max_capabilities: 64,
            kept_per_capability: 10,
            // Failures of a bad hour. Of a node that answers a call a second, it is half an hour in which all calls fail.
            kept_failed: 2_048,
            // A worker that does nothing else for so long delays all other tasks noticeably. A hundredth of it would be
            // good style, and would make every file access a warning.
            blocked_worker_ms: 10,
        }
    }
}

impl Config {
    /// Sets the number of completed traces in the ring. 10 000 by default, 1 to 1 000 000.
    pub fn ring_capacity(mut self, traces: usize) -> Config {
        self.ring_capacity = traces;
        self
    }

    /// Sets the bytes that the traces in the ring may take together. The oldest are evicted beyond it. 64 MiB by default,
    /// at least 64 KiB.
    pub fn ring_bytes(mut self, bytes: usize) -> Config {
        self.ring_bytes = bytes;
        self
    }

    /// Sets the number of spans that a trace keeps. Further ones are counted. 128 by default, at most 128.
    pub fn max_spans(mut self, spans: usize) -> Config {
        self.max_spans = spans;
        self
    }

    /// Sets the length in bytes at which the text of a field is cut. 256 by default, 16 to 4 096.
    pub fn max_field_bytes(mut self, bytes: usize) -> Config {
        self.max_field_bytes = bytes;
        self
    }

    /// Sets the number of capabilities whose errors and slowest traces are kept beside the ring. Further capabilities
    /// share one place. 64 by default, 1 to 4 096.
    pub fn max_capabilities(mut self, capabilities: usize) -> Config {
        self.max_capabilities = capabilities;
        self
    }

    /// Sets the number of errors, and the number of slowest traces, that are kept for a capability. 10 by default, at
    /// most 1 000.
    pub fn kept_per_capability(mut self, traces: usize) -> Config {
        self.kept_per_capability = traces;
        self
    }

    /// Sets the number of traces that are kept beside the ring because a part of them failed: as many that failed here, in
    /// shares of their capabilities, and as many that peers [marked](crate::Store::mark), in shares of the peers. The shares
    /// of a capability are two: faults of the node, and mistakes of callers. 2 048 by default, at most 100 000. Each of the
    /// two takes at most an eighth of [`ring_bytes`](Config::ring_bytes).
    ///
    /// With a [`kept_per_capability`](Config::kept_per_capability) of 0, only marked traces are kept.
    pub fn kept_failed(mut self, traces: usize) -> Config {
        self.kept_failed = traces;
        self
    }

    /// Sets the milliseconds for which a poll in a trace may hold its worker. 10 by default, 1 to 60 000, or 0 to measure no
    /// polls.
    ///
    /// A longer poll is counted in [`Stats::blocked_polls`](crate::Stats::blocked_polls), noted on its span in the field
    /// `blocked_ms`, and told to the [observer](crate::set_blocked_observer) or logged. See
    /// [Blocked workers](crate#blocked-workers).
    pub fn blocked_worker_ms(mut self, ms: usize) -> Config {
        self.blocked_worker_ms = ms;
        self
    }

    /// Checks the limits without applying them.
    ///
    /// # Errors
    /// A limit is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        for (field, value, least, most) in [
            ("ring_capacity", self.ring_capacity, 1, 1_000_000),
            ("ring_bytes", self.ring_bytes, 64 << 10, usize::MAX),
            ("max_spans", self.max_spans, 0, SPAN_LIMIT),
            // A cut text ends in an ellipsis of three bytes, so the limit must leave room for text.
            ("max_field_bytes", self.max_field_bytes, 16, 4_096),
            ("max_capabilities", self.max_capabilities, 1, 4_096),
            ("kept_per_capability", self.kept_per_capability, 0, 1_000),
            ("kept_failed", self.kept_failed, 0, 100_000),
        ] {
            Error::check_range(field, value, least, most, "")?;
        }
        if self.blocked_worker_ms != 0 {
            Error::check_range("blocked_worker_ms", self.blocked_worker_ms, 1, 60_000, " ms")
                .map_err(|error| error.or_off())?;
        }
        Ok(())
    }
}
