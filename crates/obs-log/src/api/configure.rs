//! Set-up of the log for the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::{fmt, io};

use crate::api::{flush, limited};
use crate::clock::{Clock, day_of};
use crate::config::error::{Error, ErrorKind};
use crate::config::levels::{Levels, LevelsOverride};
use crate::config::redactor::Redactor;
use crate::config::{Config, Console, ConsoleFormat};
use crate::console::{self, Terminal};
use crate::dispatch;
use crate::dispatch::pipeline::Pipeline;
use crate::dispatch::sinks::{self, ConsoleSink, FileSink, PIPELINE, Sinks, TERMINAL};
use crate::files::group::Group;
use crate::files::{DayFiles, check_folder};
use crate::process::signal_mask::without_file_size_signal;
use crate::process::{at_exit, fork, signals, stderr};
use crate::sync::lock;
use crate::writer::shared::HeldBack;

/// Configuration in force. The lock also keeps two calls of [`configure`] apart.
static CURRENT: Mutex<Option<Config>> = Mutex::new(None);
/// Levels that replace configured ones for a time. Locked only while [`CURRENT`] is locked.
static OVERRIDE: Mutex<Option<LevelsOverride>> = Mutex::new(None);
/// Number of guards.
static GUARDS: AtomicUsize = AtomicUsize::new(0);

/// Guard that flushes the log. When the last guard of the process is dropped, queued lines are written.
///
/// Lines that are made afterwards are still logged.
///
/// ```
/// # fn main() -> Result<(), obs_log::Error> {
/// # let dir = tempfile::tempdir().unwrap();
/// let guard = obs_log::configure(&obs_log::Config::new(dir.path()))?;
/// obs_log::info!("started");
/// drop(guard);                    // "started" is in the file
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the last guard flushes the log; bind it to a name"]
pub struct Guard(());

impl Guard {
    fn new() -> Guard {
        // Relaxed: as for `Arc`, a new guard comes from one that exists or from the call of `configure`.
        GUARDS.fetch_add(1, Ordering::Relaxed);
        Guard(())
    }
}

impl Clone for Guard {
    fn clone(&self) -> Guard {
        Guard::new()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // AcqRel: the last guard flushes the lines of threads that have dropped theirs.
        if GUARDS.fetch_sub(1, Ordering::AcqRel) == 1 {
            flush::flush(sinks::FLUSH_PATIENCE);
        }
    }
}

/// Configures the log of this process, for all crates that use `log`.
///
/// May be called again. The same configuration changes nothing. Another one takes effect at once and loses no line. From the
/// first call on, queued lines are written at the end of the process, whatever ends it.
///
/// # Errors
///
/// Returns an [`Error`] for a bad level, an unusable folder or group, a queue or a file size out of bounds, and another
/// logger that is installed in the `log` crate. Nothing has changed then, but the folder may have been made. Where the
/// system refuses a thread, the logger stays installed; a further call completes the set-up.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// let config = obs_log::Config::new(dir.path()).level("info,hearthnet.bus=debug");
/// let _guard = obs_log::configure(&config)?;
/// # Ok::<(), obs_log::Error>(())
/// ```
pub fn configure(config: &Config) -> Result<Guard, Error> {
    let levels = config.validate()?;
    if fork::in_forked_child() {
        let problem = "a forked child has no writer";
        return Err(Error::new(ErrorKind::Thread, problem, "let it exec a program of its own"));
    }
    let mut current = lock(&CURRENT);
    if current.as_ref() == Some(config) {
        return Ok(Guard::new());
    }
    // The files stay open if nothing about them changes.
    let same_files = current.as_ref().is_some_and(|current| {
        (&current.dir, current.max_bytes, current.compress, current.latest_link, &current.group)
            == (&config.dir, config.max_bytes, config.compress, config.latest_link, &config.group)
    });
    let files = if same_files { None } else { Some(without_file_size_signal(|| prepared(config))?) };
    // After the files, because an installed logger cannot be taken back.
    if config.install_logger {
        dispatch::install()?;
    }
    let redact = Arc::new(Redactor::new(&config.redact));
    let pipeline = without_file_size_signal(|| change_pipeline(config, files))?;
    let file = FileSink { pipeline, redact: Arc::clone(&redact) };
    let console = if wants_console(config.console) {
        let terminal = get_or_start(&TERMINAL, Terminal::start)?;
        Some(Arc::new(ConsoleSink { terminal, redact, format: config.console_format }))
    } else {
        None
    };
    stderr::set_json(console.is_some() && config.console_format == ConsoleFormat::Json);
    fork::watch();
    at_exit::flush_at_exit(flush::end, sinks::flush_once);
    if config.signals {
        let flush = |timeout| {
            flush::flush(timeout);
        };
        signals::flush_at_signals(signals::Actions { flush, end: flush::end, resume: sinks::resume });
    }
    // Last, so that a failure before leaves the former routing in force.
    dispatch::set_routing(&overridden(levels), Sinks { file, console });
    *current = Some(config.clone());
    Ok(Guard::new())
}

