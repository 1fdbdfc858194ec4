//! Figures in the text format of Prometheus.

use std::fmt::Write as _;

use crate::community::Figures;
use crate::metric::Metric;

/// Returns the page. The value of a sample is the lower bound of its band.
pub(crate) fn text(figures: &Figures) -> String {
    let mut page = String::new();
    for metric in Metric::ALL {
        let (name, help) = family(metric);
        let of_metric = figures.iter().filter(|((own, _), _)| *own == metric);
        let mut bands =
            of_metric.filter_map(|((_, capability), sum)| Some((capability, sum.band(metric)?))).peekable();
        if bands.peek().is_some() {
            // Writing to a string does not fail.
            let _ = writeln!(
                page,
                "# HELP {name} {help}, of at least three nodes: lower bound of its band.\n# TYPE {name} gauge"
            );
        }
        for (capability, band) in bands {
            // The name of a capability has no character that needs an escape (`share.rs`).
            let _ = match metric.is_of_machine() {
                true => writeln!(page, "{name}{{band=\"{band}\"}} {}", band.lower),
                false => {
                    writeln!(page, "{name}{{capability=\"{capability}\",band=\"{band}\"}} {}", band.lower)
                }
            };
        }
    }
    page
}

/// Returns the name of the family and the beginning of its help.
fn family(metric: Metric) -> (&'static str, &'static str) {
    match metric {
        Metric::Calls => ("hearthnet_community_calls_per_minute", "Calls a minute"),
        Metric::Errors => ("hearthnet_community_failed_calls_percent", "Percent of calls that failed"),
        Metric::Latency => {
            ("hearthnet_community_p95_latency_ms", "95th percentile of durations in milliseconds")
        }
        Metric::Cpu => ("hearthnet_community_cpu_percent", "Mean percent of the processor that is used"),
        Metric::MemUsed => {
            ("hearthnet_community_memory_used_megabytes", "Mean memory that is used in megabytes")
        }
        Metric::MemTotal => ("hearthnet_community_memory_total_megabytes", "Mean memory in megabytes"),
        Metric::DiskUsed => {
            ("hearthnet_community_disk_used_gigabytes", "Mean space used on the disk in gigabytes")
        }
        Metric::DiskTotal => {
            ("hearthnet_community_disk_total_gigabytes", "Mean size of the disk in gigabytes")
        }
        Metric::Online => {
            ("hearthnet_community_online_seconds", "Mean time since the start of a node in seconds")
        }
    }
}
