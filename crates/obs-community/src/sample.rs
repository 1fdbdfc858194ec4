//! One metric in a share.

use obs_metrics::NativeBuckets;

/// One metric of a node at a tick: counts since the last one, or a level.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sample {
    Calls(u64),
    Errors {
        calls: u64,
        failed: u64,
    },
    /// Seconds, in buckets of the schema 0.
    Latency(NativeBuckets),
    /// Level of a machine, such as the memory that is used.
    Level(u64),
}

impl Sample {
    /// Returns the number of calls behind the sample, or its level. `None` without calls.
    pub(crate) fn weight(&self) -> Option<u64> {
        match self {
            Sample::Calls(calls) | Sample::Errors { calls, .. } => Some(*calls).filter(|calls| *calls > 0),
            Sample::Latency(buckets) => Some(buckets.count()).filter(|count| *count > 0),
            // A machine that does nothing counts.
            Sample::Level(level) => Some(*level),
        }
    }
}
