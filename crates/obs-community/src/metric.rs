//! Metrics to whose sharing an owner may consent.

use crate::band;

/// Metric of a share.
///
/// ```
/// use obs_community::Metric;
///
/// assert_eq!(Metric::named("cpu_pct"), Some(Metric::Cpu));
/// assert_eq!(Metric::Calls.name(), "capability_calls_per_min");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Calls, by capability.
    Calls,
    /// Calls and those that failed, by capability.
    Errors,
    /// Durations of calls, by capability.
    Latency,
    /// Percent of the processor's time that is used.
    Cpu,
    /// Memory that is used, in megabytes.
    MemUsed,
    /// Memory of the machine, in megabytes.
    MemTotal,
    /// Space that is used on the disk of the node, in gigabytes.
    DiskUsed,
    /// Size of the disk of the node, in gigabytes.
    DiskTotal,
    /// Seconds since the node was started.
    Online,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Metric; 9] = [
        Metric::Calls,
        Metric::Errors,
        Metric::Latency,
        Metric::Cpu,
        Metric::MemUsed,
        Metric::MemTotal,
        Metric::DiskUsed,
        Metric::DiskTotal,
        Metric::Online,
    ];

    /// Returns the name of the metric in a configuration, in a share and in a snapshot.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Calls => "capability_calls_per_min",
            Metric::Errors => "error_rate_per_min",
            Metric::Latency => "p95_latency_ms_by_cap",
            Metric::Cpu => "cpu_pct",
            Metric::MemUsed => "mem_used_mb",
            Metric::MemTotal => "mem_total_mb",
            Metric::DiskUsed => "disk_used_gb",
            Metric::DiskTotal => "disk_total_gb",
            Metric::Online => "online_seconds",
        }
    }

    /// Returns the metric of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Returns whether it is one of the machine, and not of each capability.
    #[must_use]
    pub fn is_of_machine(self) -> bool {
        !matches!(self, Metric::Calls | Metric::Errors | Metric::Latency)
    }

    /// Returns the bounds of its bands.
    pub(crate) fn bands(self) -> &'static [u32] {
        match self {
            Metric::Calls => band::CALLS,
            Metric::Errors => band::PERCENT,
            Metric::Latency => band::MILLISECONDS,
            Metric::Cpu => band::LOAD,
            Metric::MemUsed | Metric::MemTotal => band::MEGABYTES,
            Metric::DiskUsed | Metric::DiskTotal => band::GIGABYTES,
            Metric::Online => band::SECONDS,
        }
    }

    /// Returns the highest number that a machine can have.
    pub(crate) fn most(self) -> u64 {
        // Sums of many such numbers are exact as `f64`.
        if self == Metric::Cpu { 100 } else { 1 << 40 }
    }
}
