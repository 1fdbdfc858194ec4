//! Sums of hours that are over, written with a minute.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::buckets::{self, Pairs};
use super::fault::Fault;
use super::hours::HOUR;
use super::rows::Value;
use super::schema::{OF_MINUTES, first_id, minute_of_id};
use super::steps::Grid;
use super::sum::Sum;
use super::{summary, tables};

/// Sums up the first hour after the last one that was, if the minute `now` is behind it. One at a time, so that a minute
/// after a long pause writes no more than others. An hour without rows needs no sums.
pub(super) fn sum_next(transaction: &Transaction<'_>, now: i64) -> Result<(), Fault> {
    let now = now.div_euclid(HOUR);
    let last = "SELECT max(hour) FROM hours WHERE hour < ?1";
    let last: Option<i64> = transaction.prepare_cached(last)?.query_row([now], |row| row.get(0))?;
    let next = last.map_or(i64::MIN, |hour| (hour + 1).saturating_mul(HOUR));
    let mut hour = now;
    for table in OF_MINUTES {
        let sql = format!("SELECT id FROM {table} WHERE id >= ?1 ORDER BY id LIMIT 1");
        let mut first = transaction.prepare_cached(&sql)?;
        let first: Option<i64> = first.query_row([first_id(next)], |row| row.get(0)).optional()?;
        hour = hour.min(first.map_or(now, |id| minute_of_id(id).div_euclid(HOUR)));
    }
    if hour < now { sum(transaction, hour) } else { Ok(()) }
}

fn sum(transaction: &Transaction<'_>, hour: i64) -> Result<(), Fault> {
    let first = hour * HOUR;
    let grid = Grid { first_minute: first, last_minute: first + HOUR - 1, step_minutes: HOUR, count: 1 };
    let rows = summary::of_series(transaction, grid)?.and_then(rows);
    // An hour that sums cannot tell, because someone else wrote rows of it, is noted and read by the minute.
    let note = "INSERT INTO hours (hour, has_sums) VALUES (?1, ?2)";
    transaction.prepare_cached(note)?.execute(params![hour, rows.is_some()])?;
    for (id, (series, row)) in (first_id(first)..).zip(rows.unwrap_or_default()) {
        insert(transaction, (id, hour, series), &row)?;
    }
    Ok(())
}

/// Row of an hour, as it is written.
enum Row {
    Counter(f64),
    Gauge { min: f64, max: f64, last: Option<f64> },
    Histogram { sum: f64, schema: i32, zero: i64, positive: String, negative: Option<String> },
}

/// Returns the rows by their series. `None` if one of them could not be written or read.
fn rows(sums: Vec<(i64, Sum)>) -> Option<Vec<(i64, Row)>> {
    let mut scratch = Pairs::new();
    let mut text = |buckets: &BTreeMap<i32, u64>| {
        let text = buckets::text(buckets);
        let is_readable =
            text.len() <= tables::MAX_TEXT && buckets::read(text.as_bytes(), &mut scratch).is_some();
        is_readable.then_some(text)
    };
    let mut row = |value| match value {
        // SQLite has no NaN, which is the sum of infinities of both signs.
        Value::Counter(growth) => (!growth.is_nan()).then_some(Row::Counter(growth)),
        Value::Gauge { min, max, last } => Some(Row::Gauge { min, max, last }),
        Value::Histogram { sum, buckets } => Some(Row::Histogram {
            sum: Some(sum).filter(|sum| !sum.is_nan())?,
            schema: buckets.schema,
            zero: i64::try_from(buckets.zero).ok()?,
            positive: text(&buckets.positive)?,
            negative: if buckets.negative.is_empty() { None } else { Some(text(&buckets.negative)?) },
        }),
    };
    let values =
        sums.into_iter().flat_map(|(series, sum)| sum.into_points().map(move |point| (series, point.value)));
    values.map(|(series, value)| Some((series, row(value)?))).collect()
}

fn insert(
    transaction: &Transaction<'_>,
    (id, hour, series): (i64, i64, i64),
    row: &Row,
) -> rusqlite::Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        transaction.prepare_cached(sql)?.execute(values).map(drop)
    };
    match row {
        Row::Counter(growth) => {
            run("INSERT INTO hour_counters VALUES (?1, ?2, ?3, ?4)", params![id, hour, series, growth])
        }
        Row::Gauge { min, max, last } => run(
            "INSERT INTO hour_gauges VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, hour, series, min, max, last],
        ),
        Row::Histogram { sum, schema, zero, positive, negative } => run(
            "INSERT INTO hour_histograms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![id, hour, series, sum, schema, zero, positive, negative],
        ),
    }
}
