//! Settings of the log.

pub(crate) mod error;
pub(crate) mod levels;
pub(crate) mod redactor;

use std::path::{self, Path, PathBuf};
use std::time::Duration;

use crate::config::error::{Error, ErrorKind};
use crate::config::levels::Levels;
use crate::limits::{MAX_QUEUE_BYTES, MIN_FILE_BYTES, MIN_QUEUE_BYTES};

/// Number of days whose log files are kept, today included.
pub const LOG_RETENTION_DAYS: u16 = 14;

/// Names of fields whose values are written as `[redacted]`. [`Config::redact`] replaces them.
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

/// Settings of the log: folder, levels, console, hidden fields, memory.
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
#[must_use = "a `Config` does nothing until it is passed to `configure`"]
pub struct Config {
    pub(crate) dir: PathBuf,
    pub(crate) level: String,
    pub(crate) console: Console,
    pub(crate) console_format: ConsoleFormat,
    pub(crate) redact: Vec<String>,
    pub(crate) queue_bytes: usize,
    pub(crate) max_wait: Duration,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) compress: bool,
    pub(crate) latest_link: bool,
    pub(crate) group: Option<String>,
    pub(crate) signals: bool,
    pub(crate) install_logger: bool,
}

/// Condition for showing lines on stderr too.
///
/// ```
/// let config = obs_log::Config::new("log").console(obs_log::Console::Always);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Console {
    /// Never.
    Off,
    /// If stderr is a terminal.
    #[default]
    Terminal,
    /// Always, also into a file or a pipe. There the lines have no colour.
    Always,
}

/// Form of the lines on stderr.
///
/// ```
/// use obs_log::{Config, Console, ConsoleFormat};
///
/// let config = Config::new("log").console(Console::Always).console_format(ConsoleFormat::Json);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsoleFormat {
    /// Text for people.
    #[default]
    Text,
    /// JSON objects with the fields of the day files, for journald, `docker logs` and other collectors. A line has at most
    /// 48 KiB, which journald keeps whole; the longest values of a longer line are cut. Messages about the log itself are
    /// JSON objects too.
    Json,
}

impl Config {
    /// Returns settings for day files in `dir`, with level `info`, the console on a terminal, and a queue of 8 MiB. A
    /// relative `dir` is resolved now: the working directory may change later.
    pub fn new(dir: impl AsRef<Path>) -> Config {
        let dir = dir.as_ref();
        Config {
            dir: path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
            level: "info".to_owned(),
            console: Console::default(),
            console_format: ConsoleFormat::default(),
            redact: REDACTED_FIELDS.map(str::to_owned).to_vec(),
            queue_bytes: 8 << 20,
            max_wait: Duration::from_millis(200),
            max_bytes: None,
            compress: false,
            latest_link: false,
            group: None,
            signals: true,
            install_logger: true,
        }
    }

    /// Sets the levels, as in `info,hearthnet.bus=debug,hyper=off`: one for every logger, then exceptions by name. An
    /// exception holds for the names below it too. `::` and `.` mean the same.
    pub fn level(mut self, level: impl Into<String>) -> Config {
        self.level = level.into();
        self
    }

    /// Sets when lines are shown on stderr too.
    pub fn console(mut self, console: Console) -> Config {
        self.console = console;
        self
    }

    /// Sets the form of the lines on stderr.
    pub fn console_format(mut self, format: ConsoleFormat) -> Config {
        self.console_format = format;
        self
    }

