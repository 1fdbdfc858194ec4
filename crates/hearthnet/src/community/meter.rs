//! Counts of this node since the last tick.

use std::collections::BTreeMap;

use obs_community::{Metric, Share};
use obs_facade::metrics::{NativeBuckets, Registry, SampleValue, SeriesSnapshot};

const REQUESTS: &str = "hearthnet_requests_total";
const DURATIONS: &str = "hearthnet_request_duration_seconds";

/// Reader of the node's own families.
pub(super) struct Meter {
    registry: Registry,
    /// Capabilities of this node. Names that callers invent, and those of other nodes, are not in a share.
    capabilities: Vec<&'static str>,
    last: BTreeMap<&'static str, Counted>,
}

/// Counts since the start of the node.
#[derive(Clone, Debug, Default)]
struct Counted {
    calls: u64,
    failed: u64,
    latency: Option<NativeBuckets>,
}

impl Meter {
    pub(super) fn new(registry: Registry, capabilities: Vec<&'static str>) -> Meter {
        let mut meter = Meter { registry, capabilities, last: BTreeMap::new() };
        meter.last = meter.counted();
        meter
    }

    /// Returns what was counted since the last reading, of the metrics that are consented to.
    pub(super) fn share(&mut self, consented: &[Metric]) -> Share {
        let now = self.counted();
        let mut share = Share::default();
        for (capability, now) in &now {
            let before = self.last.get(capability).cloned().unwrap_or_default();
            let calls = now.calls.saturating_sub(before.calls);
            for metric in consented {
                share = match metric {
                    Metric::Calls => share.calls(capability, calls),
                    Metric::Errors => {
                        share.errors(capability, calls, now.failed.saturating_sub(before.failed))
                    }
                    Metric::Latency => share.latency(capability, &grown(now, &before)),
                    _ => share,
                };
            }
        }
        self.last = now;
        share
    }

    fn counted(&self) -> BTreeMap<&'static str, Counted> {
        let mut counted: BTreeMap<_, _> =
            self.capabilities.iter().map(|name| (*name, Counted::default())).collect();
        for family in self.registry.snapshot(|name, _| matches!(name, REQUESTS | DURATIONS)) {
            for series in &family.series {
                let of_series = series.label("capability").and_then(|name| counted.get_mut(name));
                if let Some(counted) = of_series {
                    counted.add(series);
                }
            }
        }
        counted
    }
}

impl Counted {
    fn add(&mut self, series: &SeriesSnapshot) {
        match &series.value {
            SampleValue::Counter(calls) => {
                let calls = *calls as u64;
                self.calls += calls;
                // A caller that went away says nothing about the node.
                if !matches!(series.label("result"), Some("ok" | "cancelled")) {
                    self.failed += calls;
                }
            }
            SampleValue::Histogram(histogram) => self.latency.clone_from(&histogram.native),
            _ => {}
        }
    }
}

/// Returns the durations that came between two readings.
fn grown(now: &Counted, before: &Counted) -> NativeBuckets {
    let grown = match (&now.latency, &before.latency) {
        // `None` if the histogram has changed its resolution. The tick is without durations then.
        (Some(now), Some(before)) => now.since(before),
        (now, _) => now.clone(),
    };
    grown.unwrap_or_else(|| NativeBuckets::empty(0, 0.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use obs_facade::metrics::standard;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_share_has_what_came_since_the_last_one_and_is_consented_to() {
        let registry = Registry::new();
        let _scope = registry.enter();
        // As a node does. Another test of the process may have ended the admission of other names.
        obs_facade::offer(&["llm.chat", "experimental.echo"]);
        let record = |capability: &str, result: &str| {
            standard::requests_total().with([capability, result]).inc();
            standard::request_duration_ms().with([capability]).observe(Duration::from_millis(100));
        };
        record("llm.chat", "ok");
        let mut meter = Meter::new(registry.clone(), vec!["llm.chat", "experimental.echo"]);
        for (capability, result) in
            [("llm.chat", "ok"), ("llm.chat", "timeout"), ("llm.chat", "cancelled"), ("of.a.peer", "ok")]
        {
            record(capability, result);
        }
        let all = [Metric::Calls, Metric::Errors, Metric::Latency, Metric::Cpu];
        let share = meter.share(&all).to_json();
        assert_eq!(share["calls"], json!({ "llm.chat": 3, "experimental.echo": 0 }));
        assert_eq!(share["errors"], json!({ "llm.chat": [3, 1], "experimental.echo": [0, 0] }));
        assert_eq!(share["latency"]["llm.chat"]["buckets"], json!({ "-3": 3 }), "from 1/16 s to 1/8 s");

        record("llm.chat", "ok");
        let share = meter.share(&[Metric::Calls]).to_json();
        assert_eq!(share["calls"], json!({ "llm.chat": 1, "experimental.echo": 0 }));
        assert_eq!((&share["errors"], &share["latency"]), (&json!({}), &json!({})));
        assert_eq!(meter.share(&[]), Share::default());
    }
}
