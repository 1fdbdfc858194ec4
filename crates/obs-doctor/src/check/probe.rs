//! Checks as types.

use std::time::Duration;

use super::{Check, Context};
use crate::report::{Category, CheckResult};

/// A check as a type, for checks with state and for families of checks.
///
/// ```
/// use obs_doctor::{Check, CheckResult, Context, Doctor, Probe};
///
/// struct FolderExists(&'static str);
///
/// impl Probe for FolderExists {
///     fn name(&self) -> String {
///         format!("folder_{}", self.0)
///     }
///     fn run(&self, cx: &Context) -> CheckResult {
///         match cx.config.data_dir.join(self.0).is_dir() {
///             true => CheckResult::pass("there"),
///             false => CheckResult::warn("not there").fix("run `hearthnet init`"),
///         }
///     }
/// }
/// let mut doctor = Doctor::empty();
/// doctor.register(FolderExists("blobs"))?;
/// # Ok::<(), obs_doctor::Error>(())
/// ```
pub trait Probe: Send + Sync + 'static {
    /// Returns the name, as in [`Check::new`]. Called once, at registration.
    fn name(&self) -> String;

    /// Returns the heading of the report that the check is listed under.
    fn category(&self) -> Category {
        Category::OTHER
    }

    /// Returns the names of the checks that it runs after.
    fn dependencies(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns a deadline that replaces [`Limits::per_check`](crate::Limits::per_check), if there is one.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Runs the check. It must not change anything on the machine. It may block, because it runs on a thread of its own.
    fn run(&self, cx: &Context) -> CheckResult;
}

impl<P: Probe> From<P> for Check {
    fn from(probe: P) -> Self {
        let mut builder = Self::new(probe.name()).category(probe.category());
        builder.after = probe.dependencies();
        builder.deadline = probe.deadline();
        builder.run_blocking(move |cx| probe.run(cx))
    }
}
