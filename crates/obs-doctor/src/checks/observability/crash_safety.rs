//! `log_crash_safety`: a kill of the node loses no line.

use super::facts::{known, log_dir};
use super::handover::{PREFIX, find};
use crate::check::Context;
use crate::report::CheckResult;
use crate::text::shell_path;

/// Number of files left behind from which on no process adds another.
const MAX_LEFT: usize = 16;

/// Checks that the running node's lines survive its kill.
pub(in crate::checks) fn crash_safety(cx: &Context) -> CheckResult {
    let log = match known(cx, |state| state.log) {
        Ok(log) => log,
        Err(result) => return result,
    };
    if log.crash_safe {
        return CheckResult::pass("lines survive a kill of the node");
    }
    let dir = log_dir(cx).ok();
    let folder = dir.map_or_else(|| "LOG_DIR".to_owned(), shell_path);
    let left = dir.map_or(0, |dir| find(cx.machine.files.as_ref(), dir).left.len());
    if left >= MAX_LEFT {
        return CheckResult::fail(format!(
            "{left} hand-over files are left, so the node makes none of its own"
        ))
        .fix(format!(
            "restart the node, which writes their lines into the log; if they stay, stop the node and `rm \
             {folder}/{PREFIX}*`, which loses the lines in them"
        ));
    }
    CheckResult::fail("a kill of the node loses its last lines: it has no hand-over file").fix(format!(
        "if `df -h {folder}` shows a full disk, free space on it, and the node makes the file by itself within a minute; \
         otherwise set `[observability] log_dir` to a local disk and restart the node"
    ))
}
