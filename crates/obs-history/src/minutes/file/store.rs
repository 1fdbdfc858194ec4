//! Writer's connection to the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::fault::Fault;
use super::prune::{self, Limits, PATIENCE};
use super::schema::{self, State};
use super::{buckets, hours, place, roll_up};
use crate::minutes::minute::{Change, HistogramChange, Minute, SeriesName};

/// Bytes of a page. A minute writes the last page of each table, so a small page spares the disk; the buckets of a busy
/// minute still fit.
const PAGE_BYTES: u64 = 2_048;

const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// Stretch of a process: minutes that follow each other without a gap. A new one begins at the start, when the clock is
/// set, after a pause, and where minutes were lost.
#[derive(Clone, Debug)]
pub(in crate::minutes) struct Stretch {
    /// Number in this process.
    pub(in crate::minutes) number: u64,
    /// Name that no other stretch has, of this or another process.
    pub(in crate::minutes) token: String,
    pub(in crate::minutes) cause: &'static str,
    /// Unix seconds.
    pub(in crate::minutes) started_at: i64,
    pub(in crate::minutes) first_minute: i64,
    pub(in crate::minutes) clock_step_seconds: i64,
    /// Whether the process ended in order in it.
    pub(in crate::minutes) has_ended: bool,
}

/// Open file.
#[derive(Debug)]
pub(in crate::minutes) struct Store {
    connection: Connection,
    path: PathBuf,
    identity: Option<(u64, u64)>,
    limits: Limits,
    version: String,
    series: HashMap<Arc<SeriesName>, Known>,
    /// Row of each stretch, by its number.
    runs: HashMap<u64, i64>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: i64,
    /// Day that the file has as the last one with a row of the series.
    seen_day: i64,
}

impl Store {
    /// Opens the file, or makes it.
    pub(in crate::minutes) fn open(
        path: &Path,
        kept_minutes: i64,
        max_bytes: u64,
        version: &str,
    ) -> Result<Store, Fault> {
        place::create(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        let identity = place::identity(path);
        connection.busy_timeout(PATIENCE)?;
        schema::distrust(&connection)?;
        let limits = Limits::new(kept_minutes, max_bytes, PAGE_BYTES);
        if schema::examine(&connection)? == State::Empty {
            // Nothing here is worth a sync: if a loss of power damages the new file, another one begins.
            connection.pragma_update(None, "synchronous", "OFF")?;
            // Both are fixed by the first table.
            connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            limits.set_journal(&connection)?;
            schema::create(&mut connection)?;
        } else {
            limits.set_journal(&connection)?;
            schema::complete(&mut connection)?;
        }
        // A loss of power may cost the last minutes. The file stays whole.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        let (series, runs) = (HashMap::new(), HashMap::new());
        Ok(Store {
            connection,
            path: path.to_owned(),
            identity,
            limits,
            version: version.to_owned(),
            series,
            runs,
        })
    }

    /// Returns whether the name still leads to the open file.
    pub(in crate::minutes) fn is_current(&self) -> bool {
        self.identity.is_some() && place::identity(&self.path) == self.identity
    }

    /// Writes the minutes and the stretches that they belong to, all or nothing.
    pub(in crate::minutes) fn write(
        &mut self,
        stretches: &[&Stretch],
        minutes: &[Minute],
    ) -> Result<(), Fault> {
        self.limits.check_log(&self.connection, &self.path)?;
        let written = self.write_all(stretches, minutes);
        self.limits.reserve_log(&self.path);
        if written.is_err() {
            // Rows that these numbers name may have been rolled back.
            self.series.clear();
            self.runs.clear();
        }
        written
    }

    fn write_all(&mut self, stretches: &[&Stretch], minutes: &[Minute]) -> Result<(), Fault> {
        let Store { connection, series, runs, version, .. } = self;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for stretch in stretches {
            let mut minutes = minutes.iter().filter(|minute| minute.stretch == stretch.number);
            let last = minutes.next_back().map_or(stretch.first_minute, |minute| minute.minute);
            let run = note_run(&transaction, stretch, last, version)?;
            runs.insert(stretch.number, run);
        }
        for minute in minutes {
            let Some(run) = runs.get(&minute.stretch) else { continue };
            hours::forget(&transaction, minute.minute)?;
            let mut ids = Ids::of(&transaction, minute.minute)?;
            for (name, change) in &minute.changes {
                let series = number(&transaction, series, name, minute.minute)?;
                insert(&transaction, &mut ids, Key { minute: minute.minute, run: *run, series }, change)?;
            }
        }
        if let Some(last) = minutes.last() {
            roll_up::sum_next(&transaction, last.minute)?;
        }
        Ok(transaction.commit()?)
    }

    /// Removes minutes that are older than is kept. `now` is the current minute.
    pub(in crate::minutes) fn remove_old(&mut self, now: i64) -> Result<(), Fault> {
        // Numbers of removed series must not be used again.
        self.series.clear();
        prune::by_age(&mut self.connection, &self.limits, now)
    }

    /// Maximum bytes of minutes, as they are in memory, for one write. More is written in parts, between which old minutes make
    /// room.
    pub(in crate::minutes) fn part_bytes(&self) -> usize {
        self.limits.part_bytes()
    }

    /// Removes the oldest minutes while the file is too large. Returns the number of minutes in which the node was up.
    pub(in crate::minutes) fn keep_small(&mut self) -> Result<u64, Fault> {
        prune::by_size(&mut self.connection, &self.limits)
    }

    /// Returns the bytes of the file and of the log beside it.
    pub(in crate::minutes) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len()) + place::log_bytes(&self.path)
    }
}

