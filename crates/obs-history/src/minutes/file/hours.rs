//! Hours that have sums, from which charts of long spans are read.
//!
//! The sums are made of the rows of the minutes, which stay. So an hour that has none yet, or whose sums were removed, is read
//! by the minute, and nothing is missing or doubled.

use rusqlite::{Connection, Transaction};

use super::schema::first_id;
use super::steps::Grid;

/// Minutes of an hour.
pub(super) const HOUR: i64 = 60;

/// Tables with rows of hours.
const OF_HOURS: [&str; 3] = ["hour_counters", "hour_gauges", "hour_histograms"];

/// Maximum number of hours that a reader takes: those of a history of the maximum age, and a few more.
const MAX_HOURS: i64 = 10_000;

/// Removes the sums of the hour of a minute, which gets a row more: after the clock was set back.
pub(super) fn forget(transaction: &Transaction<'_>, minute: i64) -> rusqlite::Result<()> {
    let hour = minute.div_euclid(HOUR);
    if transaction.prepare_cached("DELETE FROM hours WHERE hour = ?1")?.execute([hour])? == 0 {
        return Ok(());
    }
    for table in OF_HOURS {
        let sql = format!("DELETE FROM {table} WHERE id >= ?1 AND id < ?2");
        transaction.execute(&sql, [first_id(hour * HOUR), first_id((hour + 1) * HOUR)])?;
    }
    Ok(())
}

/// Removes the sums of hours that have minutes before `first` or behind `last`, which are removed.
pub(super) fn keep(transaction: &Transaction<'_>, first: i64, last: i64) -> rusqlite::Result<()> {
    let (oldest, newest) = (first, last.saturating_sub(HOUR - 1));
    transaction.execute("DELETE FROM hours WHERE hour * 60 < ?1 OR hour * 60 > ?2", [oldest, newest])?;
    for table in OF_HOURS {
        transaction.execute(&format!("DELETE FROM {table} WHERE id < ?1"), [first_id(oldest)])?;
        transaction
            .execute(&format!("DELETE FROM {table} WHERE id >= ?1"), [first_id(newest.saturating_add(1))])?;
    }
    Ok(())
}

/// Minutes that follow each other, and whether they are read from the sums of their hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) has_sums: bool,
}

/// Divides the minutes of a grid by whether their hours have sums, in order of the time.
pub(super) fn stretches(connection: &Connection, grid: &Grid) -> rusqlite::Result<Vec<Stretch>> {
    let (first, last) = (grid.first_minute, grid.last_minute);
    // A file of an earlier version has none until its node writes.
    let has_hours = grid.step_minutes % HOUR == 0 && connection.table_exists(None, "hours")?;
    let mut hours: Vec<i64> = Vec::new();
    if has_hours {
        let sql =
            "SELECT hour FROM hours WHERE hour >= ?1 AND hour <= ?2 AND has_sums ORDER BY hour LIMIT ?3";
        let mut statement = connection.prepare(sql)?;
        // The span begins with a step, and so with an hour. It may end within one.
        let (first, last) = (first.div_euclid(HOUR), (last + 1).div_euclid(HOUR) - 1);
        hours = statement.query_map([first, last, MAX_HOURS], |row| row.get(0))?.collect::<Result<_, _>>()?;
    }
    Ok(divide(first, last, &hours))
}

fn divide(first: i64, last: i64, hours: &[i64]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut at = first;
    for begin in hours.iter().map(|hour| hour * HOUR) {
        if at < begin {
            stretches.push(Stretch { first: at, last: begin - 1, has_sums: false });
        }
        at = begin + HOUR;
        match stretches.last_mut().filter(|stretch| stretch.has_sums) {
            Some(stretch) => stretch.last = at - 1,
            None => stretches.push(Stretch { first: begin, last: at - 1, has_sums: true }),
        }
    }
    if at <= last {
        stretches.push(Stretch { first: at, last, has_sums: false });
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_divided_by_whether_their_hours_have_sums() {
        let divided = |first, last, hours: &[i64]| -> Vec<(i64, i64, bool)> {
            let stretches = divide(first, last, hours);
            stretches.iter().map(|stretch| (stretch.first, stretch.last, stretch.has_sums)).collect()
        };
        assert_eq!(divided(60, 119, &[]), [(60, 119, false)]);
        assert_eq!(divided(60, 119, &[1]), [(60, 119, true)]);
        assert_eq!(divided(60, 250, &[1, 2]), [(60, 179, true), (180, 250, false)]);
        assert_eq!(
            divided(0, 419, &[1, 3, 4]),
            [(0, 59, false), (60, 119, true), (120, 179, false), (180, 299, true), (300, 419, false)]
        );
        assert_eq!(divided(60, 59, &[]), []);
    }
}
