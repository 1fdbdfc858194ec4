//! The report of a run: the source of text, JSON and exit code.

mod category;
mod result;
mod status;

use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use category::Category;
pub use result::CheckResult;
pub use status::{SkipReason, Status};

/// Report of a run of the doctor.
///
/// It serialises to the versioned JSON of [`render::json`](crate::render::json).
///
/// ```
/// use std::sync::Arc;
/// use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Doctor, NoBus};
///
/// let mut doctor = Doctor::empty();
/// doctor.register(Check::new("sun").run_blocking(|_| CheckResult::pass("shines")))?;
/// let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
/// let report = doctor.run_all_blocking(&Config::default(), &bus);
/// assert_eq!((report.exit_code(), report.summary().pass), (0, 1));
/// assert_eq!(report.get("sun").unwrap().detail, "shines");
/// # Ok::<(), obs_doctor::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Result of each check, in the order of registration.
    pub results: Vec<CheckResult>,
    /// ID of the running node; `None` when none runs.
    pub node_id: Option<String>,
    /// Duration of the run.
    pub duration: Duration,
}

/// Number of results of each status.
///
/// ```
/// let summary = obs_doctor::Summary::default();
/// assert_eq!(summary.total(), 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Checks without a fault.
    pub pass: usize,
    /// Checks that found something that works and needs attention.
    pub warn: usize,
    /// Checks that found a fault.
    pub fail: usize,
    /// Checks that were skipped.
    pub skip: usize,
    /// Checks that did not work themselves.
    pub error: usize,
}

impl Summary {
    /// Returns the number of all results.
    #[must_use]
    pub fn total(&self) -> usize {
        self.pass + self.warn + self.fail + self.skip + self.error
    }
}

impl Report {
    /// Version of the JSON form. It grows only when a field changes its meaning or is removed.
    pub const SCHEMA: u32 = 1;

    /// Returns whether no check failed.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.results.iter().all(|result| result.ok)
    }

    /// Returns the result of the check `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.name == name)
    }

    /// Returns the number of results of each status.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for result in &self.results {
            *match result.status {
                Status::Pass => &mut summary.pass,
                Status::Warn => &mut summary.warn,
                Status::Fail => &mut summary.fail,
                Status::Skip => &mut summary.skip,
                Status::Error => &mut summary.error,
            } += 1;
        }
        summary
    }

    /// Returns the exit code of a doctor command: 0 when no check failed, else 1. Warnings and skips do not count.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.is_ok())
    }

    /// Returns the exit code of a strict doctor command, in which a warning counts as a failure.
    #[must_use]
    pub fn exit_code_strict(&self) -> u8 {
        u8::from(!self.is_ok() || self.summary().warn > 0)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Report", 8)?;
        out.serialize_field("schema", &Self::SCHEMA)?;
        out.serialize_field("version", env!("CARGO_PKG_VERSION"))?;
        out.serialize_field("os", std::env::consts::OS)?;
        out.serialize_field("node_id", &self.node_id)?;
        out.serialize_field("ok", &self.is_ok())?;
        out.serialize_field("summary", &self.summary())?;
        out.serialize_field("duration_ms", &u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX))?;
        out.serialize_field("checks", &self.results)?;
        out.end()
    }
}
