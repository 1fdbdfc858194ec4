//! Errors of a registry.

use std::borrow::Cow;
use std::fmt;

/// Reason why a check could not be registered or found.
///
/// ```
/// use obs_doctor::{Check, CheckResult, Doctor, ErrorKind};
///
/// let twice = Check::new("keys_present").run_blocking(|_| CheckResult::pass("present"));
/// let error = Doctor::standard().register(twice).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::DuplicateName);
/// assert_eq!(error.field(), "keys_present");
/// assert_eq!(error.problem(), "a check of this name is registered already");
/// assert_eq!(error.advice(), "choose another name");
/// assert_eq!(error.to_string(), "keys_present: a check of this name is registered already; choose another name");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    /// Names of the checks that the error is about; the first one is the check at fault.
    names: Vec<String>,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
}

/// Kind of an [`Error`].
///
/// ```
/// use obs_doctor::{Doctor, ErrorKind};
/// let error = Doctor::standard().only(["nosuch"]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::UnknownCheck);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The name is empty, longer than 64 bytes, or has other characters than `a-z 0-9 _ - .`.
    InvalidName,
    /// A check of that name is registered already.
    DuplicateName,
    /// A check depends on one that is not registered.
    UnknownDependency,
    /// Checks depend on each other in a cycle.
    Cycle,
    /// The named check is not registered.
    UnknownCheck,
}

impl Error {
    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the check at fault.
    #[must_use]
    pub fn field(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Description of the mistake, without the field and the advice.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Description of a remedy.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }

    /// Names of the checks that the error is about: the check at fault, then its dependency or the rest of the cycle.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        let problem = format!("{name:?} cannot be the name of a check");
        Self::new(ErrorKind::InvalidName, [name], problem, "use 1 to 64 of a-z, 0-9, `_`, `-` and `.`")
    }

    pub(crate) fn duplicate(name: &str) -> Self {
        let problem = "a check of this name is registered already";
        Self::new(ErrorKind::DuplicateName, [name], problem, "choose another name")
    }

    pub(crate) fn unknown_dependency(name: &str, dependency: &str) -> Self {
        let problem = format!("it runs after `{dependency}`, which is not registered");
        let advice = format!("register `{dependency}` first");
        Self::new(ErrorKind::UnknownDependency, [name, dependency], problem, advice)
    }

    pub(crate) fn cycle(names: &[&str]) -> Self {
        let problem = format!("the checks {} wait for each other", names.join(", "));
        Self::new(ErrorKind::Cycle, names.iter().copied(), problem, "remove one `after`")
    }

    pub(crate) fn unknown_check(name: &str, known: &[&str]) -> Self {
        let advice = format!("use one of {}", known.join(", "));
        Self::new(ErrorKind::UnknownCheck, [name], "there is no check of this name", advice)
    }

    fn new<'a>(
        kind: ErrorKind,
        names: impl IntoIterator<Item = &'a str>,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        let names = names.into_iter().map(str::to_owned).collect();
        Self { kind, names, problem: problem.into(), advice: advice.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field().is_empty() {
            // A refused name may hold any character, terminal controls included.
            write!(f, "{}: ", self.field().escape_debug())?;
        }
        write!(f, "{}; {}", self.problem, self.advice)
    }
}

impl std::error::Error for Error {}
