//! Facts that several of these checks need, and their wording.

use super::super::capabilities::without_answer;
use crate::check::Context;
use crate::observability::Observability;
use crate::report::{CheckResult, SkipReason};

/// Returns a part of the state of the running node, or the skip that says why it is not known.
pub(super) fn known<T>(
    cx: &Context,
    part: impl FnOnce(Observability) -> Option<T>,
) -> Result<T, CheckResult> {
    let state = cx.bus.observability().map_err(|err| without_answer(&err))?;
    part(state).ok_or_else(|| CheckResult::skip(SkipReason::Unsupported, "the running node does not tell"))
}

/// Returns the log folder, or the skip where none is configured.
pub(super) fn log_dir(cx: &Context) -> Result<&std::path::Path, CheckResult> {
    let skip = || CheckResult::skip(SkipReason::NotConfigured, "no log folder is configured");
    cx.config.log_dir.as_deref().ok_or_else(skip)
}

/// Returns `count` with its noun, which gets an s where it is not one.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Returns an age as people say it.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
