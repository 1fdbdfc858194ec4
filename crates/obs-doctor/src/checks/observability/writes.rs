//! `log_writes`: the log is written, and no line is lost.

use super::facts::{age, counted, known, log_dir};
use crate::check::Context;
use crate::observability::LogState;
use crate::report::CheckResult;
use crate::text::shell_path;

/// Time for which a write error or a dropped line is a fault, although the log may be written again: three runs of a node's
/// own checks, so that an alert on them sees a disk that was full for a moment.
const FAULT_SECONDS: u64 = 15 * 60;
/// Time for which it is still mentioned.
const MENTION_SECONDS: u64 = 24 * 60 * 60;

/// Checks that the running node writes its log, and has dropped no line lately.
pub(in crate::checks) fn writes(cx: &Context) -> CheckResult {
    let log = match known(cx, |state| state.log) {
        Ok(log) => log,
        Err(result) => return result,
    };
    let folder = log_dir(cx).map_or_else(|_| "LOG_DIR".to_owned(), shell_path);
    judge(&log, &folder)
        .evidence("written", log.written)
        .evidence("dropped", log.dropped)
        .evidence("write_errors", log.write_errors)
}

fn judge(log: &LogState, folder: &str) -> CheckResult {
    let errors = counted(log.write_errors, "write error");
    let dropped = counted(log.dropped, "line");
    if let Some(seconds) = log.write_error_seconds_ago.filter(|seconds| *seconds <= FAULT_SECONDS) {
        return CheckResult::fail(format!("{errors}, the last one at most {} ago", age(seconds))).fix(format!(
            "see what is full or not writable with `df -h {folder}`, `df -i {folder}` and `ls -la {folder}`; the node tries \
             again by itself, and {} after the last error this only warns",
            age(FAULT_SECONDS)
        ));
    }
    if let Some(seconds) = log.dropped_seconds_ago.filter(|seconds| *seconds <= FAULT_SECONDS) {
        return CheckResult::fail(format!("{dropped} dropped, the last one at most {} ago", age(seconds))).fix(format!(
            "find what logs so much with `hearthnet log`, and set `[observability] log_level = \"warning\"` or a faster \
             disk as `log_dir`; {} after the last loss this only warns",
            age(FAULT_SECONDS)
        ));
    }
    let last = log.write_error_seconds_ago.into_iter().chain(log.dropped_seconds_ago).min();
    match last.filter(|seconds| *seconds <= MENTION_SECONDS) {
        Some(seconds) => {
            CheckResult::warn(format!("{errors} and {dropped} dropped, none for {}", age(seconds)))
                .fix("nothing now: the log is written again; the reason was printed on the node's stderr")
        }
        None => CheckResult::pass(format!("{} written, no recent loss", counted(log.written, "line"))),
    }
}
