//! Reading of a span into sums by step.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use super::fault::Fault;
use super::histogram::Histogram;
use super::hours::{self, Stretch};
use super::rows::{Run, Series, Value};
use super::schema::{first_id, minute_of_id};
use super::steps::{Grid, Line, Steps};
use super::sum::{Room, Sum};
use super::tables;

/// Minutes after which each gauge has a row again.
const GAUGE_LASTS: i64 = 60;

/// Reads the span. `None` if its sums have no room.
pub(super) fn read(
    connection: &Connection,
    grid: Grid,
    group: impl Fn(&Series) -> Option<Series>,
) -> Result<Option<Steps>, Fault> {
    // One transaction, so that rows and runs are those of one moment.
    let transaction = connection.unchecked_transaction()?;
    let (mut lines, mut count) = (BTreeMap::new(), 0);
    let chosen = tables::series(&transaction, |series| {
        let group = group(&series)?;
        let next = lines.len();
        count += 1;
        Some(Chosen { at: count - 1, line: *lines.entry(group).or_insert(next) })
    })?;
    let runs = runs(&transaction, &grid)?;
    let stretches = hours::stretches(&transaction, &grid)?;
    let mut summary = Summary::new(grid, chosen, lines.len());
    let is_whole = summary.read(&transaction, &stretches, &runs)?.is_some();
    Ok(is_whole.then(|| summary.into_steps(lines, runs)))
}

/// Reads the sums of each series from the minutes, by the numbers of the series. `None` if they have no room, or if a row
/// cannot be read.
pub(super) fn of_series(connection: &Connection, grid: Grid) -> Result<Option<Vec<(i64, Sum)>>, Fault> {
    let mut count = 0;
    let chosen = tables::series(connection, |_| {
        count += 1;
        Some(Chosen { at: count - 1, line: count - 1 })
    })?;
    let runs = runs(connection, &grid)?;
    let minutes = Stretch { first: grid.first_minute, last: grid.last_minute, has_sums: false };
    let mut summary = Summary::new(grid, chosen, count);
    let is_whole = summary.read(connection, &[minutes], &runs)?.is_some() && summary.unreadable == 0;
    let Summary { chosen, mut sums, .. } = summary;
    let sums = chosen.into_iter().map(|(id, series)| (id, std::mem::take(&mut sums[series.line])));
    Ok(is_whole.then(|| sums.collect()))
}

/// Returns the runs that the span and the values that last into it belong to.
fn runs(connection: &Connection, grid: &Grid) -> Result<Vec<Run>, Fault> {
    tables::runs(connection, (grid.first_minute.saturating_sub(GAUGE_LASTS), grid.last_minute))
}

struct Summary {
    grid: Grid,
    /// Chosen series by their numbers.
    chosen: HashMap<i64, Chosen>,
    /// Sums by the numbers of the lines.
    sums: Vec<Sum>,
    room: Room,
    unreadable: u64,
}

/// Series that is read.
#[derive(Clone, Copy)]
struct Chosen {
    /// Number among those that are read.
    at: usize,
    /// Number of its line.
    line: usize,
}

impl Summary {
    fn new(grid: Grid, chosen: HashMap<i64, Chosen>, lines: usize) -> Summary {
        let sums = std::iter::repeat_with(Sum::default).take(lines).collect();
        Summary { grid, chosen, sums, room: Room::MOST, unreadable: 0 }
    }

