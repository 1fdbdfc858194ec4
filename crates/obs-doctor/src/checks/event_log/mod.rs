//! `event_log_writable`: SQLite accepts a write to the event log, which is then rolled back.
//!
//! A node runs this check in its own process (`GET /doctor`) while it has the database open. SQLite's locks are POSIX record
//! locks, and `close` of any descriptor drops all locks of the process on the file. So the check opens the database through
//! SQLite only, which defers such closes, and reads everything else by name.

mod folder_time;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use self::folder_time::FolderTime;
use super::community;
use crate::check::Context;
use crate::machine::{Machine, may_write};
use crate::report::CheckResult;
use crate::text::{shell_path, tilde};

/// Wait for another writer. A node's transactions take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Checks that the event log of each community accepts a write.
pub(super) fn writable(cx: &Context) -> CheckResult {
    let communities = match community::of_this_node(cx.machine.files.as_ref(), &cx.config) {
        Ok(communities) => communities,
        Err(problem) => return problem,
    };
    let paths: Vec<PathBuf> =
        communities.iter().map(|community| community.folder.join("events.sqlite")).collect();
    let results = paths
        .iter()
        .map(|path| probe(&cx.machine, path).unwrap_or_else(|problem| problem).evidence("path", tilde(path)));
    // The worst result: a failure, else a warning, else the last pass.
    // `max_by_key` returns the last of equal results.
    let worst = results.max_by_key(|result| (!result.ok, result.fix.is_some()));
    worst.unwrap_or_else(|| CheckResult::fail("no community").fix("run `hearthnet init`"))
}

fn probe(machine: &Machine, path: &Path) -> Result<CheckResult, CheckResult> {
    Files { machine, path }.require_file()?;
    // SQLite keeps journal and `-wal` beside the target of a symbolic link.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let files = Files { machine, path };
    if files.size("-journal").is_some_and(|bytes| bytes > 0) {
        // Opening the database would roll that journal back. The doctor changes nothing, so that is left to the node.
        return Err(CheckResult::warn("a rollback journal exists: a writer is active or has crashed")
            .fix("start the node once, which rolls the journal back"));
    }
    // An existing `-wal` must not be checkpointed away. One that this connection creates is removed with it.
    let has_wal = files.size("-wal").is_some();
    let _kept = FolderTime::keep(files.folder());
    let state = write_and_take_back(path, has_wal).map_err(|err| files.explain(&err))?;
    if may_write(files.folder()) == Some(false) {
        // The existing `-wal` sufficed for this write. The node's next start has to create one.
        return Err(files.read_only_folder());
    }
    match state.missing {
        None => {
            Ok(CheckResult::pass(format!("events.sqlite takes writes, journal mode {}", state.journal_mode)))
        }
        Some(table) => {
            Err(CheckResult::fail(format!("{} has no table `{table}`", tilde(path))).fix(fix_broken(path)))
        }
    }
}

/// State of a log that accepted a write.
struct LogState {
    journal_mode: String,
    /// Table of an event log that this database lacks.
    missing: Option<&'static str>,
}

fn write_and_take_back(path: &Path, keep_wal: bool) -> rusqlite::Result<LogState> {
    let log = open(path, keep_wal)?;
    let journal_mode = log.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let version: i64 = log.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    log.execute_batch("BEGIN IMMEDIATE")?;
    // `BEGIN IMMEDIATE` alone succeeds on a file of mode 0444. Only a write shows that.
    let written = log.execute_batch(&format!("PRAGMA user_version = {version}"));
    let taken_back = log.execute_batch("ROLLBACK");
    // The rollback runs even if the write failed, so that no transaction stays open.
    written.and(taken_back)?;
    Ok(LogState { journal_mode, missing: missing_table(&log)? })
}

fn open(path: &Path, keep_wal: bool) -> rusqlite::Result<Connection> {
    // Without CREATE: a missing log is a finding. NO_MUTEX, because one thread uses the connection.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let log = Connection::open_with_flags(path, flags)?;
    log.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_wal)?;
    log.busy_timeout(BUSY_TIMEOUT)?;
    Ok(log)
}

fn missing_table(log: &Connection) -> rusqlite::Result<Option<&'static str>> {
    for table in ["events", "clock"] {
        if !log.table_exists(None, table)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// The database and the files beside it, inspected by name only. See the module for the reason.
struct Files<'a> {
    machine: &'a Machine,
    path: &'a Path,
}

