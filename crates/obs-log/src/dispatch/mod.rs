//! Which line goes where: fern says by level and name what may be logged (L6).
//!
//! fern splits names on `::` only, so it gets them in that form. It is asked once for each name that a thread uses,
//! and the thread remembers the answer until the routing changes.

pub(crate) mod pipeline;
pub(crate) mod sinks;
pub(crate) mod thread;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use log::{Level, LevelFilter, Log, Metadata, Record};

use self::thread::Caller;
use crate::api::flush;
use crate::api::testing;
use crate::backtrace::Unresolved;
use crate::config::error::{Error, ErrorKind};
use crate::config::levels::Levels;
use crate::dispatch::sinks::Sinks;
use crate::json::cache::names::{Found, NameCache};
use crate::process::at_exit;
use crate::sync::lock;

/// The routing in force; none before the first `configure`.
static LIVE: Mutex<Option<Arc<Live>>> = Mutex::new(None);
/// Its number, 0 for none.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A routing.
#[derive(Debug)]
pub(crate) struct Live {
    number: u64,
    router: Router,
    most_verbose: LevelFilter,
    sinks: Sinks,
}

struct Router(Box<dyn Log>);

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Router")
    }
}

/// Routes by `levels` to `sinks` from now on.
pub(crate) fn set_live(levels: &Levels, sinks: Sinks) {
    let mut live = lock(&LIVE);
    let number = NUMBER.load(Ordering::Relaxed) + 1;
    let router = Router::new(levels);
    *live = Some(Arc::new(Live { number, router, most_verbose: levels.most_verbose(), sinks }));
    NUMBER.store(number, Ordering::Release);
    drop(live);
    refresh_max_level();
}

/// Lets through the `log` macros' own check what any logger or capture wants.
pub(crate) fn refresh_max_level() {
    static ORDER: Mutex<()> = Mutex::new(());
    let _one_at_a_time = lock(&ORDER);
    let live = lock(&LIVE).as_ref().map_or(LevelFilter::Off, |live| live.most_verbose);
    log::set_max_level(if testing::any() { LevelFilter::Trace } else { live });
}

/// Makes this crate the receiver of the `log` crate.
pub(crate) fn install() -> Result<(), Error> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = lock(&INSTALLED);
    if !*installed {
        log::set_logger(&Receiver).map_err(|_| {
            let message =
                "another logger is installed in the `log` crate; remove it, obs-log has to be the only one";
            Error::new(ErrorKind::OtherLogger, message)
        })?;
        *installed = true;
    }
    Ok(())
}

/// What the `log` crate calls, for lines without a `logger:`.
struct Receiver;

impl Log for Receiver {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        enabled(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        send(record.target(), record);
    }

    fn flush(&self) {
        flush::lines(flush::PATIENCE);
    }
}

/// Whether a line would go anywhere.
pub(crate) fn enabled(name: &str, level: Level) -> bool {
    if testing::any() && testing::entered() {
        return true;
    }
    !at_exit::in_forked_child()
        && thread::with(|local| {
            let (live, Caller { encoder, .. }) = local.parts();
            let found = encoder.names.find(name);
            refreshed(live).is_some_and(|live| live.allows(level, &mut encoder.names, found))
        })
}

/// Sends a record to the thread's capture or to the sinks, under this name.
pub(crate) fn send(name: &str, record: &Record<'_>) {
    send_found(name, record, None, |names| names.find(name));
}

/// The same under a name that stays where it is.
pub(crate) fn send_static(name: &'static str, record: &Record<'_>) {
    send_found(name, record, None, |names| names.find_static(name));
}

/// Sends a record whose backtrace has no symbols yet.
pub(crate) fn send_unresolved(name: &str, record: &Record<'_>, trace: &Arc<Unresolved>) {
    send_found(name, record, Some(trace), |names| names.find(name));
}

// Inlined, so that a line without a backtrace does not ask for one.
#[inline]
fn send_found(
    name: &str,
    record: &Record<'_>,
    trace: Option<&Arc<Unresolved>>,
    find: impl FnOnce(&mut NameCache) -> Found,
) {
    if testing::any() && testing::take(name, record, trace) {
        return;
    }
    if at_exit::in_forked_child() {
        return flush::count_dropped(record.level());
    }
    let console = thread::with(|local| {
        let (live, caller) = local.parts();
        let live = refreshed(live)?;
        let names = &mut caller.encoder.names;
        let found = find(names);
        if !live.allows(record.level(), names, found) {
            return None;
        }
        match trace {
            None => live.sinks.file.accept(caller, found, record),
            Some(trace) => live.sinks.file.accept_unresolved(caller, found, record, trace),
        }
        live.sinks.console.clone()
    });
    if let Some(console) = console {
        console.accept(name, record, trace);
    }
}

/// The routing in force, which a thread keeps: `kept` is exchanged when there is another one.
#[inline]
fn refreshed(kept: &mut Option<Arc<Live>>) -> Option<&Live> {
    let number = NUMBER.load(Ordering::Acquire);
    if kept.as_ref().map_or(0, |live| live.number) != number {
        exchange(kept);
    }
    kept.as_deref()
}

#[cold]
fn exchange(kept: &mut Option<Arc<Live>>) {
    kept.clone_from(&lock(&LIVE));
}

impl Live {
    #[inline]
    fn allows(&self, level: Level, names: &mut NameCache, found: Found) -> bool {
        level <= names.level(found, self.number, |name, path| self.router.level(name, path))
    }
}

impl Router {
    fn new(levels: &Levels) -> Router {
        let mut dispatch = fern::Dispatch::new().level(levels.default);
        for (name, level) in &levels.directives {
            dispatch = dispatch.level_for(name.clone(), *level);
        }
        let (_, router) = dispatch.chain(Box::new(Anything) as Box<dyn Log>).into_log();
        Router(router)
    }

    /// The most verbose level that this name may log. `path` is a buffer for the name in fern's form.
    fn level(&self, name: &str, path: &mut String) -> LevelFilter {
        path.clear();
        for (at, part) in name.split('.').enumerate() {
            path.push_str(if at == 0 { "" } else { "::" });
            path.push_str(part);
        }
        let allows = |level: &Level| self.0.enabled(&Metadata::builder().level(*level).target(path).build());
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
        levels.iter().find(|level| allows(level)).map_or(LevelFilter::Off, Level::to_level_filter)
    }
}

/// fern's way to us, which takes whatever fern lets through.
struct Anything;

impl Log for Anything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &Record<'_>) {}

    fn flush(&self) {}
}