    /// Sets the names of fields whose values are written as `[redacted]`, in any case and at any depth of a nested value.
    /// Replaces [`REDACTED_FIELDS`].
    pub fn redact<I: IntoIterator<Item: Into<String>>>(mut self, fields: I) -> Config {
        self.redact = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the maximum memory in bytes for lines between the caller and the file: 1 MiB to 16 GiB. It is also the size of
    /// the hand-over file, in which the lines survive a SIGKILL.
    pub fn queue_bytes(mut self, bytes: usize) -> Config {
        self.queue_bytes = bytes;
        self
    }

    /// Sets the time that a caller waits for room in a full queue. After it, the line is dropped and counted. Only the
    /// first caller of a stall waits. Later lines are dropped at once until the writer makes room.
    pub fn max_wait(mut self, wait: Duration) -> Config {
        self.max_wait = wait;
        self
    }

    /// Sets the maximum size of a file in bytes: at least 1 MiB. A day whose `<YYYY-MM-DD>.log` is full continues in
    /// `<YYYY-MM-DD>.1.log`, then in `<YYYY-MM-DD>.2.log`, and so on. There is no limit by default.
    pub fn max_bytes(mut self, bytes: impl Into<Option<u64>>) -> Config {
        self.max_bytes = bytes.into();
        self
    }

    /// Sets whether the files of finished days are compressed, each to `<its name>.gz`. A thread of its own does so when
    /// the next day or the program begins. While this is on, compressed files age like the others. While it is off, a `.gz`
    /// is a foreign file and stays. Off by default. Requires the feature `compress`.
    ///
    /// ```
    /// let config = obs_log::Config::new("log").compress(true);
    /// ```
    #[cfg(feature = "compress")]
    pub fn compress(mut self, on: bool) -> Config {
        self.compress = on;
        self
    }

    /// Sets whether `latest.log` is a symbolic link to the file of today, for `tail -F`. It is off by default. The link is
    /// replaced in one step at midnight and when the file is full. Anything else that has the name is left alone, and there is
    /// no link where the file system refuses it.
    ///
    /// ```
    /// let config = obs_log::Config::new("log").latest_link(true);
    /// ```
    pub fn latest_link(mut self, on: bool) -> Config {
        self.latest_link = on;
        self
    }

    /// Sets the group that may read the log: its name or its number. A folder that the log makes has mode 0750 then and a
    /// file 0640. Without a group, which is the default, they have 0700 and 0600. Folders and files that exist keep theirs.
    ///
    /// ```
    /// let config = obs_log::Config::new("log").group("adm".to_owned());
    /// ```
    pub fn group(mut self, group: impl Into<Option<String>>) -> Config {
        self.group = group.into();
        self
    }

    /// Sets whether queued lines are written before the process dies of SIGTERM, SIGINT or SIGHUP. A signal that the
    /// program handles or ignores stays as it is, and so does one that was ignored when the program started. Process 1,
    /// which cannot die of a signal, exits with 128 plus the signal's number. On by default.
    pub fn signals(mut self, on: bool) -> Config {
        self.signals = on;
        self
    }

    /// Sets whether this crate becomes the logger of the `log` crate. A program that has another one turns it off and passes
    /// the records on to [`logger`](crate::logger). On by default. Turning it off later takes nothing back.
    pub fn install_logger(mut self, on: bool) -> Config {
        self.install_logger = on;
        self
    }

    /// Checks everything that does not need the disk. [`configure`](crate::configure) does so too.
    /// [`check_places`](crate::check_places) checks the rest.
    ///
    /// # Errors
    ///
    /// Returns an error for a bad level, a queue that is too small or too large, or a file size that is too small.
    ///
    /// ```
    /// assert!(obs_log::Config::new("log").level("loud").check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        self.validate().map(drop)
    }

    pub(crate) fn validate(&self) -> Result<Levels, Error> {
        if self.queue_bytes < MIN_QUEUE_BYTES {
            let problem = format!("{} bytes are too few", self.queue_bytes);
            return Err(Error::new(ErrorKind::Queue, problem, "give it at least 1 MiB (1048576)"));
        }
        if self.queue_bytes as u64 > MAX_QUEUE_BYTES {
            let problem = format!("{} bytes are too many", self.queue_bytes);
            return Err(Error::new(ErrorKind::Queue, problem, "give it at most 16 GiB"));
        }
        if let Some(bytes) = self.max_bytes
            && bytes < MIN_FILE_BYTES
        {
            let problem = format!("{bytes} bytes are too few");
            let advice = "give it at least 1 MiB (1048576), or leave it out";
            return Err(Error::new(ErrorKind::FileSize, problem, advice));
        }
        Levels::parse(&self.level)
    }
}
