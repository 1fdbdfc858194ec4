//! Lines of the log.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Query of log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Lowest level: `debug`, `info`, `warning`, `error`.
    pub level: Option<String>,
    /// Logger or its beginning, at a dot.
    pub logger: Option<String>,
    /// Text that the line contains, in any case of letters.
    pub text: Option<String>,
    /// Trace ID.
    pub trace: Option<String>,
    /// Fields and the values that they must have.
    pub fields: Vec<(String, String)>,
    /// First second, since 1970.
    pub since: Option<u64>,
    /// Second after the last one, since 1970.
    pub until: Option<u64>,
    /// Instant (RFC 3339) around which lines are wanted, without regard to the other filters.
    pub around: Option<String>,
    /// Maximum number of lines.
    pub n: usize,
}

/// A line as an object of JSON: `ts`, `level`, `logger`, `msg`, and its fields.
pub type LogLine = Map<String, Value>;

/// Lines that match a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LogLines {
    /// The newest lines that match, oldest first.
    #[cfg_attr(test, ts(type = "Array<Record<string, unknown>>"))]
    pub lines: Vec<LogLine>,
    /// Number of matching lines over time, oldest first.
    pub counts: Vec<LogCount>,
    /// Length of a count's step in seconds.
    pub step_seconds: u32,
    /// Number of matching lines in the part that was searched. A damaged line matches nothing.
    #[cfg_attr(test, ts(type = "number"))]
    pub matched: u64,
    /// Instant back to which the files were searched. It is later than `since` if the search was cut off.
    pub searched_since: Option<String>,
    /// Instant of the oldest line in the files.
    pub oldest: Option<String>,
}

/// Number of lines in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LogCount {
    /// Begin of the step in seconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub t: u64,
    /// Lines.
    #[cfg_attr(test, ts(type = "number"))]
    pub lines: u64,
    /// Lines of level `warning` or `error`.
    #[cfg_attr(test, ts(type = "number"))]
    pub faults: u64,
}

/// Lines of a tail since the last event. Over the whole tail, `shown` + `filtered` + `skipped` = lines written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TailLines {
    /// Matching lines.
    #[cfg_attr(test, ts(type = "Array<Record<string, unknown>>"))]
    pub lines: Vec<LogLine>,
    /// Matching lines that were left out because there were too many.
    #[cfg_attr(test, ts(type = "number"))]
    pub skipped: u64,
    /// Lines that do not match, and damaged lines.
    #[cfg_attr(test, ts(type = "number"))]
    pub filtered: u64,
    /// Lines written since the tail began.
    #[cfg_attr(test, ts(type = "number"))]
    pub written: u64,
}