/// Checks what [`configure`] needs of this machine: the group exists and this user may give files to it, and the folder can be
/// written, or made. Changes nothing, so a program can check a configuration before it is in force.
///
/// The answer holds for the user of this process. Another user may have other rights.
///
/// # Errors
///
/// Returns the [`Error`] that [`configure`] would return for the group or the folder.
///
/// ```
/// let config = obs_log::Config::new("/dev/null/log");
/// let error = obs_log::check_places(&config).unwrap_err();
/// assert_eq!(error.problem(), "/dev/null/log is not a folder");
/// ```
pub fn check_places(config: &Config) -> Result<(), Error> {
    config.group.as_deref().map(Group::find).transpose()?;
    check_folder(&config.dir)
}

/// Replaces configured levels until the next call, for a person who looks for a cause. `None` returns to the configured ones.
///
/// A level without a logger replaces the configured default. A logger's level holds for the names below it too, also where
/// the configuration has levels for them. The override takes effect at once, stays in force over later calls of [`configure`],
/// and is gone when the process ends. A further call replaces the whole override.
///
/// # Errors
///
/// Returns an [`Error`] for an unknown level or a bad logger name. Nothing has changed then.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// let _guard = obs_log::configure(&obs_log::Config::new(dir.path()).level("warning"))?;
/// obs_log::override_levels(Some("hearthnet.bus=debug"))?;
/// assert_eq!(obs_log::levels_in_force().unwrap(), "warning,hearthnet.bus=debug");
/// obs_log::override_levels(None)?;
/// assert_eq!(obs_log::levels_in_force().unwrap(), "warning");
/// # Ok::<(), obs_log::Error>(())
/// ```
pub fn override_levels(levels: Option<&str>) -> Result<(), Error> {
    let new = levels.map(LevelsOverride::parse).transpose()?;
    let current = lock(&CURRENT);
    *lock(&OVERRIDE) = new;
    if let Some(config) = &*current {
        dispatch::set_levels(&overridden(config.validate()?));
    }
    Ok(())
}

/// Returns the levels of the configuration in force, without an override. `None` before the first [`configure`].
#[must_use]
pub fn configured_levels() -> Option<String> {
    Some(lock(&CURRENT).as_ref()?.validate().ok()?.to_string())
}

/// Returns the levels by which lines are logged now: the configured ones with an override in their place. `None` before the
/// first [`configure`].
#[must_use]
pub fn levels_in_force() -> Option<String> {
    let current = lock(&CURRENT);
    let levels = current.as_ref()?.validate().ok()?;
    Some(overridden(levels).to_string())
}

/// Returns `levels` with the override in their place. Only called under the lock of [`CURRENT`].
fn overridden(levels: Levels) -> Levels {
    match &*lock(&OVERRIDE) {
        Some(new) => levels.overridden(new),
        None => levels,
    }
}

fn prepared(config: &Config) -> Result<DayFiles, Error> {
    let group = config.group.as_deref().map(Group::find).transpose()?;
    let mut files = DayFiles::of(config).readable_by(group);
    files.prepare(day_of(Clock::System.now()))?;
    Ok(files)
}

fn change_pipeline(config: &Config, files: Option<DayFiles>) -> Result<&'static Pipeline, Error> {
    let mut files = files;
    let pipeline = get_or_start(&PIPELINE, || {
        let files = files.take().unwrap_or_else(|| DayFiles::of(config));
        let held_back = HeldBack { is_any: limited::holds_back, report: limited::report_quiet };
        let pipeline = Pipeline::start(files, Clock::System, config.queue_bytes, config.max_wait)?;
        pipeline.shared().set_held_back(held_back);
        Ok(pipeline)
    })?;
    let changed = pipeline.change(files, &config.dir, config.queue_bytes, config.max_wait);
    changed.map_err(|error| thread_error(&error))?;
    Ok(pipeline)
}

fn wants_console(console: Console) -> bool {
    match console {
        Console::Off => false,
        Console::Terminal => console::is_terminal(),
        Console::Always => true,
    }
}

/// Returns the value in `place`, started if need be. Only called under the lock of [`CURRENT`], so no other thread starts one
/// meanwhile.
fn get_or_start<T>(
    place: &'static OnceLock<T>,
    start: impl FnOnce() -> io::Result<T>,
) -> Result<&'static T, Error> {
    if let Some(running) = place.get() {
        return Ok(running);
    }
    let started = start().map_err(|error| thread_error(&error))?;
    Ok(place.get_or_init(|| started))
}

fn thread_error(error: &io::Error) -> Error {
    let problem = format!("the log's writer could not be started: {error}");
    Error::new(ErrorKind::Thread, problem, "give the process more threads and memory")
}
