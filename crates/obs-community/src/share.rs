//! Share that a node gives at a tick.

use std::collections::{BTreeMap, BTreeSet};

use obs_metrics::NativeBuckets;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metric::Metric;
use crate::sample::Sample;

/// Maximum number of capabilities in a share, which is that of a manifest.
const MAX_CAPABILITIES: usize = 64;
/// Maximum length of a capability's name, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// Maximum number of calls in a tick. Sums of many such shares are exact as `f64`.
const MAX_CALLS: u64 = 1 << 40;
/// Highest and, below zero, lowest index of a bucket: from 2^-30 s, a nanosecond, to 2^30 s.
const MAX_INDEX: i32 = 30;

/// Counts of a node since the last tick, by capability, and the state of its machine. Its owner has consented to each metric. A
/// share does not name the node.
///
/// ```
/// use obs_community::{Metric, Share};
///
/// let share = Share::default().calls("llm.chat", 17).errors("llm.chat", 17, 2).machine(Metric::Cpu, 40);
/// assert_eq!(Share::read(&share.to_json()), Ok(share));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// The name of a metric of the machine is empty.
    samples: BTreeMap<(Metric, String), Sample>,
    /// Metrics that may be in figures for others than the community.
    federated: BTreeSet<Metric>,
}

impl Share {
    /// Adds the number of calls. A name that a share cannot have is left out here and below.
    #[must_use]
    pub fn calls(self, capability: &str, calls: u64) -> Share {
        self.with(Metric::Calls, capability, Sample::Calls(calls.min(MAX_CALLS)))
    }

    /// Adds the number of calls, and of those that failed.
    #[must_use]
    pub fn errors(self, capability: &str, calls: u64, failed: u64) -> Share {
        let calls = calls.min(MAX_CALLS);
        self.with(Metric::Errors, capability, Sample::Errors { calls, failed: failed.min(calls) })
    }

    /// Adds durations in seconds. The share has buckets of the schema 0, whose bounds are powers of two, whatever `buckets` has.
    #[must_use]
    pub fn latency(self, capability: &str, buckets: &NativeBuckets) -> Share {
        let mut coarse = NativeBuckets::empty(0, 0.0);
        coarse.merge(buckets);
        let mut kept = NativeBuckets::empty(0, 0.0);
        // A duration is not negative. One outside the indexes is as good as at their end.
        kept.zero = coarse.zero;
        for (index, count) in coarse.positive {
            let kept = kept.positive.entry(index.clamp(-MAX_INDEX, MAX_INDEX)).or_default();
            *kept = kept.saturating_add(count).min(MAX_CALLS);
        }
        self.with(Metric::Latency, capability, Sample::Latency(kept))
    }

    /// Adds a metric of the machine, in the unit of its name. One of capabilities is left out.
    #[must_use]
    pub fn machine(mut self, metric: Metric, level: u64) -> Share {
        if metric.is_of_machine() {
            self.samples.insert((metric, String::new()), Sample::Level(level.min(metric.most())));
        }
        self
    }

    /// Sets the metrics to whose publication outside of the community the owner consents, too.
    #[must_use]
    pub fn federated(mut self, metrics: impl IntoIterator<Item = Metric>) -> Share {
        self.federated = metrics.into_iter().collect();
        self
    }

    fn with(mut self, metric: Metric, capability: &str, sample: Sample) -> Share {
        if is_capability(capability) {
            self.samples.insert((metric, capability.to_owned()), sample);
        }
        self
    }

    /// Returns the share as JSON, which [`Share::read`] reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let federated = self.federated.iter().map(|metric| metric.name().to_owned()).collect();
        let mut wire = Wire { federated, ..Wire::default() };
        for ((metric, capability), sample) in &self.samples {
            let name = capability.clone();
            match sample {
                Sample::Calls(calls) => drop(wire.calls.insert(name, *calls)),
                Sample::Errors { calls, failed } => drop(wire.errors.insert(name, (*calls, *failed))),
                Sample::Latency(buckets) => {
                    let latency = Latency { zero: buckets.zero, buckets: buckets.positive.clone() };
                    drop(wire.latency.insert(name, latency));
                }
                Sample::Level(level) => drop(wire.machine.insert(metric.name().to_owned(), *level)),
            }
        }
        // Maps of texts and numbers have a form in JSON.
        serde_json::to_value(wire).unwrap_or_default()
    }

    /// Reads the share of another node, which is not trusted. Fields that it does not know are passed over.
    ///
    /// # Errors
    /// If a field has another type, a name has another form, or a number is out of its bounds.
    pub fn read(json: &Value) -> Result<Share, Refusal> {
        // serde would take a list for the fields in their order.
        if !json.is_object() {
            return Err(Refusal("it is not an object"));
        }
        let wire = Wire::deserialize(json).map_err(|_| Refusal("a field has the wrong type"))?;
        let names = wire.calls.keys().chain(wire.errors.keys()).chain(wire.latency.keys());
        if !names.clone().all(|name| is_capability(name)) {
            return Err(Refusal("a name is not that of a capability"));
        }
        if [wire.calls.len(), wire.errors.len(), wire.latency.len()].iter().any(|len| *len > MAX_CAPABILITIES)
        {
            return Err(Refusal("it has too many capabilities"));
        }
        let mut samples = BTreeMap::new();
        for (name, calls) in wire.calls {
            samples.insert((Metric::Calls, name), Sample::Calls(bounded(calls)?));
        }
        for (name, (calls, failed)) in wire.errors {
            if failed > calls {
                return Err(Refusal("more calls failed than there were"));
            }
            samples.insert((Metric::Errors, name), Sample::Errors { calls: bounded(calls)?, failed });
        }
        for (name, latency) in wire.latency {
            samples.insert((Metric::Latency, name), Sample::Latency(latency.read()?));
        }
        // Metrics of a later version are passed over here and below.
        for (name, level) in wire.machine {
            let Some(metric) = Metric::named(&name) else { continue };
            if !metric.is_of_machine() || level > metric.most() {
                return Err(Refusal("a number is out of range"));
            }
            samples.insert((metric, String::new()), Sample::Level(level));
        }
        Ok(Share {
            samples,
            federated: wire.federated.iter().filter_map(|name| Metric::named(name)).collect(),
        })
    }

    /// Returns the metric, capability and sample of each part, and whether it may be in figures for others than the community.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (Metric, &str, &Sample, bool)> {
        let is_federated = |metric| self.federated.contains(metric);
        self.samples.iter().map(move |((metric, capability), sample)| {
            (*metric, capability.as_str(), sample, is_federated(metric))
        })
    }
}

