//! Bounds of the file: its age and its size.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::fault::Fault;
use super::schema::{OF_MINUTES, first_id, minute_of_id};
use super::{hours, place};

/// Minutes that are removed together when the file is too large.
const STRIDE: i64 = 15;
/// Maximum number of strides for one minute that is written. A limit that was lowered is reached over some minutes.
const MAX_STRIDES: u32 = 96;
/// Maximum number of pages that are given back to the file system in one minute, for the same reason.
const MAX_PAGES_BACK: u64 = 1_024;

/// Maximum wait for the lock of another program. The writer has a thread of its own, but its end waits for it.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// Bounds of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    kept_minutes: i64,
    /// Pages of the file.
    pages: u64,
    /// Pages of the log after which SQLite moves them into the file.
    log_pages: u64,
    /// Bytes of the log after which no more is written.
    log_bytes: u64,
}

impl Limits {
    pub(super) fn new(kept_minutes: i64, max_bytes: u64, page_bytes: u64) -> Limits {
        // A large log spares the disk: a page that many minutes write is moved once. The rest of the bytes is the file's.
        let log_pages = (max_bytes / 16 / page_bytes).clamp(16, 256);
        let log_bytes = 2 * log_pages * page_bytes;
        // The pages of a busy minute, and of the minutes that it displaces, may come on top of the log. Its index takes
        // 32 KiB.
        let pages = (max_bytes - 5 * log_pages * page_bytes - (32 << 10)) / page_bytes;
        Limits { kept_minutes, pages, log_pages, log_bytes }
    }

    /// Maximum bytes of minutes in memory that are written at once: as many as the log moves into the file together. A row of
    /// the file is smaller than its change in memory.
    pub(super) fn part_bytes(&self) -> usize {
        usize::try_from(self.log_bytes / 2).unwrap_or(usize::MAX)
    }

    /// Chooses the write-ahead log: a minute is then one append, which the kernel writes when it likes, and readers do not
    /// block the writer. A file system without shared memory gets SQLite's rollback journal.
    pub(super) fn set_journal(&self, connection: &Connection) -> rusqlite::Result<()> {
        let set = |mode: &str| {
            connection.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get::<_, String>(0))
        };
        if set("WAL")? != "wal" {
            set("TRUNCATE")?;
        }
        connection.query_row(&format!("PRAGMA wal_autocheckpoint = {}", self.log_pages), [], |_| Ok(()))?;
        let keep = i64::try_from(self.log_bytes).unwrap_or(i64::MAX);
        connection.query_row(&format!("PRAGMA journal_size_limit = {keep}"), [], |_| Ok(()))
    }

    /// Allocates the blocks of the whole log, beyond its end, once it is there. A file system that gives a growing file a block
    /// at a time writes its maps of free blocks with each minute.
    pub(super) fn reserve_log(&self, path: &Path) {
        place::reserve_log(path, self.log_bytes / 2);
    }

    /// Refuses to write while a reader holds so many pages of the log that it would grow without end.
    pub(super) fn check_log(&self, connection: &Connection, path: &Path) -> Result<(), Fault> {
        if place::log_bytes(path) <= self.log_bytes {
            return Ok(());
        }
        // Without the wait for a lock: the next minute tries again.
        connection.busy_timeout(Duration::ZERO)?;
        let blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        connection.busy_timeout(PATIENCE)?;
        let blocked = blocked?;
        if blocked != 0 { Err(Fault::Held) } else { Ok(()) }
    }
}

/// Removes minutes further from now than is kept. Minutes of the future are those of a clock that was wrong.
pub(super) fn by_age(connection: &mut Connection, limits: &Limits, now: i64) -> Result<(), Fault> {
    let (oldest, newest) =
        (now.saturating_sub(limits.kept_minutes), now.saturating_add(limits.kept_minutes - 1));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in OF_MINUTES {
        transaction.execute(&format!("DELETE FROM {table} WHERE id < ?1"), [first_id(oldest)])?;
        transaction.execute(&format!("DELETE FROM {table} WHERE id >= ?1"), [first_id(newest + 1)])?;
    }
    hours::keep(&transaction, oldest, newest)?;
    transaction.execute("DELETE FROM runs WHERE last_minute < ?1 OR first_minute > ?2", [oldest, newest])?;
    // A series is noted once a day, so a day more is kept.
    let day = oldest.div_euclid(MINUTES_OF_A_DAY);
    transaction.execute("DELETE FROM series WHERE seen_day < ?1", [day])?;
    Ok(transaction.commit()?)
}

/// Removes the oldest minutes while they take more pages than allowed, and gives pages back that the file has too many of.
/// Returns the number of minutes of runs that were removed.
pub(super) fn by_size(connection: &mut Connection, limits: &Limits) -> Result<u64, Fault> {
    let mut removed = 0;
    for _ in 0..MAX_STRIDES {
        let (pages, free) = pages(connection)?;
        if pages - free <= limits.pages {
            break;
        }
        let Some(first) = first_minute(connection)? else { break };
        let end = first.saturating_add(STRIDE);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in OF_MINUTES {
            transaction.execute(&format!("DELETE FROM {table} WHERE id < ?1"), [first_id(end)])?;
        }
        hours::keep(&transaction, end, i64::MAX)?;
        removed += minutes_of_runs_before(&transaction, end)?;
        // What is left of a run begins later, so that its first minutes do not look like minutes without calls.
        transaction.execute("DELETE FROM runs WHERE last_minute < ?1", [end])?;
        transaction.execute("UPDATE runs SET first_minute = ?1 WHERE first_minute < ?1", params![end])?;
        transaction.commit()?;
    }
    let (pages, free) = pages(connection)?;
    if pages > limits.pages && free > 0 {
        let back = (pages - limits.pages).min(free).min(MAX_PAGES_BACK);
        // Each step of the statement gives one page back.
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({back})"))?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
    }
    Ok(removed)
}

/// Returns the number of minutes before `end` in which the node was up.
fn minutes_of_runs_before(connection: &Connection, end: i64) -> rusqlite::Result<u64> {
    // A total is a float and never overflows, whatever numbers another program wrote.
    let sql = "SELECT CAST(total(min(last_minute, ?1 - 1) - first_minute + 1) AS INTEGER) FROM runs \
               WHERE first_minute < ?1 AND last_minute >= first_minute";
    connection.query_row(sql, [end], |row| row.get::<_, i64>(0)).map(|minutes| minutes.max(0).unsigned_abs())
}

/// Returns the pages of the file, and those of them that are free.
fn pages(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let pragma = |name: &str| -> rusqlite::Result<u64> {
        let count: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let (pages, free) = (pragma("page_count")?, pragma("freelist_count")?);
    Ok((pages, free.min(pages)))
}

fn first_minute(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let first = |table: &&str| {
        connection.query_row(&format!("SELECT min(id) FROM {table}"), [], |row| row.get::<_, Option<i64>>(0))
    };
    let first: rusqlite::Result<Vec<Option<i64>>> = OF_MINUTES.iter().map(first).collect();
    Ok(first?.into_iter().flatten().min().map(minute_of_id))
}
