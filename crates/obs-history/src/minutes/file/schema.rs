//! Tables of the file. `docs/history.md` describes them for those who query it.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};

use super::fault::Fault;

/// Number in `PRAGMA user_version`. It goes up when a program of before could misread the file.
pub(super) const VERSION: i64 = 1;

/// Number in `PRAGMA application_id`: `HNhi` in ASCII.
const APPLICATION_ID: i64 = 0x484e_6869;

/// Tables by name. The key of a minute's row is made of the minute, so that writing appends to the end of each table and
/// touches one page of it, and so that the oldest minutes are the first rows. There is no second index to be written. A table
/// without row numbers would need no such key, but DuckDB cannot count its rows.
const TABLES: [(&str, &str); 5] = [
    (
        "runs",
        "CREATE TABLE runs (run INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, cause TEXT NOT NULL, \
         started_at INTEGER NOT NULL, first_minute INTEGER NOT NULL, last_minute INTEGER NOT NULL, \
         ended INTEGER NOT NULL, clock_step_seconds INTEGER NOT NULL, version TEXT NOT NULL) STRICT",
    ),
    (
        "series",
        "CREATE TABLE series (series INTEGER PRIMARY KEY, family TEXT NOT NULL, labels TEXT NOT NULL, \
         seen_day INTEGER NOT NULL, UNIQUE (family, labels)) STRICT",
    ),
    (
        "counters",
        "CREATE TABLE counters (id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, run INTEGER NOT NULL, \
         series INTEGER NOT NULL, \
         growth REAL NOT NULL) STRICT",
    ),
    (
        "gauges",
        "CREATE TABLE gauges (id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, run INTEGER NOT NULL, \
         series INTEGER NOT NULL, \
         min REAL NOT NULL, max REAL NOT NULL, last REAL) STRICT",
    ),
    (
        "histograms",
        "CREATE TABLE histograms (id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, run INTEGER NOT NULL, \
         series INTEGER NOT NULL, \
         sum REAL NOT NULL, schema INTEGER NOT NULL, zero INTEGER NOT NULL, positive TEXT NOT NULL, negative TEXT) STRICT",
    ),
];

/// Tables of the sums of hours, by name. A file of before has none until its node writes to it. Their keys are made of the
/// first minute of the hour.
const TABLES_OF_HOURS: [(&str, &str); 4] = [
    ("hours", "CREATE TABLE hours (hour INTEGER PRIMARY KEY, has_sums INTEGER NOT NULL) STRICT"),
    (
        "hour_counters",
        "CREATE TABLE hour_counters (id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, series INTEGER NOT NULL, \
         growth REAL NOT NULL) STRICT",
    ),
    (
        "hour_gauges",
        "CREATE TABLE hour_gauges (id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, series INTEGER NOT NULL, \
         min REAL NOT NULL, max REAL NOT NULL, last REAL) STRICT",
    ),
    (
        "hour_histograms",
        "CREATE TABLE hour_histograms (id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, series INTEGER NOT NULL, \
         sum REAL NOT NULL, schema INTEGER NOT NULL, zero INTEGER NOT NULL, positive TEXT NOT NULL, negative TEXT) STRICT",
    ),
];

/// Tables with rows of minutes.
pub(super) const OF_MINUTES: [&str; 3] = ["counters", "gauges", "histograms"];

/// Bits of a key below the minute: a million rows of a table in a minute, which is many times what the writer has.
const ROW_BITS: u32 = 20;

/// Returns the key of the first row that a minute may have. Minutes that no clock shows share their keys.
pub(super) fn first_id(minute: i64) -> i64 {
    const MOST: i64 = 1 << 42;
    minute.clamp(-MOST, MOST) << ROW_BITS
}

/// Returns the minute of a key.
pub(super) fn minute_of_id(id: i64) -> i64 {
    id >> ROW_BITS
}

/// Makes the connection safe for a file that someone else may have written.
pub(super) fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    // A trigger or a view of the file could run functions at our writes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map(drop)
}

/// State of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has no tables.
    Empty,
    Ours,
}

/// Checks that the file is a history of this version, or empty.
pub(super) fn examine(connection: &Connection) -> Result<State, Fault> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && application == 0 && version == 0 {
        return Ok(State::Empty);
    }
    if application != APPLICATION_ID {
        return Err(Fault::Foreign);
    }
    if version > VERSION {
        return Err(Fault::Newer(version));
    }
    let mut found = connection.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    let mut of = |name: &str| found.query_row([name], |row| row.get::<_, String>(0)).optional();
    let has_hours = of(TABLES_OF_HOURS[0].0)?.is_some();
    let of_hours = if has_hours { &TABLES_OF_HOURS[..] } else { &[] };
    for (name, sql) in TABLES.iter().chain(of_hours) {
        if of(name)?.as_deref() != Some(*sql) {
            return Err(Fault::Damaged(format!("the table `{name}` is not as this program makes it")));
        }
    }
    Ok(State::Ours)
}

/// Makes the tables in an empty file.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    // One transaction, so that a file has all of it or is empty.
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for (_, sql) in TABLES.iter().chain(&TABLES_OF_HOURS) {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Makes the tables of hours in a file of before.
pub(super) fn complete(connection: &mut Connection) -> rusqlite::Result<()> {
    if connection.table_exists(None, TABLES_OF_HOURS[0].0)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for (_, sql) in TABLES_OF_HOURS {
        transaction.execute_batch(sql)?;
    }
    transaction.commit()
}
