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

    pub(crate) fn check(&self) -> Result<(), Error> {
        for (field, value, least, most) in [
            ("ring_capacity", self.ring_capacity, 1, 1_000_000),
            ("ring_bytes", self.ring_bytes, 64 << 10, usize::MAX),
            ("max_spans", self.max_spans, 0, SPAN_LIMIT),
            // A cut text ends in an ellipsis of three bytes, so the limit must leave room for text.
            ("max_field_bytes", self.max_field_bytes, 16, 4_096),
            ("max_capabilities", self.max_capabilities, 1, 4_096),
            ("kept_per_capability", self.kept_per_capability, 0, 1_000),
        ] {
            Error::check_range(field, value, least, most, "")?;
        }
        Ok(())
    }
}
