//! A set of checks in a fixed order: registration, choice, running.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use crate::bus::CapabilityBus;
use crate::check::{Check, Context};
use crate::checks;
use crate::config::Config;
use crate::engine::{self, Entry, Limits, positions_of_dependencies, refuse_cycles};
use crate::error::Error;
use crate::machine::System;
use crate::report::{CheckResult, Report};

/// A registry of checks, and the way to run them.
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
    system: System,
    /// How many threads are asking the bus for the node's ID.
    asking: Arc<AtomicUsize>,
}

impl Doctor {
    /// The twelve checks of spec §6.2, in its order.
    #[must_use]
    pub fn standard() -> Self {
        let mut doctor = Self::empty();
        doctor.register_all(checks::standard()).expect("the standard checks fit together, as a test shows");
        doctor
    }

    /// No checks yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            entries: Vec::new(),
            limits: Limits::default(),
            system: System::default(),
            asking: Arc::default(),
        }
    }

    /// Sets the deadlines and the width of a run.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces clock, sockets, HTTP and disks, for tests.
    #[must_use]
    pub fn system(mut self, system: System) -> Self {
        self.system = system;
        self
    }

    /// Adds a check at the end.
    ///
    /// # Errors
    /// An unusable name, a name that is taken, or a dependency that is not registered; the registry is then
    /// unchanged.
    pub fn register(&mut self, check: impl Into<Check>) -> Result<(), Error> {
        self.register_all([check.into()])
    }

    /// Adds several checks, which may depend on each other whatever their order.
    ///
    /// # Errors
    /// As [`register`](Self::register), and a cycle of dependencies; the registry is then unchanged.
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
        // What was there before is whole: its dependencies were looked at when it came, or left out by `only`.
        for at in self.entries.len()..entries.len() {
            entries[at].after = positions_of_dependencies(&entries, at)?;
        }
        refuse_cycles(&entries)?;
        self.entries = entries;
        Ok(())
    }

    /// The checks, in order.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.entries.iter().map(|entry| &entry.check)
    }

    /// This registry with the named checks alone; dependencies on the others no longer count.
    ///
    /// # Errors
    /// A name that is not registered; the message lists those that are.
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

    /// This registry with the named checks listed as skipped; those that depend on them run all the same.
    ///
    /// # Errors
    /// A name that is not registered; the message lists those that are.
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

    /// Runs every check, side by side, and reports in the order of registration (spec §6.1, D3).
    ///
    /// It needs no particular runtime, blocks none of its threads, and is done after [`Limits::total`] whatever a
    /// check does.
    pub async fn run_all(&self, config: &Config, bus: &Arc<dyn CapabilityBus>) -> Report {
        let (done, report) = tokio::sync::oneshot::channel();
        let (doctor, cx) = (self.clone(), Context::new(config, bus, &self.system));
        let started = Instant::now();
        let conductor = std::thread::Builder::new().name("doctor".to_owned()).spawn(move || {
            // The receiver is gone when the caller no longer wants the report.
            let _ = done.send(engine::run(&doctor.entries, doctor.limits, &cx, &doctor.asking));
        });
        let report = match conductor {
            Ok(_) => report.await.map_err(|_| "the doctor's thread died".to_owned()),
            Err(err) => Err(format!("the doctor's thread could not be started: {err}")),
        };
        report.unwrap_or_else(|why| engine::all_errors(&self.entries, &why, started.elapsed()))
    }

    /// As [`run_all`](Self::run_all), on this thread, which it blocks.
    #[must_use]
    pub fn run_all_blocking(&self, config: &Config, bus: &Arc<dyn CapabilityBus>) -> Report {
        engine::run(&self.entries, self.limits, &Context::new(config, bus, &self.system), &self.asking)
    }

    /// Runs one check, whatever it depends on.
    ///
    /// # Errors
    /// A name that is not registered; the message lists those that are.
    pub async fn run_one(
        &self,
        name: &str,
        config: &Config,
        bus: &Arc<dyn CapabilityBus>,
    ) -> Result<CheckResult, Error> {
        Ok(sole(self.only([name])?.run_all(config, bus).await))
    }

    /// As [`run_one`](Self::run_one), on this thread, which it blocks.
    ///
    /// # Errors
    /// A name that is not registered; the message lists those that are.
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
