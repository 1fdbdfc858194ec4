//! Bucket bounds for a histogram, by what it observes.
//!
//! A histogram takes its bounds when it is declared, and each bucket is a series of its own. Choose the list whose range holds
//! the values, in the unit of the metric's name. An empty list stands for [`DURATION`].
//!
//! ```
//! use std::time::Duration;
//! use obs_metrics::buckets;
//!
//! let registry = obs_metrics::Registry::new();
//! let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], buckets::DURATION);
//! waits.observe_duration(["mail"], Duration::from_millis(12));
//! let bodies = registry.histogram("body_bytes", "Bodies.", [], buckets::BYTES);
//! bodies.observe([], 5_000.0);
//! # let page = registry.render(obs_metrics::Format::Text);
//! # assert!(page.contains("wait_seconds_bucket{queue=\"mail\",le=\"0.025\"} 1"));
//! # assert!(page.contains("body_bytes_bucket{le=\"16384.0\"} 1"), "{page}");
//! ```

/// Seconds from 5 ms to 10 s: requests, look-ups, transfers. The default of a histogram.
pub const DURATION: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Seconds from 10 µs to 100 ms: work in memory, waits for a lock.
pub const SHORT_DURATION: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
];

/// Seconds from 100 ms to 10 minutes: generations, jobs, backups.
pub const LONG_DURATION: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Bytes from 256 B to 64 MiB, four times apart: bodies, messages, files.
pub const BYTES: &[f64] = &[
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Numbers from 1 to 10 000: rows, tokens, items of a batch.
pub const COUNT: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// Shares from 0.1 to 1: hit rates, loads.
pub const RATIO: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    #[test]
    fn every_list_declares_a_histogram() {
        let registry = Registry::new();
        let all = [DURATION, SHORT_DURATION, LONG_DURATION, BYTES, COUNT, RATIO];
        for (number, bounds) in all.into_iter().enumerate() {
            assert!(registry.try_histogram(&format!("h{number}"), "H.", [], bounds).is_ok(), "{bounds:?}");
        }
    }
}
