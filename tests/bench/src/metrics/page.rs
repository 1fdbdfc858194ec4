//! Reads a contender's records back.

use super::Peer;
use super::record::{Op, PAIRS};

/// Tells whether the contender's page shows the records with their labels.
pub(super) fn check<P: Peer>() -> Result<(), String> {
    let page = P::page();
    for op in P::SHOWS {
        let (name, value) = match op {
            Op::Counter | Op::CounterBy => ("calls_total{", "2"),
            Op::Gauge | Op::GaugeBy => ("depth{", "2.5"),
            Op::Histogram | Op::HistogramBy => ("seconds_count{", "2"),
        };
        let shown = page.lines().any(|line| {
            line.starts_with(name)
                && PAIRS[0].iter().all(|label| line.contains(&format!("\"{label}\"")))
                && line.rsplit(' ').next() == Some(value)
        });
        if !shown {
            return Err(format!("no line {name}…}} {value} on this page:\n{page}"));
        }
    }
    Ok(())
}

/// Formats a sample of a contender without a page of its own.
pub(super) fn line(name: &str, value: impl std::fmt::Display) -> String {
    let [capability, result] = PAIRS[0];
    format!("{name}{{capability=\"{capability}\",result=\"{result}\"}} {value}\n")
}
