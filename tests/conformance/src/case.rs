//! The type of a case and of its outcome.

use std::fmt::Debug;
use std::time::Duration;

use crate::harness::Lab;

/// Folder of cases on one subject.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) cases: &'static [Case],
}

/// A named test of one behaviour.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Lab) -> Outcome,
    /// True when the case needs only the address of a running node.
    pub(crate) black_box: bool,
    /// Time after which the case fails.
    pub(crate) deadline: Duration,
}

impl Case {
    /// Creates a case that works on this workspace: its crates, its sources, or nodes that the case starts.
    pub(crate) const fn new(name: &'static str, run: fn(&Lab) -> Outcome) -> Self {
        Self { name, run, black_box: false, deadline: Duration::from_secs(90) }
    }

    /// Creates a case that works on any running node, with a bounded number of harmless requests.
    pub(crate) const fn black_box(name: &'static str, run: fn(&Lab) -> Outcome) -> Self {
        Self { black_box: true, ..Self::new(name, run) }
    }

    /// Sets another deadline, for a case that builds something.
    pub(crate) const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

/// Outcome of a case. `Ok` means that it passed.
pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// Reason why a case did not pass.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// The case could not run, with the reason.
    Skip(String),
    Fail(Failure),
}

/// Expected and observed values of a failed case.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) expected: String,
    pub(crate) observed: String,
    /// Command line that shows the failure without this program, if there is one.
    pub(crate) by_hand: Option<String>,
}

impl Stop {
    /// Adds a command line that shows the failure without this program.
    pub(crate) fn by_hand(mut self, command: impl Into<String>) -> Self {
        if let Self::Fail(failure) = &mut self {
            failure.by_hand.get_or_insert_with(|| command.into());
        }
        self
    }

    /// Adds the place in the case where it failed.
    pub(crate) fn at(mut self, place: &str) -> Self {
        if let Self::Fail(failure) = &mut self {
            failure.expected = format!("{place}: {}", failure.expected);
        }
        self
    }
}

/// Turns any error into a failure of the case.
impl<E: std::error::Error> From<E> for Stop {
    fn from(err: E) -> Self {
        failed("no error", err.to_string())
    }
}

/// Creates a failure.
pub(crate) fn failed(expected: impl Into<String>, observed: impl Into<String>) -> Stop {
    Stop::Fail(Failure { expected: expected.into(), observed: observed.into(), by_hand: None })
}

/// Fails unless `holds` is true.
pub(crate) fn ensure(holds: bool, expected: &str, observed: impl Debug) -> Outcome {
    if holds { Ok(()) } else { Err(failed(expected, format!("{observed:?}"))) }
}

/// Fails unless both values are equal.
pub(crate) fn equal<T: PartialEq<U> + Debug, U: Debug>(what: &str, observed: T, expected: U) -> Outcome {
    if observed == expected {
        return Ok(());
    }
    Err(failed(format!("{what}: {expected:?}"), format!("{observed:?}")))
}

/// Fails unless the text contains the part.
pub(crate) fn contains(what: &str, text: &str, part: &str) -> Outcome {
    ensure(text.contains(part), &format!("{what} contains {part:?}"), text)
}
