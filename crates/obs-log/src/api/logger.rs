//! Loggers and their names.

use std::borrow::Cow;
use std::sync::Arc;

use log::{Log, Metadata, Record};

use crate::backtrace::Unresolved;
use crate::dispatch;
use crate::dispatch::sinks;

/// Logger with a name, passed to the `log` macros as `logger:`.
///
/// ```
/// use obs_log::{Logger, info};
///
/// static LOG: Logger = Logger::new(module_path!());
///
/// info!(logger: LOG, capability = "llm.chat", ms = 12; "routed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logger {
    /// In `::` form, unless it is a constant.
    name: Cow<'static, str>,
}

/// Returns a logger of this name, such as `hearthnet.bus.router`.
///
/// For a name that is known at compile time, use a static with [`Logger::new`] instead.
///
/// ```
/// let log = obs_log::get_logger("hearthnet.bus.router");
/// assert_eq!(log.name(), "hearthnet.bus.router");
/// obs_log::info!(logger: log, to = "7H4G"; "routed");
/// ```
#[must_use]
pub fn get_logger(name: &str) -> Logger {
    Logger { name: Cow::Owned(name.replace('.', "::")) }
}

/// Returns this crate as a logger of the `log` crate, for another one that passes its records on.
///
/// For a program that has a logger of its own, with [`Config::install_logger`](crate::Config::install_logger) off:
///
/// ```
/// struct Both;
///
/// impl log::Log for Both {
///     fn enabled(&self, _: &log::Metadata<'_>) -> bool {
///         true
///     }
///
///     fn log(&self, record: &log::Record<'_>) {
///         println!("{}", record.args());
///         obs_log::logger().log(record);
///     }
///
///     fn flush(&self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// log::set_logger(&Both)?;
/// log::set_max_level(log::LevelFilter::Info);
/// let _guard = obs_log::configure(&obs_log::Config::new(dir.path()).install_logger(false))?;
/// log::info!(peers = 3; "joined");                                // on the terminal and in the day file
/// # assert!(obs_log::flush(std::time::Duration::from_secs(5)));
/// # assert_eq!(obs_log::stats().written, 1);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn logger() -> &'static dyn Log {
    dispatch::handed()
}

impl Logger {
    /// Returns a logger of this name. `module_path!()` is a good one, because `::` reads as `.`.
    #[must_use]
    pub const fn new(name: &'static str) -> Logger {
        Logger { name: Cow::Borrowed(name) }
    }

    /// Returns the name as it stands in a line, with dots.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        if self.name.contains("::") {
            Cow::Owned(self.name.replace("::", "."))
        } else {
            Cow::Borrowed(&self.name)
        }
    }

    /// Logs `record` with a backtrace whose symbols are looked up later.
    pub(crate) fn log_unresolved(&self, record: &Record<'_>, trace: &Arc<Unresolved>) {
        dispatch::send_unresolved(&self.name, record, trace);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        dispatch::enabled(&self.name, metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        match self.name {
            Cow::Borrowed(name) => dispatch::send_static(name, record),
            Cow::Owned(ref name) => dispatch::send(name, record),
        }
    }

    fn flush(&self) {
        sinks::flush(sinks::FLUSH_PATIENCE);
    }
}
