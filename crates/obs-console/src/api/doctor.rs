//! Report of the doctor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A report of the doctor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Doctor {
    /// Instant of the run. `None` if no run has ended yet.
    pub ran_at: Option<String>,
    /// Whether no check failed.
    pub ok: bool,
    /// Number of checks by status.
    pub summary: DoctorSummary,
    /// Results in the order of the checks.
    pub checks: Vec<Check>,
}

/// Number of checks by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DoctorSummary {
    /// Passed.
    pub pass: u32,
    /// Passed with a warning.
    pub warn: u32,
    /// Failed.
    pub fail: u32,
    /// Not run, with a reason.
    pub skip: u32,
    /// Could not be run.
    pub error: u32,
}

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Check {
    /// Name.
    pub name: String,
    /// Category.
    pub category: String,
    /// `pass`, `warn`, `fail`, `skip` or `error`.
    pub status: String,
    /// Finding of the check.
    pub detail: String,
    /// Advice.
    pub fix: Option<String>,
    /// Reason of a skip.
    pub skip_reason: Option<String>,
    /// Check whose failure is the cause of this one.
    pub caused_by: Option<String>,
    /// Evidence.
    #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
    pub evidence: BTreeMap<String, Value>,
    /// Duration.
    pub duration_ms: f64,
}
