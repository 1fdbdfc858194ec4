//! Why a check could not be registered or found.

use std::fmt;

/// A set of checks that does not fit together, or a name that is not in it.
///
/// ```
/// use obs_doctor::{Check, CheckResult, Doctor, ErrorKind};
///
/// let twice = Check::new("keys_present").run_blocking(|_| CheckResult::pass("here"));
/// let err = Doctor::standard().register(twice).unwrap_err();
/// assert_eq!(err.kind(), ErrorKind::DuplicateName);
/// assert_eq!(err.names(), ["keys_present"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    names: Vec<String>,
    message: String,
}

/// What sort of [`Error`] it is.
///
/// ```
/// use obs_doctor::{Doctor, ErrorKind};
/// let err = Doctor::standard().only(["nosuch"]).unwrap_err();
/// assert_eq!(err.kind(), ErrorKind::UnknownCheck);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name that is empty, longer than 64 bytes, or has other characters than `a-z 0-9 _ - .`.
    InvalidName,
    /// A check of that name is there already.
    DuplicateName,
    /// A check wants to run after one that is not registered.
    UnknownDependency,
    /// Checks that wait for each other, in order.
    Cycle,
    /// A check was asked for that is not registered.
    UnknownCheck,
}

impl Error {
    /// What sort of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The names it is about: the offending check first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        let message = format!("check name {name:?} is not usable: take 1 to 64 of a-z, 0-9, `_`, `-`, `.`");
        Self { kind: ErrorKind::InvalidName, names: vec![name.to_owned()], message }
    }

    pub(crate) fn duplicate(name: &str) -> Self {
        let message =
            format!("a check named `{name}` is registered already: give this one a name of its own");
        Self { kind: ErrorKind::DuplicateName, names: vec![name.to_owned()], message }
    }

    pub(crate) fn unknown_dependency(name: &str, dependency: &str) -> Self {
        let message =
            format!("check `{name}` runs after `{dependency}`, which is not registered: register it first");
        let names = vec![name.to_owned(), dependency.to_owned()];
        Self { kind: ErrorKind::UnknownDependency, names, message }
    }

    pub(crate) fn cycle(names: Vec<String>) -> Self {
        let message = format!("checks wait for each other: {}: remove one `after`", names.join(", "));
        Self { kind: ErrorKind::Cycle, names, message }
    }

    pub(crate) fn unknown_check(name: &str, known: &[&str]) -> Self {
        let message = format!("there is no check named {name:?}; there are: {}", known.join(", "));
        Self { kind: ErrorKind::UnknownCheck, names: vec![name.to_owned()], message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
