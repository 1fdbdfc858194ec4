//! Dispatch of a record: from the `log` macros to a test's capture or to the sinks.

pub(crate) mod capture;
pub(crate) mod pipeline;
mod routing;
pub(crate) mod sinks;
mod thread;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use log::{Level, LevelFilter, Log, Metadata, Record};

use self::pipeline::Producer;
use self::routing::Routing;
use self::sinks::{ConsoleSink, FileSink, Sinks};
use crate::backtrace::Unresolved;
use crate::config::ConsoleFormat;
use crate::config::error::{Error, ErrorKind};
use crate::config::levels::Levels;
use crate::json::cache::names::{NameCache, NameSlot};
use crate::process::fork::in_forked_child;
use crate::sync::lock;

/// Routing in force. `None` before the first `configure`.
static ROUTING: Mutex<Option<Arc<Routing>>> = Mutex::new(None);

/// Number of the routing in force, or 0. A thread compares it with one load a line instead of taking the lock.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Routes by `levels` to `sinks` from now on.
pub(crate) fn set_routing(levels: &Levels, sinks: Sinks) {
    let mut routing = lock(&ROUTING);
    // Relaxed: all stores happen under the lock that is held here.
    let number = NUMBER.load(Ordering::Relaxed) + 1;
    *routing = Some(Arc::new(Routing::new(number, levels, sinks)));
    // Release: a thread that sees the number finds this routing or a later one.
    NUMBER.store(number, Ordering::Release);
    drop(routing);
    refresh_max_level();
}

/// Routes by `levels` to the sinks in force from now on. Without a routing it does nothing.
pub(crate) fn set_levels(levels: &Levels) {
    let sinks = lock(&ROUTING).as_ref().map(|routing| routing.sinks.clone());
    if let Some(sinks) = sinks {
        set_routing(levels, sinks);
    }
}

/// Sets the level up to which the `log` macros pass lines on: that of the routing, or everything while a test captures.
pub(crate) fn refresh_max_level() {
    // Threads that refresh at once must not store in another order than they read.
    static ORDER: Mutex<()> = Mutex::new(());
    let _one_at_a_time = lock(&ORDER);
    let level = lock(&ROUTING).as_ref().map_or(LevelFilter::Off, |routing| routing.most_verbose);
    log::set_max_level(if capture::any() { LevelFilter::Trace } else { level });
}

/// Installs this crate as the logger of the `log` crate.
pub(crate) fn install() -> Result<(), Error> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = lock(&INSTALLED);
    if !*installed {
        log::set_logger(&Receiver).map_err(|_| {
            Error::new(
                ErrorKind::OtherLogger,
                "another logger is installed in the `log` crate",
                "remove it, because obs-log has to be the only one",
            )
        })?;
        *installed = true;
    }
    Ok(())
}

/// Logger of the `log` crate, for lines without a `logger:`.
struct Receiver;

impl Log for Receiver {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        enabled(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        send(record.target(), record);
    }

    fn flush(&self) {
        sinks::flush(sinks::FLUSH_PATIENCE);
    }
}

/// Whether a line would reach a capture or a sink.
pub(crate) fn enabled(name: &str, level: Level) -> bool {
    if capture::any() && capture::entered() {
        return true;
    }
    !in_forked_child()
        && thread::with(|local| {
            let (routing, producer) = local.parts();
            let names = &mut producer.encoder.names;
            let slot = names.find(name);
            refreshed(routing).is_some_and(|routing| routing.allows(level, names, slot))
        })
}

/// Sends a record to the thread's capture or to the sinks, under this name.
pub(crate) fn send(name: &str, record: &Record<'_>) {
    send_named(name, record, None, |names| names.find(name));
}

/// Sends a record under a `'static` name.
pub(crate) fn send_static(name: &'static str, record: &Record<'_>) {
    send_named(name, record, None, |names| names.find_static(name));
}

/// Sends a record whose backtrace has no symbols yet.
pub(crate) fn send_unresolved(name: &str, record: &Record<'_>, trace: &Arc<Unresolved>) {
    send_named(name, record, Some(trace), |names| names.find(name));
}

// Inlined, so that a line without a backtrace has no branch for one.
#[inline]
fn send_named(
    name: &str,
    record: &Record<'_>,
    trace: Option<&Arc<Unresolved>>,
    find: impl FnOnce(&mut NameCache) -> NameSlot,
) {
    if capture::any() && capture::take(name, record, trace) {
        return;
    }
    if in_forked_child() {
        return sinks::count_dropped(record.level());
    }
    deliver(name, record, trace, find, |file, producer, slot| match trace {
        None => file.accept(producer, slot, record),
        Some(trace) => file.accept_unresolved(producer, slot, record, trace),
    });
}

/// Sends a record from the writer itself, which must not wait for room in its own queue.
#[cold]
pub(crate) fn send_at_once(name: &str, record: &Record<'_>) {
    let find = |names: &mut NameCache| names.find(name);
    deliver(name, record, None, find, |file, producer, slot| file.accept_at_once(producer, slot, record));
}

/// Gives a record to the file by `accept` and to the console, if its level is allowed.
#[inline]
fn deliver(
    name: &str,
    record: &Record<'_>,
    trace: Option<&Arc<Unresolved>>,
    find: impl FnOnce(&mut NameCache) -> NameSlot,
    accept: impl FnOnce(&FileSink, Producer<'_>, NameSlot),
) {
    let console = thread::with(|local| {
        let (routing, producer) = local.parts();
        let routing = refreshed(routing)?;
        let names = &mut producer.encoder.names;
        let slot = find(names);
        if !routing.allows(record.level(), names, slot) {
            return None;
        }
        accept(&routing.sinks.file, producer, slot);
        routing.sinks.console.clone()
    });
    // Outside of `with`, so that a `Display` that logs while the console renders it finds the thread's buffers.
    if let Some(console) = console {
        show(&console, name, record, trace);
    }
}

/// Sends a record to the console in its format.
fn show(console: &ConsoleSink, name: &str, record: &Record<'_>, trace: Option<&Arc<Unresolved>>) {
    let ConsoleSink { terminal, redact, format } = console;
    match format {
        ConsoleFormat::Text => terminal.accept(name, record, redact, trace),
        ConsoleFormat::Json => thread::with(|local| {
            terminal.accept_json(&mut local.encoder, name, record, redact, trace);
        }),
    }
}

/// Returns the routing in force. A thread keeps it in `kept` until there is another one.
#[inline]
fn refreshed(kept: &mut Option<Arc<Routing>>) -> Option<&Routing> {
    // Acquire: pairs with the store in `set_routing`.
    let number = NUMBER.load(Ordering::Acquire);
    if kept.as_ref().map_or(0, |routing| routing.number) != number {
        replace(kept);
    }
    kept.as_deref()
}

#[cold]
fn replace(kept: &mut Option<Arc<Routing>>) {
    kept.clone_from(&lock(&ROUTING));
}
