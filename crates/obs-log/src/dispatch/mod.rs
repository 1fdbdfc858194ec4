//! Dispatch of a record: from the `log` macros to a test's capture or to the sinks.

pub(crate) mod capture;
pub(crate) mod echo;
pub(crate) mod observer;
pub(crate) mod pipeline;
pub(crate) mod rate_table;
mod routing;
pub(crate) mod sinks;
mod thread;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use log::{Level, LevelFilter, Log, Metadata, Record};

use self::echo::{Entry, is_echo};
use self::pipeline::Producer;
use self::routing::Routing;
use self::sinks::{ConsoleSink, FileSink, Sinks};
use crate::backtrace::Unresolved;
use crate::config::ConsoleFormat;
use crate::config::error::{Error, ErrorKind};
use crate::config::levels::Levels;
use crate::json::cache::Address;
use crate::json::cache::names::{NameCache, NameSlot};
use crate::process::fork::in_forked_child;
use crate::record::encode::Found;
use crate::record::source::Source;
use crate::sync::lock;

/// Routing in force. `None` before the first `configure`.
static ROUTING: Mutex<Option<Arc<Routing>>> = Mutex::new(None);

/// Number of the routing in force, or 0. A thread compares it with one load a line instead of taking the lock.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Function that is called after a change of levels.
static ON_LEVELS: OnceLock<fn()> = OnceLock::new();

/// Whether this crate is the logger of the `log` crate.
static INSTALLED: AtomicBool = AtomicBool::new(false);

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
    levels_changed();
}

/// Has `changed` called after each change of levels.
pub(crate) fn on_change_of_levels(changed: fn()) {
    ON_LEVELS.get_or_init(|| changed);
}

fn levels_changed() {
    if let Some(changed) = ON_LEVELS.get() {
        changed();
    }
}

/// Refreshes what depends on whether a test captures, after it has entered or left a scope.
pub(crate) fn capture_changed(is_first: bool) {
    refresh_max_level();
    if is_first {
        levels_changed();
    }
}

/// Most verbose level of the routing in force.
pub(crate) fn most_verbose() -> LevelFilter {
    lock(&ROUTING).as_ref().map_or(LevelFilter::Off, |routing| routing.most_verbose)
}

/// Routes by `levels` to the sinks in force from now on. Without a routing it does nothing.
pub(crate) fn set_levels(levels: &Levels) {
    let sinks = lock(&ROUTING).as_ref().map(|routing| routing.sinks.clone());
    if let Some(sinks) = sinks {
        set_routing(levels, sinks);
    }
}

/// Sets the level up to which the `log` macros pass lines on: that of the routing, or everything while a test captures.
fn refresh_max_level() {
    // Threads that refresh at once must not store in another order than they read.
    static LEVELS: Mutex<OtherLevels> = Mutex::new(OtherLevels { theirs: LevelFilter::Off, set: None });
    let mut others = lock(&LEVELS);
    let level = if capture::any() { LevelFilter::Trace } else { most_verbose() };
    // Relaxed: a process whose logger is installed meanwhile refreshes again.
    log::set_max_level(if INSTALLED.load(Ordering::Relaxed) { level } else { others.raised(level) });
}

/// Level of another crate's logger, which must not be lowered.
struct OtherLevels {
    theirs: LevelFilter,
    /// Level that was set here last.
    set: Option<LevelFilter>,
}

impl OtherLevels {
    fn raised(&mut self, level: LevelFilter) -> LevelFilter {
        let current = log::max_level();
        if self.set != Some(current) {
            self.theirs = current;
        }
        *self.set.insert(self.theirs.max(level))
    }
}

/// Installs this crate as the logger of the `log` crate.
pub(crate) fn install() -> Result<(), Error> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _installing = lock(&ONE_AT_A_TIME);
    if !INSTALLED.load(Ordering::Relaxed) {
        log::set_logger(&Receiver).map_err(|_| {
            Error::new(
                ErrorKind::OtherLogger,
                "`log::set_logger` has installed another logger, as `env_logger::init` and `tracing_subscriber::fmt::init` do",
                "set `install_logger(false)` and have it pass each record on: `obs_log::logger().log(record)`; that of \
                 `tracing-subscriber` cannot: add `obs_tracing::layer()` to its stack",
            )
        })?;
        INSTALLED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Returns the logger that another one may call.
pub(crate) fn handed() -> &'static dyn Log {
    &Handed
}

/// Logger of the `log` crate, for lines without a `logger:`.
struct Receiver;

/// The same logger for another one that passes its records on.
struct Handed;

impl Log for Receiver {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        enabled(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        if !is_echo(record, Entry::Installed) {
            send_target(record);
        }
    }

    fn flush(&self) {
        sinks::flush(sinks::FLUSH_PATIENCE);
    }
}

impl Log for Handed {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Receiver.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !is_echo(record, Entry::Handed) {
            send_target(record);
        }
    }

    fn flush(&self) {
        Receiver.flush();
    }
}

/// Whether a line would reach a capture or a sink.
pub(crate) fn enabled(name: &str, level: Level) -> bool {
    if capture::any() && capture::entered() {
        return true;
    }
    !in_forked_child() && allows(name, level)
}

/// Whether the levels in force let a line through.
pub(crate) fn allows(name: &str, level: Level) -> bool {
    thread::with(|local| {
        let (routing, producer) = local.parts();
        let names = &mut producer.encoder.names;
        let slot = names.find(name);
        refreshed(routing).is_some_and(|routing| routing.allows(level, names, slot))
    })
}

