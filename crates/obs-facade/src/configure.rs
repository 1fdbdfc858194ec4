//! Set-up of all four crates in one call.

#[cfg(feature = "otlp")]
use std::sync::Once;

use crate::config::ObservabilityConfig;
use crate::error::Error;
#[cfg(feature = "otlp")]
use crate::otlp::{self, Environment};
use crate::seams;
#[cfg(feature = "history")]
use crate::seams::{history, problems, trace_history};

/// Sets up logging, metrics and tracing by `config` and joins them.
///
/// Idempotent: the same configuration again changes nothing, and another one is applied live. Keep the [`Guard`]: when
/// the last one is dropped, the log is flushed and waiting traces are exported.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use obs_facade::{Logger, ObservabilityConfig, info};
///
/// static LOG: Logger = Logger::new("hearthnet.bus.router");
///
/// let config = ObservabilityConfig::new(folder.path());
/// let guard = obs_facade::configure(&config)?;
/// info!(logger: LOG, capability = "llm.chat"; "routed");
///
/// let _same = obs_facade::configure(&config.log_level("info,hearthnet.bus=debug"))?;
/// # drop(guard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// A field has a value that cannot be used, such as an unknown level or a folder that cannot be written, or another logger or
/// dispatcher has the process's place. The error names the field and the remedy. Nothing has changed then, but the log folder may
/// have been made. There is one exception: where the system refuses a thread, or another thread installs a dispatcher during
/// the call, the logger stays installed. A further call completes the set-up.
///
/// # Beside other loggers
///
/// The `log` crate has one logger and the `tracing` crate one dispatcher, for the whole process. If another one is installed,
/// the error says which settings leave it in place, and the line to write. A program with a stack of `tracing-subscriber` adds
/// the layer of the feature `tracing-layer` to it. `init` installs a logger too, so both settings are off:
///
#[cfg_attr(feature = "tracing-layer", doc = "```")]
#[cfg_attr(not(feature = "tracing-layer"), doc = "```ignore")]
/// use obs_facade::ObservabilityConfig;
/// use tracing_subscriber::prelude::*;
///
/// # let folder = tempfile::tempdir()?;
/// tracing_subscriber::registry().with(obs_facade::tracing::layer()).with(tracing_subscriber::fmt::layer()).init();
/// let config = ObservabilityConfig::new(folder.path()).install_dispatcher(false).install_logger(false);
/// let guard = obs_facade::configure(&config)?;
/// # tracing::info!(peers = 3, "joined");
/// # drop(guard);
/// # assert_eq!(obs_facade::log::stats().written, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Records of the `log` crate then arrive by way of the stack, without their fields. They keep them where this library is the
/// logger. `init` panics if a logger is installed, so the stack is set by another function:
///
#[cfg_attr(feature = "tracing-layer", doc = "```")]
#[cfg_attr(not(feature = "tracing-layer"), doc = "```ignore")]
/// use obs_facade::ObservabilityConfig;
/// use tracing_subscriber::prelude::*;
///
/// # let folder = tempfile::tempdir()?;
/// let guard = obs_facade::configure(&ObservabilityConfig::new(folder.path()).install_dispatcher(false))?;
/// let stack = tracing_subscriber::registry().with(obs_facade::tracing::layer()).with(tracing_subscriber::fmt::layer());
/// tracing::subscriber::set_global_default(stack)?;
/// # tracing::info!(peers = 3, "joined");
/// # obs_facade::log::log::info!(peers = 3; "joined");
/// # drop(guard);
/// # assert_eq!(obs_facade::log::stats().written, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The order of set-up and stack does not matter in either form. Any other logger of the `log` crate passes its records on to
/// [`logger`](obs_log::logger), with `install_logger(false)`. If both settings are off and neither a layer nor such a logger
/// exists yet, a line of level `warning` says that lines of other crates do not arrive.
pub fn configure(config: &ObservabilityConfig) -> Result<Guard, Error> {
    // All checks that need no side effect come first, so that a refusal changes nothing.
    config.check_console()?;
    config.check_doctor()?;
    config.check_otlp()?;
    config.check_tracing()?;
    config.check_history()?;
    config.check_problems()?;
    let log = config.log()?;
    log.check()?;
    config.trace().check()?;
    #[cfg(feature = "otlp")]
    let environment = Environment::read();
    #[cfg(feature = "otlp")]
    let exports = config.otlp(&environment)?;
    // A logger and a dispatcher cannot be taken back. The place of the dispatcher can be checked without taking it, so the log
    // goes first.
    #[cfg(feature = "tracing")]
    config.bridge().check_dispatcher()?;
    #[cfg(feature = "otlp")]
    if exports.logs.is_some() {
        otlp::logs::expect_removals();
    }
    let log = obs_log::configure(&log)?;
    #[cfg(feature = "tracing")]
    seams::bridge::configure(&config.bridge())?;
    #[cfg(feature = "tracing")]
    if config.installs_nothing() {
        seams::bridge::warn_of_silence();
    }
    obs_metrics::configure(&config.metrics())?;
    obs_trace::configure(&config.trace())?;
    seams::join();
    #[cfg(feature = "otlp")]
    if !exports.is_off() {
        warn_once(&environment.warnings);
    }
    // After the log, so that a fault of the file is logged.
    #[cfg(feature = "history")]
    trace_history::configure(config.trace_history_settings());
    Ok(Guard {
        #[cfg(feature = "otlp")]
        // After the log, so that the exporter's first failure is logged.
        _exports: otlp::configure(exports)?,
        // Last, because it cannot fail and the export can.
        #[cfg(feature = "history")]
        _history: history::configure(config.history_settings()),
        #[cfg(feature = "history")]
        _problems: problems::configure(config.problem_settings()),
        _log: log,
    })
}

