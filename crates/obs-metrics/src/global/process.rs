//! Families of the process: its resources, read by `sysinfo` when the page is made, and its build.

use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::start_time;
use crate::error::Error;
use crate::exposition::kind::Kind;
use crate::family::namespace::BUILD_INFO;
use crate::registry::Registry;
use crate::registry::collector::Samples;
use crate::report;

/// Time for which a reading is used again. One reading then serves all families of a page.
const FRESH: Duration = Duration::from_millis(100);

/// Adds the families `process_*` and `hearthnet_build_info` to a registry. The global registry has them.
///
/// The page leaves out a value that the system hides or that no process can have.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// obs_metrics::process::collect_in(&registry);
/// let resident = obs_metrics::testing::value(&registry, "process_resident_memory_bytes", &[]);
/// assert!(resident.unwrap() > 0.0);
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
    collected.into_iter().filter_map(Result::err).for_each(|error| report::error(&error));
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
    registry.collect_with(Kind::Gauge, BUILD_INFO, help, ["version", "os", "arch"], read)
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

fn start_time(registry: &Registry) -> Result<(), Error> {
    // Computed now and kept: the later it is computed, the likelier the clock has been set meanwhile.
    let _ = start_time::seconds();
    let read = |samples: &mut Samples<0>| {
        start_time::seconds().into_iter().for_each(|seconds| samples.push([], seconds));
    };
    let (name, help) = ("process_start_time_seconds", "Start as Unix time in seconds.");
    registry.collect_with(Kind::Gauge, name, help, [], read)
}

/// Values from the kernel. `None` stands for a value that it hides or that no process can have.
#[derive(Debug, Clone)]
struct Reading {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

/// Latest reading and its time. The lock is held while the kernel is asked, so that concurrent pages share a reading.
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
    #[cfg(target_os = "linux")]
    keep_open_files_limit();
    let mut system = System::new();
    // Without tasks: reading every thread of the process would take longer than all the rest.
    let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    let process = system.process(pid)?;
    let number = |number: usize| credible(number as u64);
    Some(Reading {
        cpu_seconds: credible(process.accumulated_cpu_time()).map(|ms| ms / 1e3),
        // A process that runs has memory, so 0 means that the system hides it.
        resident_bytes: credible(process.memory()).filter(|bytes| *bytes > 0.0),
        open_fds: process.open_files().and_then(number),
        max_fds: process.open_files_limit().and_then(number),
    })
}

/// Keeps the soft limit on open files. The first reading of `sysinfo` would raise it to the hard one, and a program that
/// bounds its connections by the soft limit would lose its bound.
#[cfg(target_os = "linux")]
fn keep_open_files_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    static KEPT: Once = Once::new();
    KEPT.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        // Makes `sysinfo` raise the limit now, which it does once. It keeps no file open with a limit of 0.
        sysinfo::set_open_files_limit(0);
        // The limit was allowed before, so it is allowed now.
        let _ = setrlimit(Resource::Nofile, limit);
    });
}

/// Leaves out numbers that no process has. A number beyond 2^53, which a sample cannot hold exactly, is a bound or an
/// overflow of the kernel.
fn credible(number: u64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    (number < EXACT).then_some(number as f64)
}

/// Returns the number of this process in `/proc`. It can differ from the process ID: a `/proc` that was mounted outside the
/// PID namespace of the process uses the numbers of that outside, where the process ID belongs to another process.
#[cfg(target_os = "linux")]
fn own_pid() -> Option<Pid> {
    std::fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn own_pid() -> Option<Pid> {
    Some(Pid::from_u32(std::process::id()))
}
