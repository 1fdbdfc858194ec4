//! A registry of checks in a fixed order.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use crate::bus::CapabilityBus;
use crate::check::{Check, Context};
use crate::checks;
use crate::config::Config;
use crate::engine::{self, Entry, Limits, positions_of_dependencies, refuse_cycles};
use crate::error::Error;
use crate::machine::Machine;
use crate::report::{CheckResult, Report};

/// Registry of checks, which runs them.
///
/// ```
/// use std::sync::Arc;
/// use obs_doctor::{CapabilityBus, Config, Doctor, NoBus};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), obs_doctor::Error> {
/// let doctor = Doctor::standard().only(["disk_space"])?;
/// let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
/// let report = doctor.run_all(&Config::new("/tmp"), &bus).await;
/// assert_eq!(report.results.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Doctor {
    entries: Vec<Entry>,
    limits: Limits,
    machine: Machine,
    /// Number of threads that ask the bus for the node's ID. Clones share it, so that it bounds all their runs.
    asking: Arc<AtomicUsize>,
}

impl Doctor {
    /// Creates a registry with the standard checks, in the order of the crate's documentation: the twelve of the
    /// specification, then those of observability itself.
    #[must_use]
    pub fn standard() -> Self {
        let mut doctor = Self::empty();
        doctor.register_all(checks::standard()).expect("the standard checks fit together, as a test shows");
        doctor
    }

    /// Creates an empty registry.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            entries: Vec::new(),
            limits: Limits::default(),
            machine: Machine::default(),
            asking: Arc::default(),
        }
    }

    /// Sets the deadlines and the width of a run.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces clock, files, HTTP, sockets and disks, for tests of a check; see [`machine`](crate::machine).
    #[must_use]
    pub fn machine(mut self, machine: Machine) -> Self {
        self.machine = machine;
        self
    }

    /// Adds a check at the end.
    ///
    /// # Errors
    /// The name is unusable or taken, or a dependency is not registered. The registry is then unchanged.
    pub fn register(&mut self, check: impl Into<Check>) -> Result<(), Error> {
        self.register_all([check.into()])
    }

    /// Adds several checks, which may depend on each other in any order.
    ///
    /// # Errors
    /// The errors of [`register`](Self::register), and a cycle of dependencies. The registry is then unchanged.
    pub fn register_all(&mut self, checks: impl IntoIterator<Item = Check>) -> Result<(), Error> {
        let mut entries = self.entries.clone();
        for check in checks {
            if !is_usable(check.name()) {
                return Err(Error::invalid_name(check.name()));
            }
            if entries.iter().any(|entry| entry.check.name() == check.name()) {
                return Err(Error::duplicate(check.name()));
            }
            entries.push(Entry { check, after: Vec::new(), excluded: false });
        }
        // Checks that were registered before have their dependencies already; `only` has removed some of them.
        for at in self.entries.len()..entries.len() {
            entries[at].after = positions_of_dependencies(&entries, at)?;
        }
        refuse_cycles(&entries)?;
        self.entries = entries;
        Ok(())
    }

    /// Returns the checks, in order.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.entries.iter().map(|entry| &entry.check)
    }

    /// Returns a registry with only the named checks. Dependencies on other checks no longer count.
    ///
    /// # Errors
    /// A name is not registered. The error lists the registered names.
    pub fn only<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let wanted = self.positions(names)?;
        let kept: Vec<usize> = (0..self.entries.len()).filter(|at| wanted.contains(at)).collect();
        let entries = kept.iter().map(|&at| {
            let entry = &self.entries[at];
            let after = entry.after.iter().filter_map(|dep| kept.iter().position(|k| k == dep)).collect();
            Entry { after, ..entry.clone() }
        });
        Ok(Self { entries: entries.collect(), ..self.clone() })
    }

    /// Returns a registry that lists the named checks as skipped. Checks that depend on them still run.
    ///
    /// # Errors
    /// A name is not registered. The error lists the registered names.
    pub fn skip<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let mut doctor = self.clone();
        for at in self.positions(names)? {
            doctor.entries[at].excluded = true;
        }
        Ok(doctor)
    }

    fn positions<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Vec<usize>, Error> {
        names.into_iter().map(|name| self.position(name.as_ref())).collect()
    }

    fn position(&self, name: &str) -> Result<usize, Error> {
        let known = || self.checks().map(Check::name).collect::<Vec<_>>();
        self.checks()
            .position(|check| check.name() == name)
            .ok_or_else(|| Error::unknown_check(name, &known()))
    }

    /// Runs all checks concurrently and reports in the order of registration.
    ///
    /// It needs no particular runtime, blocks none of its threads, and ends within [`Limits::total`] whatever a
    /// check does.
    pub async fn run_all(&self, config: &Config, bus: &Arc<dyn CapabilityBus>) -> Report {
        let (done, report) = tokio::sync::oneshot::channel();
        let (doctor, cx) = (self.clone(), Context::new(config, bus, &self.machine));
        let started = Instant::now();
        // On a thread of its own, so that no executor thread blocks and any runtime can poll this.
        let conductor = std::thread::Builder::new().name("doctor".to_owned()).spawn(move || {
            // An error means that the caller has dropped the future.
            let _ = done.send(engine::run(&doctor.entries, doctor.limits, &cx, &doctor.asking));
        });
        let report = match conductor {
            Ok(_) => report.await.map_err(|_| {
                ("the doctor's thread ended without a report".to_owned(), "run the doctor again")
            }),
            Err(err) => Err((
                format!("the doctor's thread could not be started: {err}"),
                engine::fix_without_thread(&err),
            )),
        };
        report.unwrap_or_else(|(why, fix)| engine::all_errors(&self.entries, &why, fix, started.elapsed()))
    }

    /// Runs all checks like [`run_all`](Self::run_all), and blocks this thread meanwhile.
    #[must_use]
    pub fn run_all_blocking(&self, config: &Config, bus: &Arc<dyn CapabilityBus>) -> Report {
        engine::run(&self.entries, self.limits, &Context::new(config, bus, &self.machine), &self.asking)
    }

    /// Runs one check, without its dependencies.
    ///
    /// # Errors
    /// A name is not registered. The error lists the registered names.
    pub async fn run_one(
        &self,
        name: &str,
        config: &Config,
        bus: &Arc<dyn CapabilityBus>,
    ) -> Result<CheckResult, Error> {
        Ok(sole(self.only([name])?.run_all(config, bus).await))
    }

    /// Runs one check like [`run_one`](Self::run_one), and blocks this thread meanwhile.
    ///
    /// # Errors
    /// A name is not registered. The error lists the registered names.
    pub fn run_one_blocking(
        &self,
        name: &str,
        config: &Config,
        bus: &Arc<dyn CapabilityBus>,
    ) -> Result<CheckResult, Error> {
        Ok(sole(self.only([name])?.run_all_blocking(config, bus)))
    }
}

impl Default for Doctor {
    fn default() -> Self {
        Self::standard()
    }
}

fn sole(report: Report) -> CheckResult {
    report.results.into_iter().next().expect("a run of one check has one result")
}

fn is_usable(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}
