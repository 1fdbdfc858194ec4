//! Problem: errors of one cause.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cause::Cause;

/// Number of a problem: ten hexadecimal digits. It depends on the cause, so it is the same after a restart.
///
/// ```
/// let id: obs_history::problems::ProblemId = "00c0ffee00".parse().unwrap();
/// assert_eq!(id.to_string(), "00c0ffee00");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ProblemId(u64);

impl From<ProblemId> for String {
    fn from(id: ProblemId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for ProblemId {
    type Error = ParseProblemIdError;

    fn try_from(text: String) -> Result<ProblemId, ParseProblemIdError> {
        text.parse()
    }
}

impl ProblemId {
    /// Bits of a number: 40. Ten hexadecimal digits are short enough to type, and a thousand problems rarely share one.
    const MASK: u64 = (1 << 40) - 1;

    pub(super) fn of(cause: &Cause) -> ProblemId {
        // FNV-1a: stable over versions of the standard library, unlike its hasher.
        let parts = [cause.kind().name(), cause.place(), cause.what(), cause.because().unwrap_or_default()];
        let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0]));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        ProblemId(hash & Self::MASK)
    }

    /// Returns the numbers that a problem with this one may have. Two causes that share a number, by chance or because one
    /// was made for it, have different ones of these.
    pub(super) fn choices(self) -> impl Iterator<Item = ProblemId> {
        (0..4).map(move |more| ProblemId(self.0.wrapping_add(more) & Self::MASK))
    }
}

impl fmt::Display for ProblemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010x}", self.0)
    }
}

impl std::str::FromStr for ProblemId {
    type Err = ParseProblemIdError;

    fn from_str(text: &str) -> Result<ProblemId, ParseProblemIdError> {
        let is_id = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_id.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(ProblemId).ok_or(ParseProblemIdError)
    }
}

/// Error of a text that is no number of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseProblemIdError;

impl fmt::Display for ParseProblemIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a problem has ten hexadecimal digits; `hearthnet problems` lists them")
    }
}

impl std::error::Error for ParseProblemIdError {}

/// State of a problem. Times are milliseconds since 1970.
///
/// ```
/// let state = obs_history::problems::State::Muted { until_ms: 1_700_000_000_000 };
/// assert_eq!(state.name(), "muted");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum State {
    /// It goes on, or was seen within a day.
    Open,
    /// It is over: the check passes, or the cause was not seen for a day.
    Cleared {
        /// Time of the change.
        at_ms: u64,
    },
    /// A person does not want to see it until a time.
    Muted {
        /// End of the silence.
        until_ms: u64,
    },
}

impl State {
    /// Name of the state, as it reads in JSON.
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Cleared { .. } => "cleared",
            State::Muted { .. } => "muted",
        }
    }
}

/// Errors of one cause, with exact counts. Times are milliseconds since 1970.
///
/// ```
/// use obs_history::problems::{Occurrence, Problem, Problems};
///
/// let problems = Problems::new();
/// let error = Occurrence { at_ms: 1_000, count: 1, is_error: true, example: &"timeout", trace_id: None };
/// problems.observe_trace("llm.chat", "timeout", &error);
/// let json = serde_json::to_string(&problems.list()[0]).unwrap();
/// assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problems.list()[0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// Number by which a person names it.
    pub id: ProblemId,
    /// Cause that the errors have in common.
    #[serde(flatten)]
    pub cause: Cause,
    /// Whether one of the errors was of level `error`, not `warning`.
    pub is_error: bool,
    /// Number of errors since the first one.
    pub count: u64,
    /// Number of times that it was over and came back.
    pub returned: u64,
    /// Time of the first error.
    pub first_seen_ms: u64,
    /// Time of the last error.
    pub last_seen_ms: u64,
    /// Text of an error, with its varying parts. It is at most a minute older than the last error.
    pub example: Box<str>,
    /// Trace of the last such error that had one.
    pub trace_id: Option<Box<str>>,
    /// Whether it is open, cleared or muted.
    #[serde(flatten)]
    pub state: State,
    /// Time since which it is over, which a silence hides.
    pub over_since_ms: Option<u64>,
}

impl Problem {
    /// Ends the problem.
    pub(super) fn clear(&mut self, at_ms: u64) {
        self.over_since_ms.get_or_insert(at_ms);
        if self.state == State::Open {
            self.state = State::Cleared { at_ms };
        }
    }

    /// Ends the silence. A problem that was over meanwhile is cleared.
    pub(super) fn unmute(&mut self) {
        if let State::Muted { .. } = self.state {
            self.state = self.over_since_ms.map_or(State::Open, |at_ms| State::Cleared { at_ms });
        }
    }

    /// Notes that an error came. Returns whether the problem was over and comes back.
    pub(super) fn goes_on(&mut self) -> bool {
        let was_over = self.over_since_ms.take().is_some();
        self.returned = self.returned.saturating_add(u64::from(was_over));
        let State::Cleared { .. } = self.state else { return false };
        self.state = State::Open;
        true
    }
}
