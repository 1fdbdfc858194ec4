//! Levels of spans and events: those of the log.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use log::Level;
use obs_log::bridge;
use tracing_core::subscriber::Interest;
use tracing_core::{LevelFilter, Metadata, callsite};

use crate::places;

/// Whether the bridge observes anything. A dispatcher cannot be taken back, so it is told to be silent.
static ON: AtomicBool = AtomicBool::new(true);

/// Returns whether the bridge will observe a callsite, as the level of the log says now.
pub(crate) fn interest(metadata: &'static Metadata<'static>) -> Interest {
    places::note(metadata);
    match () {
        () if !is_on() => Interest::never(),
        () if bridge::allows(metadata.target(), level_of(metadata)) => Interest::always(),
        // Whether a test captures on a thread is known only there.
        () if bridge::captures() => Interest::sometimes(),
        () => Interest::never(),
    }
}

/// Returns whether the level of the log lets a span or event of this target and level through.
pub(crate) fn enabled(metadata: &Metadata<'_>) -> bool {
    is_on() && bridge::enabled(metadata.target(), level_of(metadata))
}

/// Returns the most verbose level that the log lets through for any target.
pub(crate) fn max_level() -> Option<LevelFilter> {
    let level = match bridge::max_level() {
        _ if !is_on() => log::LevelFilter::Off,
        _ if bridge::captures() => log::LevelFilter::Trace,
        level => level,
    };
    Some(match level {
        log::LevelFilter::Off => LevelFilter::OFF,
        log::LevelFilter::Error => LevelFilter::ERROR,
        log::LevelFilter::Warn => LevelFilter::WARN,
        log::LevelFilter::Info => LevelFilter::INFO,
        log::LevelFilter::Debug => LevelFilter::DEBUG,
        log::LevelFilter::Trace => LevelFilter::TRACE,
    })
}

/// Returns the level of a callsite as the `log` crate names it.
#[inline]
pub(crate) fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing_core::Level::ERROR => Level::Error,
        tracing_core::Level::WARN => Level::Warn,
        tracing_core::Level::INFO => Level::Info,
        tracing_core::Level::DEBUG => Level::Debug,
        tracing_core::Level::TRACE => Level::Trace,
    }
}

/// Makes the bridge observe, or stay silent.
pub(crate) fn turn(on: bool) {
    // Relaxed: the flag stands alone. Callsites cache what follows from it, so they are asked again.
    if ON.swap(on, Ordering::Relaxed) != on {
        callsite::rebuild_interest_cache();
    }
}

/// Has every callsite ask again whenever the levels of the log change.
pub(crate) fn follow() {
    static FOLLOWED: Once = Once::new();
    FOLLOWED.call_once(|| {
        bridge::on_change_of_levels(callsite::rebuild_interest_cache);
        // The log may have got its levels before.
        callsite::rebuild_interest_cache();
    });
}

/// Whether the bridge observes anything.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}
