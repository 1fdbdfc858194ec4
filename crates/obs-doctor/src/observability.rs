//! State of a node's own observability, as the checks of it need it.

use serde::{Deserialize, Serialize};

/// State of a node's log, exports, clock and last run, as far as it is known.
///
/// A node fills it in [`CapabilityBus::observability`](crate::CapabilityBus::observability). A check of a part that is
/// `None` is skipped. It serialises to JSON, so that a command can ask a running node for it. Members that a version does
/// not know are ignored, and missing members have their default.
///
/// ```
/// use obs_doctor::{LogState, Observability};
///
/// let mut state = Observability::default();
/// state.log = Some(LogState { crash_safe: true, ..LogState::default() });
/// let text = serde_json::to_string(&state)?;
/// assert_eq!(serde_json::from_str::<Observability>(&text)?, state);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observability {
    /// State of the log.
    pub log: Option<LogState>,
    /// State of the export of traces.
    pub export: ExportState,
    /// State of the export of metrics.
    pub metrics_export: ExportState,
    /// State of the export of log lines.
    pub log_export: ExportState,
    /// Steps of the wall clock.
    pub clock: Option<ClockState>,
    /// End of the run before this one.
    pub last_run: Option<LastRun>,
}

/// State of a node's log.
///
/// ```
/// assert_eq!(obs_doctor::LogState::default().write_errors, 0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogState {
    /// Lines that are in a file.
    pub written: u64,
    /// Lines that were dropped, since the start of the node.
    pub dropped: u64,
    /// Upper bound of the seconds since the last of them was dropped.
    pub dropped_seconds_ago: Option<u64>,
    /// Failed attempts to open or write a file, since the start of the node.
    pub write_errors: u64,
    /// Upper bound of the seconds since the last of them.
    pub write_error_seconds_ago: Option<u64>,
    /// Whether lines survive a SIGKILL of the node.
    pub crash_safe: bool,
}

/// State of a node's export of traces, metrics or log lines.
///
/// ```
/// assert_eq!(obs_doctor::ExportState::default(), obs_doctor::ExportState::Unknown);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportState {
    /// The node does not tell.
    #[default]
    Unknown,
    /// No collector is configured.
    Off,
    /// The export runs.
    On(ExportCounts),
}

/// Numbers of a running export: of traces, metric families or log lines.
///
/// ```
/// assert!(!obs_doctor::ExportCounts::default().is_failing);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportCounts {
    /// Whether the last request to the collector failed.
    pub is_failing: bool,
    /// Items that the collector accepted.
    pub exported: u64,
    /// Items that were sent and not accepted, or not sent.
    pub lost: u64,
    /// Upper bound of the seconds since the last of them was lost.
    pub lost_seconds_ago: Option<u64>,
}

/// Steps of the wall clock that a node has seen: changes that the passing of time does not explain.
///
/// ```
/// assert_eq!(obs_doctor::ClockState::default().steps, 0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockState {
    /// Steps since the start of the node.
    pub steps: u64,
    /// Steps within the last 24 hours.
    pub steps_of_a_day: u64,
    /// Size of the last step in milliseconds; negative for a step back.
    pub last_step_ms: i64,
    /// Seconds since the last step.
    pub last_step_seconds_ago: Option<u64>,
}

/// End of the run before this one.
///
/// ```
/// assert_eq!(obs_doctor::LastRun::default().ended, obs_doctor::RunEnd::Unknown);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastRun {
    /// Kind of the end.
    pub ended: RunEnd,
    /// Time of the end or of the last sign of life, as text.
    pub at: Option<String>,
    /// Log lines of that run that this start recovered.
    pub recovered_lines: u64,
    /// Seconds since the start of this run.
    pub uptime_seconds: u64,
}

/// Kind of the end of a run.
///
/// ```
/// let ended: obs_doctor::RunEnd = serde_json::from_str("\"in_order\"")?;
/// assert_eq!(ended, obs_doctor::RunEnd::InOrder);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnd {
    /// The node was stopped by a signal that it handled.
    InOrder,
    /// The process was killed, crashed, or the machine lost power.
    Killed,
    /// The traces of that run cannot be read.
    #[default]
    Unknown,
    /// There was no run before.
    None,
}
