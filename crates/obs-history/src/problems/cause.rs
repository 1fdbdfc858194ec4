//! Cause: what the errors of a group have in common.

use serde::{Deserialize, Serialize};

use super::pattern::{MAX_PATTERN_BYTES, pattern, start_of};

/// Maximum length in bytes of the name of a logger, a capability or a check.
const MAX_PLACE_BYTES: usize = 128;

/// Origin of a problem.
///
/// ```
/// assert_eq!(obs_history::problems::Kind::Trace.name(), "trace");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A log line of level `warning` or `error`.
    Line,
    /// A trace that failed.
    Trace,
    /// A panic.
    Panic,
    /// A check of the doctor that fails.
    Check,
    /// Errors beyond the bound on problems.
    Other,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Line, Kind::Trace, Kind::Panic, Kind::Check, Kind::Other];

    /// Name of the kind, as it reads in JSON and in the label `kind` of a metric.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Line => "line",
            Kind::Trace => "trace",
            Kind::Panic => "panic",
            Kind::Check => "check",
            Kind::Other => "other",
        }
    }
}

/// Cause by which errors are grouped.
///
/// Two errors have the same cause if they come from the same place and their texts are the same without the parts that
/// vary: numbers, addresses, paths, quoted texts and identifiers.
///
/// ```
/// use obs_history::problems::Cause;
///
/// let one = Cause::of_line("hearthnet.bus", "no answer from 10.0.0.7", Some("timed out after 30 s"));
/// let other = Cause::of_line("hearthnet.bus", "no answer from 10.0.0.8", Some("timed out after 31 s"));
/// assert_eq!(one, other);
/// assert_eq!(one.to_string(), "hearthnet.bus: no answer from …: timed out after … s");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    kind: Kind,
    place: Box<str>,
    what: Box<str>,
    because: Option<Box<str>>,
}

impl Cause {
    /// Cause of a line: its logger, its message, and the first cause of the error in it.
    pub fn of_line(logger: &str, message: &str, because: Option<&str>) -> Cause {
        Cause::of(&Text { kind: Kind::Line, place: logger, what: message, because })
    }

    /// Cause of a failed trace: its capability and its code.
    pub fn of_trace(capability: &str, code: &str) -> Cause {
        Cause::of(&Text { kind: Kind::Trace, place: capability, what: code, because: None })
    }

    /// Cause of a panic: the place of it and the message.
    pub fn of_panic(place: &str, message: &str) -> Cause {
        Cause::of(&Text { kind: Kind::Panic, place, what: message, because: None })
    }

    /// Cause of a check that fails: its name and the kind of its detail.
    pub fn of_check(name: &str, detail: &str) -> Cause {
        Cause::of(&Text { kind: Kind::Check, place: name, what: detail, because: None })
    }

    pub(super) fn of(text: &Text<'_>) -> Cause {
        let what = match text.kind {
            // A code varies in nothing. Both kinds have no text to look at.
            Kind::Trace | Kind::Other => start_of(text.what, MAX_PLACE_BYTES).into(),
            _ => pattern(text.what),
        };
        let because = text.because.map(pattern).filter(|because| !because.is_empty());
        Cause { kind: text.kind, place: text.place().into(), what, because }
    }

    /// Returns the cause within the bounds of one that this program made. A file may hold anything.
    pub(super) fn bounded(self) -> Cause {
        let bound = |text: &str| -> Box<str> { start_of(text, MAX_PATTERN_BYTES).into() };
        Cause {
            kind: self.kind,
            place: start_of(&self.place, MAX_PLACE_BYTES).into(),
            what: bound(&self.what),
            because: self.because.as_deref().map(bound),
        }
    }

    /// Origin of the errors.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Logger, capability, check, or place in the source.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Message without its varying parts, code of a trace, or kind of a check's detail.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// First cause of the error without its varying parts.
    pub fn because(&self) -> Option<&str> {
        self.because.as_deref()
    }
}

/// Text of an error, from which its cause is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) kind: Kind,
    pub(super) place: &'a str,
    pub(super) what: &'a str,
    pub(super) because: Option<&'a str>,
}

impl<'a> Text<'a> {
    /// Text of errors at a place that has no room for another group. The empty place is all others.
    pub(super) fn other(place: &'a str) -> Text<'a> {
        Text { kind: Kind::Other, place, what: "", because: None }
    }

    /// Text whose key stands for the errors of a kind at such a place.
    pub(super) fn other_of(kind: Kind, place: &'a str) -> Text<'a> {
        Text { what: kind.name(), ..Text::other(place) }
    }

    pub(super) fn place(&self) -> &'a str {
        start_of(self.place, MAX_PLACE_BYTES)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&*self.place, &*self.what, self.because().unwrap_or_default()];
        let mut parts = parts.into_iter().filter(|part| !part.is_empty());
        f.write_str(parts.next().unwrap_or(self.kind.name()))?;
        parts.try_for_each(|part| write!(f, ": {part}"))?;
        if self.kind == Kind::Other { f.write_str(": other errors") } else { Ok(()) }
    }
}
