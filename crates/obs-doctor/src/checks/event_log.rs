//! `event_log_writable`: SQLite takes a write to the event log, which is then taken back.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::community;
use crate::check::Context;
use crate::paths::{shell, tilde};
use crate::result::CheckResult;

const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Every community's event log takes a write.
pub(super) fn writable(cx: &Context) -> CheckResult {
    let communities = match community::of_this_node(&cx.config) {
        Ok(communities) => communities,
        Err(problem) => return problem,
    };
    let paths: Vec<PathBuf> =
        communities.iter().map(|community| community.folder.join("events.sqlite")).collect();
    let results =
        paths.iter().map(|path| probe(path).unwrap_or_else(|problem| problem).evidence("path", tilde(path)));
    // The worst of them: a failure, else a warning, else the last that is well.
    let worst = results.max_by_key(|result| (!result.ok, result.fix.is_some()));
    worst.unwrap_or_else(|| CheckResult::fail("no community").fix("run `hearthnet init`"))
}

fn probe(path: &Path) -> Result<CheckResult, CheckResult> {
    refuse_what_is_no_database(path)?;
    if size(&beside(path, "-journal")).is_some_and(|bytes| bytes > 0) {
        // Opening it would roll that journal back: a change (D4), and the node's to make.
        return Err(CheckResult::warn("a rollback journal is there: a writer is at work, or one crashed")
            .fix("start the node once, which takes the journal back in"));
    }
    let explain = |err| explain(path, &err);
    let log = open(path).map_err(explain)?;
    let mode = write_and_take_back(&log).map_err(explain)?;
    if !has_events(&log).map_err(explain)? {
        return Err(CheckResult::fail(format!("{} has no table `events`", tilde(path))).fix(fix_broken(path)));
    }
    Ok(CheckResult::pass(format!("events.sqlite takes writes, journal mode {mode}")))
}

/// Looks at the name alone: opening and closing the file would drop the locks of a node in this process.
fn refuse_what_is_no_database(path: &Path) -> Result<(), CheckResult> {
    let shown = tilde(path);
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(()),
        Ok(_) => Err(CheckResult::fail(format!("{shown} is not a file")).fix(fix_broken(path))),
        Err(err) if err.kind() == ErrorKind::NotFound => {
            Err(CheckResult::fail(format!("no event log at {shown}")).fix("run `hearthnet init`"))
        }
        Err(err) => Err(CheckResult::fail(format!("{shown} cannot be reached: {err}"))
            .fix("give the node's user access to the community's folder")),
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // A `-wal` that is there is left as it is; one that this connection makes goes with it.
    let keep_wal = size(&beside(path, "-wal")).is_some();
    let log = Connection::open_with_flags(path, flags)?;
    log.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_wal)?;
    log.busy_timeout(BUSY_TIMEOUT)?;
    Ok(log)
}

/// `BEGIN IMMEDIATE` alone takes a lock on a file that is mode 0444; only a write tells.
fn write_and_take_back(log: &Connection) -> rusqlite::Result<String> {
    let mode = log.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let version: i64 = log.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    log.execute_batch("BEGIN IMMEDIATE")?;
    let written = log.execute_batch(&format!("PRAGMA user_version = {version}"));
    let taken_back = log.execute_batch("ROLLBACK");
    written.and(taken_back).map(|()| mode)
}

fn has_events(log: &Connection) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'events'";
    log.query_row(query, [], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

fn explain(path: &Path, err: &rusqlite::Error) -> CheckResult {
    let shown = tilde(path);
    let folder = path.parent().unwrap_or(path);
    let fix_access = format!("make {} and its folder writable for the node's user", shell(path));
    match err.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            CheckResult::warn(format!("{shown} is being written to by somebody, so it is writable"))
                .fix("nothing, unless it stays so: then find who has it open with `lsof`")
        }
        Some(ErrorCode::ReadOnly) if is_on_read_only_mount(folder) => {
            CheckResult::fail(format!("{shown} is on a file system that is mounted read-only"))
                .fix("look for disk errors (`dmesg`), then mount it writable again")
        }
        Some(ErrorCode::ReadOnly) => {
            CheckResult::fail(format!("{shown} is read-only: {err}")).fix(fix_access)
        }
        Some(
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied,
        ) => {
            let why = if is_on_read_only_mount(folder) { "it is on a read-only mount" } else { "no access" };
            CheckResult::fail(format!("{shown} cannot be opened for writing: {why}")).fix(fix_access)
        }
        Some(ErrorCode::NotADatabase) => {
            CheckResult::fail(format!("{shown} is not an SQLite database")).fix(fix_broken(path))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            CheckResult::fail(format!("{shown} is damaged: {err}")).fix(fix_broken(path))
        }
        Some(ErrorCode::DiskFull) => {
            CheckResult::fail(format!("no room to write to {shown}")).fix("free space on its disk")
        }
        _ => CheckResult::fail(format!("{shown} cannot be written to: {err}"))
            .fix("look at the disk (`dmesg`), and at who has the file open (`lsof`)"),
    }
    .evidence("sqlite", code(err))
}

fn code(err: &rusqlite::Error) -> String {
    let extended = err.sqlite_error().map_or(ffi::SQLITE_ERROR, |err| err.extended_code);
    format!("{} ({extended})", ffi::code_to_str(extended))
}

fn is_on_read_only_mount(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|stat| stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

fn fix_broken(path: &Path) -> String {
    format!(
        "restore {} from a backup, or move it away and run `hearthnet init`: peers send its events again",
        shell(path)
    )
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|meta| meta.len())
}
