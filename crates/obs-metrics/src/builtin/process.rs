//! What the process itself uses, read by `sysinfo` when the page is asked for, and what it was built from (M9).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::builtin::start_time;
use crate::error::Error;
use crate::family::desc::Kind;
use crate::registry::Registry;
use crate::registry::collector::Samples;

/// One reading serves all families of a page.
const FRESH: Duration = Duration::from_millis(100);

/// Adds the families `process_*` and `hearthnet_build_info` to a registry. The global one has them.
///
/// A value that the system hides, or that no process can have, is left out of the page.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// obs_metrics::process::collect_in(&registry);
/// assert!(registry.value("process_resident_memory_bytes", &[]).unwrap() > 0.0);
/// ```
pub fn collect_in(registry: &Registry) {
    let reader = Arc::new(Reader::default());
    let collected = [
        family(
            registry,
            &reader,
            Kind::Counter,
            "process_cpu_seconds_total",
            "CPU time spent, in seconds.",
            |r| r.cpu_seconds,
        ),
        family(
            registry,
            &reader,
            Kind::Gauge,
            "process_resident_memory_bytes",
            "Resident memory in bytes.",
            |r| r.resident_bytes,
        ),
        family(registry, &reader, Kind::Gauge, "process_open_fds", "Open file descriptors.", |r| r.open_fds),
        family(registry, &reader, Kind::Gauge, "process_max_fds", "Most file descriptors allowed.", |r| {
            r.max_fds
        }),
        start_time(registry),
        set_build_info(registry, env!("CARGO_PKG_VERSION")),
    ];
    collected.into_iter().filter_map(Result::err).for_each(|error| crate::report::error(&error));
}

/// Sets the version that `hearthnet_build_info{version, os, arch}` shows.
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if the registry has another family of that name.
pub fn set_build_info(registry: &Registry, version: &str) -> Result<(), Error> {
    let version = version.to_owned();
    let read = move |samples: &mut Samples<3>| {
        samples.push([&version, std::env::consts::OS, std::env::consts::ARCH], 1.0);
    };
    let help = "What is running: always 1.";
    registry.collect_with(Kind::Gauge, "hearthnet_build_info", help, ["version", "os", "arch"], read)
}

fn family(
    registry: &Registry,
    reader: &Arc<Reader>,
    kind: Kind,
    name: &str,
    help: &str,
    field: fn(&Reading) -> Option<f64>,
) -> Result<(), Error> {
    let reader = reader.clone();
    let read = move |samples: &mut Samples<0>| {
        if let Some(value) = reader.read().as_ref().and_then(field) {
            samples.push([], value);
        }
    };
    registry.collect_with(kind, name, help, [], read)
}

/// The start is looked up here and now: the longer it waits, the likelier the clock has been set meanwhile.
fn start_time(registry: &Registry) -> Result<(), Error> {
    let _ = start_time::seconds();
    let read = |samples: &mut Samples<0>| {
        start_time::seconds().into_iter().for_each(|seconds| samples.push([], seconds));
    };
    let (name, help) = ("process_start_time_seconds", "Start as Unix time in seconds.");
    registry.collect_with(Kind::Gauge, name, help, [], read)
}

/// What the kernel says of the process; `None` for what it does not say or cannot mean.
#[derive(Debug, Clone)]
struct Reading {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

#[derive(Default)]
struct Reader(Mutex<Option<(Instant, Option<Reading>)>>);

impl Reader {
    fn read(&self) -> Option<Reading> {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((at, reading)) if at.elapsed() < FRESH => reading.clone(),
            _ => {
                let reading = read_now();
                *latest = Some((Instant::now(), reading.clone()));
                reading
            }
        }
    }
}

fn read_now() -> Option<Reading> {
    let pid = own_pid()?;
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    let process = system.process(pid)?;
    let number = |number: usize| credible(number as u64);
    Some(Reading {
        cpu_seconds: credible(process.accumulated_cpu_time()).map(|ms| ms / 1e3),
        // Something that runs is in memory.
        resident_bytes: credible(process.memory()).filter(|bytes| *bytes > 0.0),
        open_fds: process.open_files().and_then(number),
        max_fds: process.open_files_limit().and_then(number),
    })
}

/// Leaves out what no process has: a number that a sample cannot hold exactly is a bound or an overflow of the kernel's.
fn credible(number: u64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    (number < EXACT).then_some(number as f64)
}

/// Returns the number that this process has in `/proc`. It is not always its own: a `/proc` from outside the process's
/// PID namespace numbers as they do there, where our number is somebody else's.
#[cfg(target_os = "linux")]
fn own_pid() -> Option<Pid> {
    std::fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn own_pid() -> Option<Pid> {
    Some(Pid::from_u32(std::process::id()))
}
