//! What a case is, and how one ends.

use std::fmt::Debug;
use std::time::Duration;

use crate::harness::Lab;

/// A folder of cases on one subject.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) cases: &'static [Case],
}

/// One thing to show.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Lab) -> Outcome,
    /// Whether all it takes is the address of some running node.
    pub(crate) black_box: bool,
    /// When to give up on it.
    pub(crate) deadline: Duration,
}

impl Case {
    /// A case that works on this workspace: its crates, its sources, or nodes that it starts itself.
    pub(crate) const fn new(name: &'static str, run: fn(&Lab) -> Outcome) -> Self {
        Self { name, run, black_box: false, deadline: Duration::from_secs(90) }
    }

    /// A case that works on any running node, with a bounded number of harmless requests.
    pub(crate) const fn black_box(name: &'static str, run: fn(&Lab) -> Outcome) -> Self {
        Self { black_box: true, ..Self::new(name, run) }
    }

    /// For a case that builds something.
    pub(crate) const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

/// How a case ended: `Ok` is passed.
pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// Why a case did not pass.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// It could not be tried, and why.
    Skip(String),
    Fail(Failure),
}

/// What was expected and what was seen instead.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) expected: String,
    pub(crate) observed: String,
    /// A command line that shows it without this program, where there is one.
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

    /// Says where in the case it happened.
    pub(crate) fn at(mut self, place: &str) -> Self {
        if let Self::Fail(failure) = &mut self {
            failure.expected = format!("{place}: {}", failure.expected);
        }
        self
    }
}

/// Whatever goes wrong on the way fails the case.
impl<E: std::error::Error> From<E> for Stop {
    fn from(err: E) -> Self {
        failed("no error", err.to_string())
    }
}

/// A failure.
pub(crate) fn failed(expected: impl Into<String>, observed: impl Into<String>) -> Stop {
    Stop::Fail(Failure { expected: expected.into(), observed: observed.into(), by_hand: None })
}

/// Fails unless it holds.
pub(crate) fn ensure(holds: bool, expected: &str, observed: impl Debug) -> Outcome {
    if holds { Ok(()) } else { Err(failed(expected, format!("{observed:?}"))) }
}

/// Fails unless both are the same.
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
