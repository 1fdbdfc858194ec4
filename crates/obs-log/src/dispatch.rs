//! Which line goes where: fern routes by level and name to our sinks (L6).
//!
//! fern splits names on `::` only, and whatever is behind a `.format` loses its fields. So names are handed to it in
//! `::` form, and the sinks get the record as it was made.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use log::{LevelFilter, Log, Metadata, Record};

use crate::batch::lock;
use crate::capture;
use crate::error::{Error, ErrorKind};
use crate::flush;
use crate::level::Levels;

/// The routing in force; none before the first `configure`.
static LIVE: ArcSwapOption<Live> = ArcSwapOption::const_empty();

#[derive(Debug)]
struct Live {
    root: Root,
    levels: Levels,
}

struct Root(Box<dyn Log>);

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

/// Routes by `levels` to `sinks` from now on.
pub(crate) fn set_live(levels: Levels, sinks: Vec<Box<dyn Log>>) {
    let mut dispatch = fern::Dispatch::new().level(levels.default);
    for (name, level) in &levels.directives {
        dispatch = dispatch.level_for(name.clone(), *level);
    }
    let (_, root) = sinks.into_iter().fold(dispatch, fern::Dispatch::chain).into_log();
    LIVE.store(Some(Arc::new(Live { root: Root(root), levels })));
    refresh_max_level();
}

/// Lets through the `log` macros' own check what any logger or capture wants.
pub(crate) fn refresh_max_level() {
    static ORDER: Mutex<()> = Mutex::new(());
    let _one_at_a_time = lock(&ORDER);
    let live = LIVE.load().as_ref().map_or(LevelFilter::Off, |live| live.levels.most_verbose());
    log::set_max_level(if capture::any() { LevelFilter::Trace } else { live });
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
        enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        send(record);
    }

    fn flush(&self) {
        flush::lines(flush::PATIENCE);
    }
}

/// Whether a line would go anywhere.
pub(crate) fn enabled(metadata: &Metadata<'_>) -> bool {
    if capture::any() && capture::entered() {
        return true;
    }
    LIVE.load().as_ref().is_some_and(|live| {
        let path = live.path(metadata.target());
        live.root.0.enabled(&Metadata::builder().level(metadata.level()).target(&path).build())
    })
}

/// Sends a record to the thread's capture or to the sinks.
pub(crate) fn send(record: &Record<'_>) {
    if capture::any() && capture::take(record) {
        return;
    }
    let live = LIVE.load();
    let Some(live) = &*live else { return };
    match live.path(record.target()) {
        Cow::Borrowed(_) => live.root.0.log(record),
        Cow::Owned(path) => live.root.0.log(&record.to_builder().target(&path).build()),
    }
}

impl Live {
    /// `name` as fern needs it: changed only when a directive could tell the difference.
    fn path<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.levels.directives.is_empty() || !name.contains('.') {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(name.replace('.', "::"))
        }
    }
}