/// Reason for which a share is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(&'static str);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refusal {}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Wire {
    calls: BTreeMap<String, u64>,
    /// Calls, and those that failed.
    errors: BTreeMap<String, (u64, u64)>,
    latency: BTreeMap<String, Latency>,
    machine: BTreeMap<String, u64>,
    /// Names of metrics.
    federated: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Latency {
    zero: u64,
    /// Counts by the index of the bucket, which ends at 2^index seconds.
    buckets: BTreeMap<i32, u64>,
}

impl Latency {
    fn read(self) -> Result<NativeBuckets, Refusal> {
        if self.buckets.keys().any(|index| !(-MAX_INDEX..=MAX_INDEX).contains(index)) {
            return Err(Refusal("a bucket is out of range"));
        }
        let mut read = NativeBuckets::empty(0, 0.0);
        read.zero = bounded(self.zero)?;
        for (index, count) in self.buckets {
            read.positive.insert(index, bounded(count)?);
        }
        Ok(read)
    }
}

fn bounded(calls: u64) -> Result<u64, Refusal> {
    if calls > MAX_CALLS { Err(Refusal("a number is out of range")) } else { Ok(calls) }
}

fn is_capability(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_share_is_read_as_it_was_written_and_is_small() {
        let mut buckets = NativeBuckets::empty(3, 1e-9);
        buckets.zero = 1;
        buckets.positive.extend([(-25, 3), (-24, 4), (0, 9), (7, 1), (8, 1), (i32::MAX, 2)]);
        let share =
            Share::default().calls("a", 20).errors("a", 20, 3).latency("a", &buckets).calls("a\"b", 7);
        let share = share.machine(Metric::MemUsed, 900).machine(Metric::Cpu, 101).machine(Metric::Calls, 7);
        let share = share.federated([Metric::Cpu]);
        let json = share.to_json();
        assert_eq!(Share::read(&json), Ok(share));
        let expected = json!({ "zero": 1, "buckets": { "-3": 7, "0": 9, "1": 2, "30": 2 } });
        assert_eq!(json["latency"]["a"], expected, "powers of two");
        assert_eq!(json["calls"], json!({ "a": 20 }));
        assert_eq!(json["machine"], json!({ "cpu_pct": 100, "mem_used_mb": 900 }));
        assert_eq!(json["federated"], json!(["cpu_pct"]));
        assert!(json.to_string().len() < 500);
    }

    #[test]
    fn what_a_hostile_node_gives_is_refused() {
        let many: BTreeMap<String, u64> = (0..65).map(|name| (name.to_string(), 1)).collect();
        for hostile in [
            json!(null),
            json!([]),
            json!({ "calls": 7 }),
            json!({ "calls": { "a": -1 } }),
            json!({ "calls": { "a": 1.5 } }),
            json!({ "calls": { "a": u64::MAX } }),
            json!({ "calls": { "a\"} 1\nb": 1 } }),
            json!({ "calls": { "": 1 } }),
            json!({ "calls": { "a".repeat(129): 1 } }),
            json!({ "calls": many }),
            json!({ "errors": { "a": [1, 2] } }),
            json!({ "errors": { "a": [u64::MAX, 2] } }),
            json!({ "latency": { "a": { "buckets": { "31": 1 } } } }),
            json!({ "latency": { "a": { "buckets": { "x": 1 } } } }),
            json!({ "latency": { "a": { "buckets": { "0": u64::MAX } } } }),
            json!({ "latency": { "a": { "zero": u64::MAX } } }),
            json!({ "machine": { "cpu_pct": 101 } }),
            json!({ "machine": { "cpu_pct": -1 } }),
            json!({ "machine": { "mem_used_mb": u64::MAX } }),
            json!({ "machine": { "mem_used_mb": 1e300 } }),
            json!({ "machine": { "capability_calls_per_min": 1 } }),
            json!({ "federated": "all" }),
            json!({ "federated": [7] }),
        ] {
            assert!(Share::read(&hostile).is_err(), "{hostile}");
        }
        let later = json!({ "of_a_later_version": 7, "machine": { "gpu_pct": 7 }, "federated": ["gpu_pct"] });
        assert_eq!(Share::read(&later), Ok(Share::default()));
    }
}
