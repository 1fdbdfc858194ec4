//! What a user can set.

pub(crate) mod error;
pub(crate) mod levels;

use std::path::{self, Path, PathBuf};
use std::time::Duration;

use crate::config::error::{Error, ErrorKind};
use crate::config::levels::Levels;
use crate::journal::arena::MOST_QUEUE_BYTES;

/// Days of log files that are kept, today's included (spec §3.3).
pub const LOG_RETENTION_DAYS: u16 = 14;

/// Names of fields that are written as `[redacted]` unless [`Config::redact`] says otherwise.
pub const REDACTED_FIELDS: [&str; 8] = [
    "password",
    "passphrase",
    "secret",
    "api_key",
    "authorization",
    "private_key",
    "access_token",
    "refresh_token",
];

/// How to log: the folder, the levels, the console, what to hide, how much memory to use.
///
/// ```
/// use obs_log::{Config, Console};
///
/// let config = Config::new("/var/log/hearthnet")
///     .level("info,hearthnet.bus=debug")
///     .console(Console::Off)
///     .redact(["password", "session"])
///     .queue_bytes(4 << 20);
/// assert_eq!(config, config.clone());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Config {
    pub(crate) dir: PathBuf,
    pub(crate) level: String,
    pub(crate) console: Console,
    pub(crate) redact: Vec<String>,
    pub(crate) queue_bytes: usize,
    pub(crate) max_wait: Duration,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) compress: bool,
    pub(crate) signals: bool,
}

/// Whether lines are also shown to people, on stderr (L11).
///
/// ```
/// let config = obs_log::Config::new("log").console(obs_log::Console::Always);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Console {
    /// Never.
    Off,
    /// When stderr is a terminal.
    #[default]
    Terminal,
    /// Also into a file or a pipe; without colour there.
    Always,
}

impl Config {
    /// Day files in `dir`, level `info`, console on a terminal, an 8 MiB queue. A relative `dir` is one below the working
    /// directory of this moment, wherever the process goes later.
    pub fn new(dir: impl AsRef<Path>) -> Config {
        let dir = dir.as_ref();
        Config {
            dir: path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
            level: "info".to_owned(),
            console: Console::default(),
            redact: REDACTED_FIELDS.map(str::to_owned).to_vec(),
            queue_bytes: 8 << 20,
            max_wait: Duration::from_millis(200),
            max_bytes: None,
            compress: false,
            signals: true,
        }
    }

    /// Levels, as in `info,hearthnet.bus=debug,hyper=off`: one for every logger, then exceptions by name, each of
    /// which holds for the names below it too. `::` and `.` mean the same.
    pub fn level(mut self, level: impl Into<String>) -> Config {
        self.level = level.into();
        self
    }

    /// Whether lines are also shown on stderr.
    pub fn console(mut self, console: Console) -> Config {
        self.console = console;
        self
    }

    /// The names of fields whose value is written as `[redacted]`, at any depth of a nested value and whatever
    /// their case. Replaces [`REDACTED_FIELDS`].
    pub fn redact<I: IntoIterator<Item: Into<String>>>(mut self, fields: I) -> Config {
        self.redact = fields.into_iter().map(Into::into).collect();
        self
    }

    /// The most memory in bytes that lines may use between the caller and the file; from 1 MiB to 16 GiB. It is also the
    /// size of the hand-over file, in which they survive a SIGKILL.
    pub fn queue_bytes(mut self, bytes: usize) -> Config {
        self.queue_bytes = bytes;
        self
    }

    /// How long a caller waits when the queue is full before its line is dropped and counted. Only the first caller
    /// of a stall waits; the next lines are dropped at once until the writer makes room.
    pub fn max_wait(mut self, wait: Duration) -> Config {
        self.max_wait = wait;
        self
    }

    /// The most bytes that a file may have; at least 1 MiB. A day whose `<YYYY-MM-DD>.log` is full goes on in
    /// `<YYYY-MM-DD>.1.log`, then in `<YYYY-MM-DD>.2.log`, and so on. No limit by default.
    pub fn max_bytes(mut self, bytes: impl Into<Option<u64>>) -> Config {
        self.max_bytes = bytes.into();
        self
    }

    /// Whether the files of finished days are compressed, each to `<its name>.gz`, by a thread of its own when the next
    /// day or the program begins. As long as it is on, they age like the others; where it is off, a `.gz` is taken for
    /// somebody else's. Off by default. Needs the feature `compress`.
    ///
    /// ```
    /// let config = obs_log::Config::new("log").compress(true);
    /// ```
    #[cfg(feature = "compress")]
    pub fn compress(mut self, on: bool) -> Config {
        self.compress = on;
        self
    }

    /// Whether to write what is queued before the process dies of SIGTERM, SIGINT or SIGHUP. A signal that the
    /// program handles or ignores itself is left to it, and so is one that it was started with ignored. Process 1, which
    /// cannot die of a signal, ends with 128 and the signal's number. On by default.
    pub fn signals(mut self, on: bool) -> Config {
        self.signals = on;
        self
    }

    /// Checks what can be checked without touching the disk; [`configure`](crate::configure) does so too.
    ///
    /// # Errors
    ///
    /// A bad level, a queue that is too small or too large, or a file size that is too small.
    ///
    /// ```
    /// assert!(obs_log::Config::new("log").level("loud").check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        self.validate().map(drop)
    }

    pub(crate) fn validate(&self) -> Result<Levels, Error> {
        if self.queue_bytes < 1 << 20 {
            let message = format!("{} bytes are too few; give it at least 1 MiB (1048576)", self.queue_bytes);
            return Err(Error::new(ErrorKind::Queue, message));
        }
        if self.queue_bytes as u64 > MOST_QUEUE_BYTES {
            let message = format!("{} bytes are too many; give it at most 16 GiB", self.queue_bytes);
            return Err(Error::new(ErrorKind::Queue, message));
        }
        if let Some(bytes) = self.max_bytes
            && bytes < 1 << 20
        {
            let message =
                format!("{bytes} bytes are too few; give it at least 1 MiB (1048576), or leave it out");
            return Err(Error::new(ErrorKind::FileSize, message));
        }
        Levels::parse(&self.level)
    }
}
