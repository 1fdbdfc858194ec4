//! Checks of observability itself: the log, the export of traces, the last stop, and steps of the clock.
//!
//! The folder of the log is read from the file system, with or without a node. Everything else is known to the running node
//! alone ([`CapabilityBus::observability`](crate::CapabilityBus::observability)).

mod clock_steps;
mod crash_safety;
mod export;
mod folder;
mod handover;
mod last_stop;
mod writes;

pub(super) use self::clock_steps::steps as clock_steps;
pub(super) use self::crash_safety::crash_safety;
pub(super) use self::export::export;
pub(super) use self::folder::folder;
pub(super) use self::handover::handover;
pub(super) use self::last_stop::last_stop;
pub(super) use self::writes::writes;

use super::capabilities::without_answer;
use crate::check::Context;
use crate::observability::Observability;
use crate::report::{CheckResult, SkipReason};

/// Returns a part of the state of the running node, or the skip that says why it is not known.
fn known<T>(cx: &Context, part: impl FnOnce(Observability) -> Option<T>) -> Result<T, CheckResult> {
    let state = cx.bus.observability().map_err(|err| without_answer(&err))?;
    part(state).ok_or_else(|| CheckResult::skip(SkipReason::Unsupported, "the running node does not tell"))
}

/// Returns the log folder, or the skip where none is configured.
fn log_dir(cx: &Context) -> Result<&std::path::Path, CheckResult> {
    let skip = || CheckResult::skip(SkipReason::NotConfigured, "no log folder is configured");
    cx.config.log_dir.as_deref().ok_or_else(skip)
}

/// Returns `count` with its noun, which gets an s where it is not one.
fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Returns an age as people say it.
fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
