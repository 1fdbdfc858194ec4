//! The default registry of the process.

use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::doctor::Doctor;
use crate::bus::CapabilityBus;
use crate::check::Check;
use crate::config::Config;
use crate::error::Error;
use crate::report::{CheckResult, Report};

/// The lock is held for a registration or a copy, and not during a run.
static DEFAULT: LazyLock<RwLock<Doctor>> = LazyLock::new(|| RwLock::new(Doctor::standard()));

/// Adds a check to the default registry.
///
/// # Errors
/// The errors of [`Doctor::register`].
///
/// ```
/// use obs_doctor::{Check, CheckResult};
/// obs_doctor::register(Check::new("hello").run_blocking(|_| CheckResult::pass("there")))?;
/// # Ok::<(), obs_doctor::Error>(())
/// ```
pub fn register(check: impl Into<Check>) -> Result<(), Error> {
    DEFAULT.write().unwrap_or_else(PoisonError::into_inner).register(check)
}

/// Runs all checks of the default registry, and blocks this thread for 5 s at most.
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

/// Runs one check of the default registry, and blocks this thread meanwhile.
///
/// # Errors
/// The name is not registered. The error lists the registered names.
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

/// Returns a copy of the default registry, with all checks that were added by [`register`].
///
/// ```
/// assert!(obs_doctor::default_doctor().checks().count() >= 12);
/// ```
#[must_use]
pub fn default_doctor() -> Doctor {
    DEFAULT.read().unwrap_or_else(PoisonError::into_inner).clone()
}