/// Sends a record to the thread's capture or to the sinks, under this name.
pub(crate) fn send(name: &str, record: &Record<'_>) {
    send_named(Name::Any(name), record);
}

/// Sends a record under a `'static` name.
pub(crate) fn send_static(name: &'static str, record: &Record<'_>) {
    send_named(Name::Static(name), record);
}

/// Sends a record under its target.
fn send_target(record: &Record<'_>) {
    // The target of a `log` macro is the path of its module, unless it has another one.
    match record.module_path_static().filter(|path| std::ptr::eq(*path, record.target())) {
        Some(path) => send_static(path, record),
        None => send(record.target(), record),
    }
}

/// Name of a logger.
#[derive(Clone, Copy)]
enum Name<'a> {
    /// Told by its address.
    Static(&'static str),
    Any(&'a str),
}

#[inline]
fn send_named(name: Name<'_>, record: &Record<'_>) {
    let (Name::Static(text) | Name::Any(text)) = name;
    if capture::any() && capture::take(text, record, None) {
        return;
    }
    if in_forked_child() {
        return sinks::count_dropped(record.level());
    }
    if let Some(further) = deliver_by_site(name, record) {
        further.show(text, record, None);
    }
}

/// Sends a record whose backtrace has no symbols yet.
pub(crate) fn send_unresolved(name: &str, record: &Record<'_>, trace: &Arc<Unresolved>) {
    if capture::any() && capture::take(name, record, Some(trace)) {
        return;
    }
    if in_forked_child() {
        return sinks::count_dropped(record.level());
    }
    let find = |names: &mut NameCache| names.find(name);
    let accept =
        |file: &FileSink, producer: Producer<'_>, slot| file.accept_unresolved(producer, slot, record, trace);
    if let Some(further) = deliver(record.level(), find, accept) {
        further.show(name, record, Some(trace));
    }
}

/// Sends an event under a `'static` name.
pub(crate) fn send_event(name: &'static str, event: &impl Source) {
    if capture::any() || in_forked_child() {
        return event.with_record(&mut |record| send_static(name, record));
    }
    let accepted = deliver_by_site(Name::Static(name), event);
    // Most events are for the file alone, and are visited once.
    if let Some(further) = accepted.filter(|further| further.wants(event.level())) {
        event.with_record(&mut |record| further.show(name, record, None));
    }
}

/// Sends a record from the writer itself, which must not wait for room in its own queue.
#[cold]
pub(crate) fn send_at_once(name: &str, record: &Record<'_>) {
    let find = |names: &mut NameCache| names.find(name);
    let accept = |file: &FileSink, producer: Producer<'_>, slot| file.accept_at_once(producer, slot, record);
    if let Some(further) = deliver(record.level(), find, accept) {
        further.show(name, record, None);
    }
}

/// Takers of a line that the file has accepted.
// They are for the caller of `deliver`, so that a `Display` that logs while the console renders it finds the thread's buffers.
struct Further(Option<Arc<ConsoleSink>>);

impl Further {
    /// Whether there is one for lines of this level.
    fn wants(&self, level: Level) -> bool {
        self.0.is_some() || observer::wants(level)
    }

    #[inline]
    fn show(&self, name: &str, record: &Record<'_>, trace: Option<&Arc<Unresolved>>) {
        if let Some(console) = &self.0 {
            show(console, name, record, trace);
        }
        observer::show(name, record);
    }
}

/// Gives a line to the file: as a record if its site is known, else rendered. `None` if its level is not allowed.
// Inlined, so that each kind of name and of line has code of its own.
#[inline(always)]
fn deliver_by_site(name: Name<'_>, source: &impl Source) -> Option<Further> {
    thread::with(|local| {
        let (routing, mut producer) = local.parts();
        let routing = refreshed(routing)?;
        let file = &routing.sinks.file;
        let names = &mut producer.encoder.names;
        let (address, known) = match name {
            Name::Static(name) => (Some(Address::of(name)), None),
            Name::Any(name) => {
                let slot = names.find(name);
                (names.address(slot), Some(slot))
            }
        };
        let identity = address.and_then(|address| source.identity(address, routing.number));
        let found = identity.map_or(Found::Unfit, |identity| producer.records.find(&identity));
        if let Found::Site(site) = found
            && file.pipeline.accept_record(&mut producer, site, source, &file.redact)
        {
            return Some(Further(routing.sinks.console.clone()));
        }
        let names = &mut producer.encoder.names;
        let slot = match name {
            Name::Static(name) => names.find_static(name),
            Name::Any(_) => known?,
        };
        if !routing.allows(source.level(), names, slot) {
            return None;
        }
        if let (Some(identity), Found::Unknown) = (identity, found) {
            let (records, encoder) = (&mut *producer.records, &mut *producer.encoder);
            source.with_record(&mut |record| records.learn(identity, encoder, slot, record, &file.redact));
        }
        file.accept(producer, slot, source);
        Some(Further(routing.sinks.console.clone()))
    })
}

/// Gives a line to the file by `accept`. `None` if its level is not allowed.
#[inline]
fn deliver(
    level: Level,
    find: impl FnOnce(&mut NameCache) -> NameSlot,
    accept: impl FnOnce(&FileSink, Producer<'_>, NameSlot),
) -> Option<Further> {
    thread::with(|local| {
        let (routing, producer) = local.parts();
        let routing = refreshed(routing)?;
        let names = &mut producer.encoder.names;
        let slot = find(names);
        if !routing.allows(level, names, slot) {
            return None;
        }
        accept(&routing.sinks.file, producer, slot);
        Some(Further(routing.sinks.console.clone()))
    })
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
