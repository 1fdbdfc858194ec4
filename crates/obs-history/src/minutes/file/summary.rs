//! Reading of a span into sums by step.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use super::fault::Fault;
use super::histogram::Histogram;
use super::rows::{Run, Series, Value};
use super::schema::{first_id, minute_of_id};
use super::steps::{Grid, Steps};
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
    let span = (grid.first_minute, grid.last_minute);
    let (mut lines, mut count) = (BTreeMap::new(), 0);
    let chosen = tables::series(&transaction, |series| {
        let group = group(&series)?;
        let next = lines.len();
        count += 1;
        Some(Chosen { at: count - 1, line: *lines.entry(group).or_insert(next) })
    })?;
    let mut sums: Vec<(usize, Sum)> = lines.into_iter().map(|(name, at)| (at, Sum::new(name))).collect();
    sums.sort_by_key(|(at, _)| *at);
    let sums = sums.into_iter().map(|(_, sum)| sum).collect();
    let runs = tables::runs(&transaction, (span.0.saturating_sub(GAUGE_LASTS), span.1))?;
    let mut summary = Summary { grid, chosen, sums, room: Room::MOST, unreadable: 0 };
    let is_whole = summary.counters(&transaction)?.is_some()
        && summary.histograms(&transaction)?.is_some()
        && summary.gauges(&transaction, &runs)?.is_some();
    Ok(is_whole.then(|| summary.into_steps(runs)))
}

struct Summary {
    grid: Grid,
    /// Chosen series by their numbers.
    chosen: HashMap<i64, Chosen>,
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
    fn counters(&mut self, connection: &Connection) -> Result<Option<()>, Fault> {
        self.rows(connection, tables::COUNTERS, self.grid.first_minute, |summary, minute, series, row| {
            let Ok(growth) = row.get(3) else { return summary.unreadable() };
            let Some(step) = summary.grid.step_of(minute) else { return Some(()) };
            summary.sums[series.line].counter(step, growth, &mut summary.room)
        })
    }

    fn histograms(&mut self, connection: &Connection) -> Result<Option<()>, Fault> {
        let mut found = Histogram::default();
        self.rows(connection, tables::HISTOGRAMS, self.grid.first_minute, |summary, minute, series, row| {
            if found.read(row).is_none() {
                return summary.unreadable();
            }
            let Some(step) = summary.grid.step_of(minute) else { return Some(()) };
            summary.sums[series.line].histogram(step, &found, &mut summary.room)
        })
    }

    /// Reads the gauges from an hour before the span on, because a value lasts until the next row of its series.
    fn gauges(&mut self, connection: &Connection, runs: &[Run]) -> Result<Option<()>, Fault> {
        let ends: HashMap<i64, i64> = runs.iter().map(|run| (run.run, run.last_minute)).collect();
        let mut lasting: Vec<Option<Lasting>> = vec![None; self.chosen.len()];
        let first = self.grid.first_minute.saturating_sub(GAUGE_LASTS);
        let read = self.rows(connection, tables::GAUGES, first, |summary, minute, series, row| {
            let Ok(Some(Value::Gauge { min, max, last })) = tables::gauge(row) else {
                return summary.unreadable();
            };
            let Ok(run) = row.get(1) else { return summary.unreadable() };
            let now = last.map(|value| Lasting { minute, run, line: series.line, value });
            if let Some(before) = std::mem::replace(&mut lasting[series.at], now) {
                // A row of another run says nothing about how long the value lasted.
                let end = if before.run == run { minute.saturating_sub(1) } else { before.end(&ends) };
                summary.lasted(&before, end)?;
            }
            match summary.grid.step_of(minute) {
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
        Ok(left.try_for_each(|value| self.lasted(value, value.end(&ends))))
    }

    /// Adds a value for the minutes after its row, until `end`.
    fn lasted(&mut self, lasting: &Lasting, end: i64) -> Option<()> {
        let first = lasting.minute.saturating_add(1).max(self.grid.first_minute);
        let end = end.min(lasting.minute.saturating_add(GAUGE_LASTS)).min(self.grid.last_minute);
        let (Some(from), Some(until)) = (self.grid.step_of(first), self.grid.step_of(end)) else {
            return Some(());
        };
        if end < first {
            return Some(());
        }
        let value = lasting.value;
        self.sums[lasting.line].gauge((from, until), (value, value), Some(value), &mut self.room)
    }

    /// Calls `add` with the minute, the series and the row of each row of a table from the minute `first` on, until it has no
    /// room.
    fn rows(
        &mut self,
        connection: &Connection,
        select: &str,
        first: i64,
        mut add: impl FnMut(&mut Summary, i64, Chosen, &rusqlite::Row<'_>) -> Option<()>,
    ) -> Result<Option<()>, Fault> {
        if self.chosen.is_empty() || self.grid.count == 0 {
            return Ok(Some(()));
        }
        let mut statement =
            connection.prepare(&format!("{select} WHERE id >= ?1 AND id < ?2 ORDER BY id"))?;
        let mut rows = statement.query([first_id(first), first_id(self.grid.last_minute + 1)])?;
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

    fn into_steps(self, mut runs: Vec<Run>) -> Steps {
        let Grid { first_minute, step_minutes, count, .. } = self.grid;
        runs.retain(|run| run.last_minute >= first_minute);
        let mut lines: Vec<_> = self.sums.into_iter().map(Sum::into_line).collect();
        lines.retain(|line| !line.points.is_empty());
        lines.sort_by(|a, b| a.series.cmp(&b.series));
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