impl Files<'_> {
    fn require_file(&self) -> Result<(), CheckResult> {
        let (path, shown) = (self.path, tilde(self.path));
        match self.machine.files.metadata(path) {
            Ok(meta) if meta.is_file() => Ok(()),
            Ok(_) => Err(CheckResult::fail(format!("{shown} is not a file")).fix(fix_broken(path))),
            Err(err) if err.kind() == ErrorKind::NotFound => {
                Err(CheckResult::fail(format!("no event log at {shown}")).fix("run `hearthnet init`"))
            }
            Err(err) if matches!(err.kind(), ErrorKind::PermissionDenied | ErrorKind::NotADirectory) => {
                Err(CheckResult::fail(format!("{shown} cannot be reached: {err}"))
                    .fix("give the node's user access to the community's folder"))
            }
            Err(err) => Err(CheckResult::fail(format!("{shown} cannot be inspected: {err}")).fix(
                "look for disk errors (`dmesg`), and restore the event log from a backup if it is damaged",
            )),
        }
    }

    fn size(&self, suffix: &str) -> Option<u64> {
        let mut name = OsString::from(self.path);
        name.push(suffix);
        self.machine.files.metadata(Path::new(&name)).ok().map(|meta| meta.len())
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(self.path)
    }

    /// Returns whether the disk is too full for the files that SQLite creates beside a log. SQLite reports that as an I/O error.
    fn is_full(&self) -> bool {
        // SQLite creates `-shm` with 32 KiB and a `-wal` of some pages.
        const SCRATCH_BYTES: u64 = 128 * 1024;
        self.machine.volumes.of(self.folder()).is_ok_and(|volume| volume.available_bytes < SCRATCH_BYTES)
    }

    fn is_on_read_only_mount(&self) -> bool {
        self.machine.volumes.of(self.folder()).is_ok_and(|volume| volume.read_only)
    }

    fn read_only_folder(&self) -> CheckResult {
        let folder = self.folder();
        CheckResult::fail(format!(
            "{} is read-only for this user, but SQLite creates files there",
            tilde(folder)
        ))
        .fix(format!("make the folder {} writable for the node's user", shell_path(folder)))
    }

    fn explain(&self, err: &rusqlite::Error) -> CheckResult {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
            PermissionDenied, ReadOnly, SystemIoFailure,
        };
        let (path, shown) = (self.path, tilde(self.path));
        match err.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => {
                CheckResult::warn(format!("{shown} is being written by another program, so it is writable"))
                    .fix("nothing; if this persists, find the program with `lsof`")
            }
            Some(ReadOnly | CannotOpen) if self.is_on_read_only_mount() => {
                CheckResult::fail(format!("{shown} is on a file system that is mounted read-only"))
                    .fix("look for disk errors (`dmesg`), then mount it writable again")
            }
            Some(ReadOnly | CannotOpen) if may_write(self.folder()) == Some(false) => self.read_only_folder(),
            Some(CannotOpen) if may_write(path) == Some(true) => CheckResult::fail(format!(
                "{shown} is writable, but SQLite cannot open it or the files beside it"
            ))
            .fix(format!(
                "list the files with `ls -la {}`, and move away anything else called events.sqlite-wal or -shm",
                shell_path(self.folder())
            )),
            Some(ReadOnly | CannotOpen | PermissionDenied) => {
                CheckResult::fail(format!("{shown} is read-only for this user"))
                    .fix(format!("make {} writable for the node's user", shell_path(path)))
            }
            Some(NotADatabase) => {
                CheckResult::fail(format!("{shown} is not an SQLite database")).fix(fix_broken(path))
            }
            Some(DatabaseCorrupt) => {
                CheckResult::fail(format!("{shown} is damaged: {err}")).fix(fix_broken(path))
            }
            Some(code @ (DiskFull | SystemIoFailure)) if code == DiskFull || self.is_full() => {
                CheckResult::fail(format!("the disk of {shown} is full"))
                    .fix("free space there, then start the node again")
            }
            _ => CheckResult::fail(format!("{shown} cannot be written to: {err}"))
                .fix("look for disk errors (`dmesg`), and for programs that have the file open (`lsof`)"),
        }
        .evidence("sqlite", code(err))
    }
}

fn code(err: &rusqlite::Error) -> String {
    let extended = err.sqlite_error().map_or(ffi::SQLITE_ERROR, |err| err.extended_code);
    format!("{} ({extended})", ffi::code_to_str(extended))
}

fn fix_broken(path: &Path) -> String {
    format!(
        "restore {} from a backup, or move it away and run `hearthnet init`: peers send its events again",
        shell_path(path)
    )
}