/// Closes and moves a damaged file aside. Returns its new name.
pub(in crate::minutes) fn set_aside(path: &Path) -> Result<PathBuf, Fault> {
    Ok(place::move_aside(path)?)
}

/// Notes the stretch and its last minute. Returns the number of its row.
fn note_run(
    transaction: &Transaction<'_>,
    stretch: &Stretch,
    last_minute: i64,
    version: &str,
) -> rusqlite::Result<i64> {
    // By name, because the file may have been replaced since the last minute.
    let sql = "INSERT INTO runs (token, cause, started_at, first_minute, last_minute, ended, clock_step_seconds, version) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
               ON CONFLICT (token) DO UPDATE SET last_minute = max(last_minute, excluded.last_minute), \
               ended = excluded.ended RETURNING run";
    transaction.prepare_cached(sql)?.query_row(
        params![
            stretch.token,
            stretch.cause,
            stretch.started_at,
            stretch.first_minute,
            last_minute,
            stretch.has_ended,
            stretch.clock_step_seconds,
            version
        ],
        |row| row.get(0),
    )
}

/// Returns the number of a series. Notes once a day that it is in use.
fn number(
    transaction: &Transaction<'_>,
    known: &mut HashMap<Arc<SeriesName>, Known>,
    name: &Arc<SeriesName>,
    minute: i64,
) -> rusqlite::Result<i64> {
    let day = minute.div_euclid(MINUTES_OF_A_DAY);
    if let Some(known) = known.get(name)
        && known.seen_day >= day
    {
        return Ok(known.id);
    }
    let SeriesName { family, labels } = &**name;
    let find = "SELECT series, seen_day FROM series WHERE family = ?1 AND labels = ?2";
    let found = transaction
        .prepare_cached(find)?
        .query_row([family, labels], |row| Ok(Known { id: row.get(0)?, seen_day: row.get(1)? }));
    let entry = match found.optional()? {
        Some(found) if found.seen_day >= day => found,
        Some(found) => {
            let update = "UPDATE series SET seen_day = ?2 WHERE series = ?1";
            transaction.prepare_cached(update)?.execute([found.id, day])?;
            Known { seen_day: day, ..found }
        }
        None => {
            let insert = "INSERT INTO series (family, labels, seen_day) VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(insert)?.execute(params![family, labels, day])?;
            Known { id: transaction.last_insert_rowid(), seen_day: day }
        }
    };
    known.insert(name.clone(), entry);
    Ok(entry.id)
}

/// Key of a row.
struct Key {
    minute: i64,
    run: i64,
    series: i64,
}

/// Next keys of a minute's rows, in the order of [`schema::OF_MINUTES`].
struct Ids([i64; 3]);

impl Ids {
    fn of(transaction: &Transaction<'_>, minute: i64) -> rusqlite::Result<Ids> {
        let (first, end) = (schema::first_id(minute), schema::first_id(minute.saturating_add(1)));
        let mut ids = Ids([first; 3]);
        for (id, table) in ids.0.iter_mut().zip(schema::OF_MINUTES) {
            // The minute has rows already after a restart within it, and after the clock was set back.
            let sql = format!("SELECT coalesce(max(id) + 1, ?1) FROM {table} WHERE id >= ?1 AND id < ?2");
            *id = transaction.prepare_cached(&sql)?.query_row([first, end], |row| row.get(0))?;
        }
        Ok(ids)
    }

    fn next(&mut self, table: usize) -> i64 {
        self.0[table] += 1;
        self.0[table] - 1
    }
}

fn insert(
    transaction: &Transaction<'_>,
    ids: &mut Ids,
    Key { minute, run, series }: Key,
    change: &Change,
) -> rusqlite::Result<()> {
    match change {
        Change::Counter(growth) => {
            let sql = "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, ?5)";
            transaction.prepare_cached(sql)?.execute(params![ids.next(0), minute, run, series, growth])?;
        }
        Change::Gauge(gauge) => {
            let sql = "INSERT INTO gauges VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let values = params![ids.next(1), minute, run, series, gauge.min, gauge.max, gauge.last];
            transaction.prepare_cached(sql)?.execute(values)?;
        }
        Change::Histogram(HistogramChange { sum, buckets: native }) => {
            let sql = "INSERT INTO histograms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let negative = (!native.negative.is_empty()).then(|| buckets::text(&native.negative));
            // Infinity is a value of SQLite, NaN is none: the sum of infinities of both signs.
            let sum = if sum.is_nan() { 0.0 } else { *sum };
            let zero = i64::try_from(native.zero).unwrap_or(i64::MAX);
            transaction.prepare_cached(sql)?.execute(params![
                ids.next(2),
                minute,
                run,
                series,
                sum,
                native.schema,
                zero,
                buckets::text(&native.positive),
                negative
            ])?;
        }
    }
    Ok(())
}
