//! A set of checks in a fixed order: registration, choice, running.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::bus::CapabilityBus;
use crate::check::{Check, Context};
use crate::checks;
use crate::config::Config;
use crate::engine;
use crate::error::Error;
use crate::report::Report;
use crate::result::CheckResult;
use crate::system::System;

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

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) check: Check,
    /// Positions of the checks it runs after.
    pub(crate) after: Vec<usize>,
    /// Listed, but not run.
    pub(crate) excluded: bool,
}

/// How long and how wide a run may be.
///
/// ```
/// use std::time::Duration;
/// let limits = obs_doctor::Limits::default().total(Duration::from_secs(3));
/// assert_eq!(limits.per_check, Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Checks that run at the same time; 16 unless told, at least 1.
    pub parallel: usize,
    /// The deadline of a check that has none of its own; 2 s unless told.
    pub per_check: Duration,
    /// The deadline of the whole run; 5 s unless told.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parallel: 16, per_check: Duration::from_secs(2), total: Duration::from_secs(5) }
    }
}

impl Limits {
    /// Sets [`parallel`](Self::parallel).
    #[must_use]
    pub fn parallel(mut self, checks: usize) -> Self {
        self.parallel = checks.max(1);
        self
    }

    /// Sets [`per_check`](Self::per_check).
    #[must_use]
    pub fn per_check(mut self, deadline: Duration) -> Self {
        self.per_check = deadline;
        self
    }

    /// Sets [`total`](Self::total).
    #[must_use]
    pub fn total(mut self, deadline: Duration) -> Self {
        self.total = deadline;
        self
    }
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

fn positions_of_dependencies(entries: &[Entry], at: usize) -> Result<Vec<usize>, Error> {
    let check = &entries[at].check;
    let find = |dep: &String| entries.iter().position(|entry| entry.check.name() == dep);
    let unknown = |dep: &String| Error::unknown_dependency(check.name(), dep);
    check.dependencies().iter().map(|dep| find(dep).ok_or_else(|| unknown(dep))).collect()
}

/// Takes away what waits for nothing until nothing is left; what is then left waits for itself.
fn refuse_cycles(entries: &[Entry]) -> Result<(), Error> {
    let mut left: Vec<usize> = (0..entries.len()).collect();
    loop {
        let waits = |at: &usize| entries[*at].after.iter().any(|dep| left.contains(dep));
        let next: Vec<usize> = left.iter().copied().filter(waits).collect();
        if next.is_empty() {
            return Ok(());
        }
        if next.len() == left.len() {
            return Err(Error::cycle(names_of_cycle(entries, &next)));
        }
        left = next;
    }
}

/// Each of `left` waits for another of them, so following that must come round.
fn names_of_cycle(entries: &[Entry], left: &[usize]) -> Vec<String> {
    let mut path = vec![left[0]];
    loop {
        let here = path[path.len() - 1];
        let Some(&next) = entries[here].after.iter().find(|dep| left.contains(dep)) else { break };
        if let Some(start) = path.iter().position(|&at| at == next) {
            path.drain(..start);
            break;
        }
        path.push(next);
    }
    path.iter().map(|&at| entries[at].check.name().to_owned()).collect()
}

static DEFAULT: LazyLock<RwLock<Doctor>> = LazyLock::new(|| RwLock::new(Doctor::standard()));

/// Adds a check to the default registry (spec §6.1).
///
/// # Errors
/// As [`Doctor::register`].
///
/// ```
/// use obs_doctor::{Check, CheckResult};
/// obs_doctor::register(Check::new("hello").run_blocking(|_| CheckResult::pass("there")))?;
/// # Ok::<(), obs_doctor::Error>(())
/// ```
pub fn register(check: impl Into<Check>) -> Result<(), Error> {
    DEFAULT.write().unwrap_or_else(PoisonError::into_inner).register(check)
}

/// Runs every check of the default registry on this thread, which it blocks for 5 s at most (spec §6.1).
///
/// ```
/// use std::sync::Arc;
/// use obs_doctor::{CapabilityBus, Config, NoBus};
/// let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
/// let report = obs_doctor::run_all(&Config::default().offline(true), &bus);
/// assert_eq!(report.results[0].name, "keys_present");
/// ```
#[must_use]
pub fn run_all(config: &Config, bus: &Arc<dyn CapabilityBus>) -> Report {
    default_doctor().run_all_blocking(config, bus)
}

/// Runs one check of the default registry on this thread (spec §6.1).
///
/// # Errors
/// A name that is not registered; the message lists those that are.
///
/// ```
/// use std::sync::Arc;
/// use obs_doctor::{CapabilityBus, Config, NoBus, Status};
/// let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
/// let result = obs_doctor::run_one("recent_error_rate", &Config::default(), &bus)?;
/// assert_eq!(result.status, Status::Skip);
/// # Ok::<(), obs_doctor::Error>(())
/// ```
pub fn run_one(name: &str, config: &Config, bus: &Arc<dyn CapabilityBus>) -> Result<CheckResult, Error> {
    default_doctor().run_one_blocking(name, config, bus)
}

/// A copy of the default registry, with whatever was [`register`]ed.
///
/// ```
/// assert!(obs_doctor::default_doctor().checks().count() >= 12);
/// ```
#[must_use]
pub fn default_doctor() -> Doctor {
    DEFAULT.read().unwrap_or_else(PoisonError::into_inner).clone()
}
