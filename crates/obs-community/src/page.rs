//! Figures in the text format of Prometheus.

use std::fmt::Write as _;

use crate::community::Figures;
use crate::sample::Metric;

/// Returns the page. The value of a sample is the lower bound of its band.
pub(crate) fn text(figures: &Figures) -> String {
    let mut page = String::new();
    for metric in Metric::ALL {
        let (name, help) = match metric {
            Metric::Calls => ("hearthnet_community_calls_per_minute", "Calls a minute"),
            Metric::Errors => ("hearthnet_community_failed_calls_percent", "Percent of calls that failed"),
            Metric::Latency => {
                ("hearthnet_community_p95_latency_ms", "95th percentile of durations in milliseconds")
            }
        };
        let mut of_metric = figures.iter().filter(|((own, _), _)| *own == metric).peekable();
        if of_metric.peek().is_some() {
            // Writing to a string does not fail.
            let _ = writeln!(
                page,
                "# HELP {name} {help}, of at least three nodes: lower bound of its band.\n# TYPE {name} gauge"
            );
        }
        for ((_, capability), band) in of_metric {
            // The name of a capability has no character that needs an escape (`share.rs`).
            let _ = writeln!(page, "{name}{{capability=\"{capability}\",band=\"{band}\"}} {}", band.lower);
        }
    }
    page
}
