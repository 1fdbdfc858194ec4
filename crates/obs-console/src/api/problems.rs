//! Problems: faults grouped by cause.

use serde::{Deserialize, Serialize};

/// The problems, open ones first, then by the last time they were seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Problems {
    /// Problems.
    pub problems: Vec<Problem>,
    /// Number of faults of causes that have no place in the table.
    #[cfg_attr(test, ts(type = "number"))]
    pub ungrouped: u64,
}

/// Faults of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Problem {
    /// ID.
    pub id: String,
    /// Kind.
    pub kind: ProblemKind,
    /// Logger, capability or check.
    pub place: String,
    /// Message without its variable parts, error code, or detail of the check.
    pub title: String,
    /// First cause. Of failed calls it is the cause of one of the last ones; others may have another.
    pub cause: Option<String>,
    /// Advice of a check.
    pub fix: Option<String>,
    /// Number of faults.
    #[cfg_attr(test, ts(type = "number"))]
    pub count: u64,
    /// First time.
    pub first_seen: String,
    /// Last time.
    pub last_seen: String,
    /// Trace of one of the faults.
    pub trace_id: Option<String>,
    /// State.
    pub state: ProblemState,
    /// End of the mute.
    pub muted_until: Option<String>,
}

/// Kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Lines of level `warning` or `error`.
    Line,
    /// Failed traces.
    Trace,
    /// Panics.
    Panic,
    /// A check of the doctor.
    Check,
}

/// State of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum ProblemState {
    /// Open.
    Open,
    /// Muted by a person.
    Muted,
    /// Over.
    Cleared,
}

/// Request to mute a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Mute {
    /// End of the mute in seconds since 1970. `null` unmutes.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub until: Option<u64>,
}
