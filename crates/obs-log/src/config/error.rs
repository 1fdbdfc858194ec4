//! What can be wrong with a configuration (L6).

use std::fmt;

/// Why [`configure`](crate::configure) refused a configuration. Nothing has changed when it is returned.
///
/// The message says what was wrong, where, and what to do:
///
/// ```
/// let error = obs_log::configure(&obs_log::Config::new("/tmp/x").level("loud")).unwrap_err();
/// assert_eq!(error.kind(), obs_log::ErrorKind::Level);
/// assert_eq!(error.field(), "log_level");
/// assert!(error.to_string().contains("`loud`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What an [`Error`] is about.
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
    /// The level text has an unknown level or an empty logger name.
    Level,
    /// The folder cannot be made, is not a folder, or a file in it cannot be written.
    Folder,
    /// The queue is smaller than one mebibyte or larger than 16 gibibytes.
    Queue,
    /// The largest size of a file is smaller than one mebibyte.
    FileSize,
    /// The process has another logger installed in the `log` crate.
    OtherLogger,
    /// The writer thread could not be started, or this is a forked child, which has none.
    Thread,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into() }
    }

    /// What the error is about.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The configuration's field at fault, as it is called in `config.toml`; empty when no field is.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self.kind {
            ErrorKind::Level => "log_level",
            ErrorKind::Folder => "log_dir",
            ErrorKind::Queue => "log_queue_bytes",
            ErrorKind::FileSize => "log_max_bytes",
            ErrorKind::OtherLogger | ErrorKind::Thread => "",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field().is_empty() {
            write!(f, "{}: ", self.field())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
