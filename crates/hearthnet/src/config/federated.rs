//! Section `[observability.federated]`.

use std::time::Duration;

use obs_community::Metric;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value;

/// Section `[observability.federated]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FederatedSection {
    pub(crate) enabled: bool,
    /// Node that collects, and the only one that gets this node's shares. Absent: this node collects.
    #[serde(deserialize_with = "value::community_id")]
    pub(crate) aggregator: Option<String>,
    #[serde(deserialize_with = "value::seconds")]
    pub(crate) metrics_tick_seconds: Duration,
    /// Least number of nodes behind a figure.
    #[serde(deserialize_with = "value::min_nodes")]
    pub(crate) aggregation_min_nodes: usize,
    pub(crate) consent: ConsentSection,
}

impl Default for FederatedSection {
    fn default() -> FederatedSection {
        FederatedSection {
            // Nothing is shared until its owner says so.
            enabled: false,
            aggregator: None,
            metrics_tick_seconds: Duration::from_secs(60),
            aggregation_min_nodes: 3,
            consent: ConsentSection::default(),
        }
    }
}

/// Section `[observability.federated.consent]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConsentSection {
    pub(crate) publish_to_community: PublishSection,
    /// Metrics of the first list whose figures may also be published outside of the community.
    pub(crate) publish_to_federated: PublishSection,
}

/// Section `[observability.federated.consent.publish_to_community]`, and the same for `publish_to_federated`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PublishSection {
    pub(crate) metrics: Vec<Consented>,
}

/// Metric to whose sharing the owner may consent.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consented {
    CapabilityCallsPerMin,
    ErrorRatePerMin,
    P95LatencyMsByCap,
    CpuPct,
    MemUsedMb,
    MemTotalMb,
    DiskUsedGb,
    DiskTotalGb,
    OnlineSeconds,
    // This version does not read graphics processors. A file that names them is right all the same.
    GpuPct,
    GpuMemUsedMb,
}

impl Consented {
    /// Returns the metric of a share. `None` for one that this version does not share.
    pub(crate) fn metric(self) -> Option<Metric> {
        match self {
            Consented::CapabilityCallsPerMin => Some(Metric::Calls),
            Consented::ErrorRatePerMin => Some(Metric::Errors),
            Consented::P95LatencyMsByCap => Some(Metric::Latency),
            Consented::CpuPct => Some(Metric::Cpu),
            Consented::MemUsedMb => Some(Metric::MemUsed),
            Consented::MemTotalMb => Some(Metric::MemTotal),
            Consented::DiskUsedGb => Some(Metric::DiskUsed),
            Consented::DiskTotalGb => Some(Metric::DiskTotal),
            Consented::OnlineSeconds => Some(Metric::Online),
            Consented::GpuPct | Consented::GpuMemUsedMb => None,
        }
    }
}

/// The section with its path in the file, which errors name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Below {
    pub(super) observability: Observability,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Observability {
    pub(super) federated: FederatedSection,
}

/// Moves the section out of `document` into a document of its own, under the same path.
pub(super) fn part<'a>(document: &mut DeTable<'a>) -> Spanned<DeTable<'a>> {
    let mut part = DeTable::new();
    if let Some(observability) = document.get_mut("observability")
        && let span = observability.span()
        && let DeValue::Table(table) = observability.get_mut()
        && let Some((key, federated)) = table.remove_entry("federated")
    {
        let below = DeTable::from_iter([(key, federated)]);
        part.insert(
            Spanned::new(span.clone(), "observability".into()),
            Spanned::new(span, DeValue::Table(below)),
        );
    }
    Spanned::new(0..0, part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::paths::Paths;

    fn read(text: &str) -> Result<FederatedSection, String> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file), &Paths::under(home.path()));
        config.map(|config| config.federated).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn nothing_is_shared_unless_the_file_says_so() {
        for text in ["", "[observability.federated]", "[observability.federated]\nenabled = true"] {
            let section = read(text).unwrap();
            assert!(section.consent.publish_to_community.metrics.is_empty(), "{text}");
            assert_eq!(section.aggregation_min_nodes, 3);
            assert_eq!(section.enabled, text.contains("true"));
        }
        let text = "[observability.federated.consent.publish_to_community]\nmetrics = [\"error_rate_per_min\", \"cpu_pct\"]";
        let metrics = read(text).unwrap().consent.publish_to_community.metrics;
        assert_eq!(metrics, [Consented::ErrorRatePerMin, Consented::CpuPct]);
    }

    #[test]
    fn each_metric_has_the_name_of_its_share() {
        for metric in Metric::ALL {
            let text = format!(
                "[observability.federated.consent.publish_to_federated]\nmetrics = [\"{}\", \"gpu_pct\"]",
                metric.name()
            );
            let metrics = read(&text).unwrap().consent.publish_to_federated.metrics;
            let metrics: Vec<_> = metrics.into_iter().map(Consented::metric).collect();
            assert_eq!(metrics, [Some(metric), None]);
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_place() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let message = read(&format!("[observability.federated]\n{line}")).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        check("aggregation_min_nodes = 2", ":2:25: observability.federated.aggregation_min_nodes: ");
        check("aggregation_min_nodes = 2", "nodes from 3 to 64");
        check("metrics_tick_seconds = 0", "seconds from 1 to 3600");
        check("aggregator = \"bob\"", "observability.federated.aggregator");
        check("consent.publish_to_community.metrics = [\"cpu\"]", "capability_calls_per_min");
        check("consent.publish_to_community.metric = []", "did you mean `metrics`?");
        check("consent = true", "it is a section and not a value");
    }
}
