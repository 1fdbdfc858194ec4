//! State of the machine at a tick.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use obs_community::{Metric, Share};
use sysinfo::System;
use tokio::task::spawn_blocking;

use crate::config::Config;
use crate::status::LogDisk;

const MEGABYTE: u64 = 1_000_000;
const GIGABYTE: u64 = 1_000_000_000;

/// Reader of the machine's state.
pub(super) struct Machine {
    system: Arc<Mutex<System>>,
    disk: LogDisk,
    started: Instant,
}

impl Machine {
    pub(super) fn new(config: &Config) -> Machine {
        let mut system = System::new();
        // The use of the processor is the difference between two readings. This is the first one.
        system.refresh_cpu_usage();
        Machine {
            system: Arc::new(Mutex::new(system)),
            disk: LogDisk::new(config.observability.log_dir()),
            started: Instant::now(),
        }
    }

    /// Adds the metrics that are consented to. One that cannot be read is left out.
    pub(super) async fn add_to(&self, share: Share, consented: &[Metric]) -> Share {
        let wanted: Vec<Metric> = consented.iter().copied().filter(|metric| metric.is_of_machine()).collect();
        if wanted.is_empty() {
            return share;
        }
        let disk = self.disk.space().await;
        let system = self.system.clone();
        let Ok((cpu, used, total)) = spawn_blocking(move || look(&system)).await else { return share };
        let level = |metric: Metric| match metric {
            // Rounded by the cast, which has no other effect on a percentage.
            Metric::Cpu => Some(cpu.round() as u64),
            Metric::MemUsed => Some(used / MEGABYTE),
            Metric::MemTotal => Some(total / MEGABYTE),
            Metric::DiskUsed => disk.map(|space| space.total.saturating_sub(space.free) / GIGABYTE),
            Metric::DiskTotal => disk.map(|space| space.total / GIGABYTE),
            Metric::Online => Some(self.started.elapsed().as_secs()),
            Metric::Calls | Metric::Errors | Metric::Latency => None,
        };
        wanted.into_iter().fold(share, |share, metric| match level(metric) {
            Some(level) => share.machine(metric, level),
            None => share,
        })
    }
}

/// Returns the percent of the processor since the last look, and the bytes of memory that are used and that there are.
fn look(system: &Mutex<System>) -> (f32, u64, u64) {
    let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
    system.refresh_cpu_usage();
    system.refresh_memory();
    (system.global_cpu_usage(), system.used_memory(), system.total_memory())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::paths::Paths;

    #[tokio::test]
    async fn a_share_has_the_metrics_of_the_machine_that_are_consented_to() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        std::fs::write(&file, format!("observability.log_dir = {:?}\n", home.path())).unwrap();
        let machine = Machine::new(&Config::load(Some(&file), &Paths::under(home.path())).unwrap());
        let share = machine.add_to(Share::default(), &Metric::ALL).await.to_json();
        let of = |metric: Metric| share["machine"][metric.name()].as_u64();
        assert!(of(Metric::Cpu).unwrap() <= 100);
        assert!((1..=of(Metric::MemTotal).unwrap()).contains(&of(Metric::MemUsed).unwrap()));
        assert!(of(Metric::DiskUsed).unwrap() <= of(Metric::DiskTotal).unwrap());
        assert!(of(Metric::Online).unwrap() < 3_600);
        let share = machine.add_to(Share::default(), &[Metric::Calls, Metric::MemTotal]).await.to_json();
        assert_eq!(share["machine"].as_object().unwrap().len(), 1);
        assert_eq!(machine.add_to(Share::default(), &[Metric::Calls]).await, Share::default());
    }
}