    /// Reads the stretches, which are in order of the time. `None` if there was no room.
    fn read(
        &mut self,
        connection: &Connection,
        stretches: &[Stretch],
        runs: &[Run],
    ) -> Result<Option<()>, Fault> {
        let ends: HashMap<i64, i64> = runs.iter().map(|run| (run.run, run.last_minute)).collect();
        for stretch in stretches {
            let is_whole = self.counters(connection, stretch)?.is_some()
                && self.histograms(connection, stretch)?.is_some()
                && match stretch.has_sums {
                    true => self.gauges_of_hours(connection, stretch)?.is_some(),
                    false => self.gauges(connection, stretch, &ends)?.is_some(),
                };
            if !is_whole {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    fn counters(&mut self, connection: &Connection, stretch: &Stretch) -> Result<Option<()>, Fault> {
        let select = if stretch.has_sums { tables::HOUR_COUNTERS } else { tables::COUNTERS };
        self.rows(connection, select, (stretch.first, stretch.last), |summary, minute, series, row| {
            let Ok(growth) = row.get(3) else { return summary.unreadable() };
            let Some(step) = summary.grid.step_of(minute) else { return Some(()) };
            summary.sums[series.line].counter(step, growth, &mut summary.room)
        })
    }

    fn histograms(&mut self, connection: &Connection, stretch: &Stretch) -> Result<Option<()>, Fault> {
        let select = if stretch.has_sums { tables::HOUR_HISTOGRAMS } else { tables::HISTOGRAMS };
        let mut found = Histogram::default();
        self.rows(connection, select, (stretch.first, stretch.last), |summary, minute, series, row| {
            if found.read(row).is_none() {
                return summary.unreadable();
            }
            let Some(step) = summary.grid.step_of(minute) else { return Some(()) };
            summary.sums[series.line].histogram(step, &found, &mut summary.room)
        })
    }

    /// Reads the gauges of hours, each of which has all values that lasted into it.
    fn gauges_of_hours(&mut self, connection: &Connection, stretch: &Stretch) -> Result<Option<()>, Fault> {
        let minutes = (stretch.first, stretch.last);
        self.rows(connection, tables::HOUR_GAUGES, minutes, |summary, minute, series, row| {
            let Ok(Some(Value::Gauge { min, max, last })) = tables::gauge(row) else {
                return summary.unreadable();
            };
            let Some(step) = summary.grid.step_of(minute) else { return Some(()) };
            summary.sums[series.line].gauge((step, step), (min, max), last, &mut summary.room)
        })
    }

    /// Reads the gauges from an hour before the stretch on, because a value lasts until the next row of its series.
    fn gauges(
        &mut self,
        connection: &Connection,
        stretch: &Stretch,
        ends: &HashMap<i64, i64>,
    ) -> Result<Option<()>, Fault> {
        let mut lasting: Vec<Option<Lasting>> = vec![None; self.chosen.len()];
        let minutes = (stretch.first.saturating_sub(GAUGE_LASTS), stretch.last);
        let read = self.rows(connection, tables::GAUGES, minutes, |summary, minute, series, row| {
            let Ok(Some(Value::Gauge { min, max, last })) = tables::gauge(row) else {
                return summary.unreadable();
            };
            let Ok(run) = row.get(1) else { return summary.unreadable() };
            let now = last.map(|value| Lasting { minute, run, line: series.line, value });
            if let Some(before) = std::mem::replace(&mut lasting[series.at], now) {
                // A row of another run says nothing about how long the value lasted.
                let end = if before.run == run { minute.saturating_sub(1) } else { before.end(ends) };
                summary.lasted(&before, stretch, end)?;
            }
            match summary.grid.step_of(minute).filter(|_| minute >= stretch.first) {
                Some(step) => {
                    summary.sums[series.line].gauge((step, step), (min, max), last, &mut summary.room)
                }
                None => Some(()),
            }
        })?;
        if read.is_none() {
            return Ok(None);
        }
        let mut left = lasting.iter().flatten();
        Ok(left.try_for_each(|value| self.lasted(value, stretch, value.end(ends))))
    }

    /// Adds a value for the minutes of a stretch after its row, until `end`.
    fn lasted(&mut self, lasting: &Lasting, stretch: &Stretch, end: i64) -> Option<()> {
        let first = lasting.minute.saturating_add(1).max(stretch.first);
        let end = end.min(lasting.minute.saturating_add(GAUGE_LASTS)).min(stretch.last);
        let (Some(from), Some(until)) = (self.grid.step_of(first), self.grid.step_of(end)) else {
            return Some(());
        };
        if end < first {
            return Some(());
        }
        let value = lasting.value;
        self.sums[lasting.line].gauge((from, until), (value, value), Some(value), &mut self.room)
    }

    /// Calls `add` with the minute, the series and the row of each row of a table in the minutes from `first` to `last`,
    /// until it has no room.
    fn rows(
        &mut self,
        connection: &Connection,
        select: &str,
        (first, last): (i64, i64),
        mut add: impl FnMut(&mut Summary, i64, Chosen, &rusqlite::Row<'_>) -> Option<()>,
    ) -> Result<Option<()>, Fault> {
        if self.chosen.is_empty() || self.grid.count == 0 {
            return Ok(Some(()));
        }
        let mut statement =
            connection.prepare(&format!("{select} WHERE id >= ?1 AND id < ?2 ORDER BY id"))?;
        let mut rows = statement.query([first_id(first), first_id(last.saturating_add(1))])?;
        while let Some(row) = rows.next()? {
            let (Ok(id), Ok(series)) = (row.get(0), row.get::<_, i64>(2)) else {
                self.unreadable += 1;
                continue;
            };
            if let Some(series) = self.chosen.get(&series).copied()
                && add(self, minute_of_id(id), series, row).is_none()
            {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    fn unreadable(&mut self) -> Option<()> {
        self.unreadable += 1;
        Some(())
    }

    /// Returns the sums of the lines, which have these names.
    fn into_steps(mut self, names: BTreeMap<Series, usize>, mut runs: Vec<Run>) -> Steps {
        let Grid { first_minute, step_minutes, count, .. } = self.grid;
        runs.retain(|run| run.last_minute >= first_minute);
        let lines = names.into_iter().map(|(series, line)| {
            let sum = std::mem::take(&mut self.sums[line]);
            Line { series, points: sum.into_points().collect() }
        });
        let lines = lines.filter(|line| !line.points.is_empty()).collect();
        Steps { first_minute, step_minutes, count, lines, runs, unreadable: self.unreadable }
    }
}

/// Value of a gauge that lasts until its next row.
#[derive(Clone, Copy)]
struct Lasting {
    minute: i64,
    run: i64,
    line: usize,
    value: f64,
}

impl Lasting {
    /// Returns the last minute of its run.
    fn end(&self, ends: &HashMap<i64, i64>) -> i64 {
        ends.get(&self.run).copied().unwrap_or(self.minute)
    }
}
