//! Errors of a configuration.

use std::borrow::Cow;
use std::fmt;

/// Reason why [`configure`](crate::configure) refused a configuration. Nothing has changed when it is returned.
///
/// The text says which setting is at fault, what is wrong with it, and what to do:
///
/// ```
/// let error = obs_log::configure(&obs_log::Config::new("/tmp/x").level("loud")).unwrap_err();
/// assert_eq!(error.kind(), obs_log::ErrorKind::Level);
/// assert_eq!(error.field(), "level");
/// assert_eq!(error.problem(), "`loud` is not a level");
/// assert_eq!(error.advice(), "use off, error, warning, info, debug or trace");
/// assert_eq!(error.to_string(), format!("level: {}; {}", error.problem(), error.advice()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
}

/// Kind of an [`Error`].
///
/// ```
/// # let error = obs_log::configure(&obs_log::Config::new("/dev/null")).unwrap_err();
/// match error.kind() {
///     obs_log::ErrorKind::Level => println!("fix the level"),
///     obs_log::ErrorKind::Folder => println!("fix the folder"),
///     _ => println!("{error}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The level text has an unknown level or a bad logger name.
    Level,
    /// The folder cannot be made, is not a folder, or has a file that cannot be written.
    Folder,
    /// The queue is smaller than 1 MiB or larger than 16 GiB.
    Queue,
    /// The maximum size of a file is smaller than 1 MiB.
    FileSize,
    /// The group does not exist, or this user may not give files to it.
    Group,
    /// Another logger is installed in the `log` crate.
    OtherLogger,
    /// A thread could not be started, or this process is a forked child, which has no writer.
    Thread,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error { kind, problem: problem.into(), advice: advice.into() }
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the setting at fault: the parameter or the setter of [`Config`](crate::Config). Empty when there is none.
    #[must_use]
    pub fn field(&self) -> &str {
        match self.kind {
            ErrorKind::Level => "level",
            ErrorKind::Folder => "dir",
            ErrorKind::Queue => "queue_bytes",
            ErrorKind::FileSize => "max_bytes",
            ErrorKind::Group => "group",
            ErrorKind::OtherLogger | ErrorKind::Thread => "",
        }
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
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field().is_empty() {
            write!(f, "{}: ", self.field())?;
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
