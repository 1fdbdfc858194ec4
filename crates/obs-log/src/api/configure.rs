//! Setting up logging for the process, and changing it (L6).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::{fmt, io};

use crate::api::flush::{self, PIPELINE, TERMINAL};
use crate::api::secret::Redactor;
use crate::clock::{Clock, day_of};
use crate::config::error::{Error, ErrorKind};
use crate::config::{Config, Console};
use crate::console::{self, Terminal};
use crate::dispatch;
use crate::dispatch::pipeline::Pipeline;
use crate::dispatch::sinks::{ConsoleSink, FileSink, Sinks};
use crate::files::DayFiles;
use crate::process::at_exit;
use crate::process::signals;
use crate::process::size_limit::without_signal;
use crate::sync::lock;

/// The configuration in force.
static CURRENT: Mutex<Option<Config>> = Mutex::new(None);
static GUARDS: AtomicUsize = AtomicUsize::new(0);

/// Keeps a promise: when the last guard of the process is dropped, what is queued is written (W4).
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
#[must_use = "dropping the last guard flushes; bind it to a name"]
pub struct Guard(());

impl Guard {
    fn new() -> Guard {
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
        if GUARDS.fetch_sub(1, Ordering::AcqRel) == 1 {
            flush::all(flush::PATIENCE);
        }
    }
}

/// Makes lines of this process, those of all crates that use `log` included, go where `config` says (spec §3.1).
///
/// May be called again: with the same configuration nothing happens, with another one the change takes effect at
/// once, without the loss of a line. It is also what makes the end of the process, by whatever way, write what is
/// queued (L10).
///
/// # Errors
///
/// A bad level, an unusable folder or a queue that is too small is an [`Error`] that names it, and nothing has
/// changed then. So is another logger that was installed in the `log` crate before.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// let config = obs_log::Config::new(dir.path()).level("info,hearthnet.bus=debug");
/// let _guard = obs_log::configure(&config)?;
/// # Ok::<(), obs_log::Error>(())
/// ```
pub fn configure(config: &Config) -> Result<Guard, Error> {
    let levels = config.validate()?;
    if at_exit::in_forked_child() {
        let message = "a child that was forked off has no writer; let it exec a program of its own";
        return Err(Error::new(ErrorKind::Thread, message));
    }
    let mut current = lock(&CURRENT);
    if current.as_ref() == Some(config) {
        return Ok(Guard::new());
    }
    let same_files = current.as_ref().is_some_and(|current| {
        (&current.dir, current.max_bytes, current.compress)
            == (&config.dir, config.max_bytes, config.compress)
    });
    let files = if same_files { None } else { Some(without_signal(|| prepared(config))?) };
    dispatch::install()?;
    let redact = Arc::new(Redactor::new(&config.redact));
    let pipeline = without_signal(|| change_pipeline(config, files))?;
    let file = FileSink { pipeline, redact: Arc::clone(&redact) };
    let console = if wants_console(config.console) {
        let terminal = get_or_start(&TERMINAL, Terminal::start)?;
        Some(ConsoleSink { terminal, redact })
    } else {
        None
    };
    at_exit::flush_at_exit();
    if config.signals {
        signals::flush_at_signals();
    }
    dispatch::set_live(&levels, Sinks { file, console });
    *current = Some(config.clone());
    Ok(Guard::new())
}

fn prepared(config: &Config) -> Result<DayFiles, Error> {
    let mut files = DayFiles::of(config);
    files.prepare(day_of(Clock::System.now()))?;
    Ok(files)
}

fn change_pipeline(config: &Config, files: Option<DayFiles>) -> Result<&'static Pipeline, Error> {
    let mut files = files;
    let pipeline = get_or_start(&PIPELINE, || {
        let files = files.take().unwrap_or_else(|| DayFiles::of(config));
        Pipeline::start(files, Clock::System, config.queue_bytes, config.max_wait)
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

/// Only called under the lock of [`CURRENT`].
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
    Error::new(ErrorKind::Thread, format!("the log's writer could not be started: {error}"))
}