/// Checks what [`configure`] needs of this machine for the log: the group exists and this user may give files to it, and the
/// folder can be written, or made. Changes nothing, so a program can check a configuration before it is in force.
///
/// The answer holds for the user of this process. Another user may have other rights.
///
/// # Errors
///
/// Returns the [`Error`] that [`configure`] would return for `log_group` or `log_dir`.
///
/// ```
/// let error = obs_facade::check_places(&obs_facade::ObservabilityConfig::new("/dev/null/log")).unwrap_err();
/// assert_eq!((error.field(), error.problem()), ("log_dir", "/dev/null/log is not a folder"));
/// ```
pub fn check_places(config: &ObservabilityConfig) -> Result<(), Error> {
    Ok(obs_log::check_places(&config.log()?)?)
}

/// Logs the faults of the environment once: it does not change while the process runs.
#[cfg(feature = "otlp")]
fn warn_once(warnings: &[String]) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| warnings.iter().for_each(|warning| obs_log::warn!("{warning}")));
}

/// Guard of the set-up, made by [`configure`].
///
/// Dropping the last clone writes the last minute and the last traces of the history, stores the problems and exports the
/// waiting traces, which takes two seconds at most each, and writes the log's waiting lines, which takes a second at most.
/// Lines logged later are still written.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// fn main_loop(_guard: obs_facade::Guard) { /* … */ }
///
/// main_loop(obs_facade::configure(&obs_facade::ObservabilityConfig::new(folder.path()))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "dropping the guard flushes the log; keep it while the node runs"]
pub struct Guard {
    // Dropped before the log, so that a failure of the last write is still logged.
    #[cfg(feature = "history")]
    _problems: crate::last_guard::Guard,
    // Dropped before the log, so that a failure of the last minute is still logged.
    #[cfg(feature = "history")]
    _history: crate::last_guard::Guard,
    // Dropped before the log, so that a failure of the last export is still logged.
    #[cfg(feature = "otlp")]
    _exports: crate::last_guard::Guard,
    _log: obs_log::Guard,
}
