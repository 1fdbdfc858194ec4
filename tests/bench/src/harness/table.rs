//! Tables of figures, aligned.

use std::iter::once;

use super::threads::{COUNTS, in_words};
use super::{Area, Contender, Results, Samples};

/// Unit of a table's figures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Microseconds,
    /// Million a second.
    Millions,
    /// Events a second.
    Megabytes,
    /// Requests a second. The median alone, as in all tables with a column for each number of connections.
    PerSecond,
    /// Seconds; the median alone.
    Seconds,
    /// Microseconds; the median alone.
    Latency,
    /// Megabytes of memory; the median alone.
    Memory,
    /// Summed over the rounds.
    Count,
}

/// Table with a row for each contender.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) columns: Vec<Column>,
    /// Contender that the others are compared with.
    pub(crate) base: Option<&'static str>,
}

pub(crate) struct Column {
    pub(crate) key: String,
    pub(crate) heading: String,
}

impl Column {
    pub(crate) fn new(key: impl Into<String>, heading: impl Into<String>) -> Column {
        Column { key: key.into(), heading: heading.into() }
    }

    /// Columns for 1, 2 and 8 threads.
    pub(crate) fn threads(key: &str) -> Vec<Column> {
        COUNTS.map(|count| Column::new(format!("{key}-{count}"), in_words(count))).into()
    }
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds | Unit::Latency => "µs",
            Unit::Millions => "million a second",
            Unit::Megabytes => "MB/s",
            Unit::PerSecond => "a second",
            Unit::Seconds => "s",
            Unit::Memory => "MB",
            Unit::Count => "sum of all rounds",
        }
    }

    /// Returns the unit with the statistics of a table for the terminal.
    fn words(self) -> String {
        let statistics = match self {
            Unit::Nanoseconds | Unit::Microseconds => ", minimum / median",
            Unit::Millions | Unit::Megabytes => ", maximum / median",
            Unit::PerSecond | Unit::Seconds | Unit::Latency | Unit::Memory => ", median",
            Unit::Count => "",
        };
        format!("{}{statistics}", self.name())
    }

    fn is_median_alone(self) -> bool {
        matches!(self, Unit::PerSecond | Unit::Seconds | Unit::Latency | Unit::Memory | Unit::Count)
    }

    fn best(self, samples: &Samples) -> f64 {
        match self {
            Unit::Millions | Unit::Megabytes => samples.max(),
            _ => samples.min(),
        }
    }
}

impl Table {
    pub(crate) fn text(&self, area: &Area, results: &Results) -> String {
        let rows: Vec<_> = self.rows(area, results).collect();
        let column = |column: &Column| {
            let cells = rows.iter().map(|who| self.cell(who.name, &column.key, results));
            aligned(once(column.heading.clone()).chain(cells).collect())
        };
        let columns: Vec<Vec<String>> = self.columns.iter().map(column).collect();
        let labels: Vec<&str> = once("").chain(rows.iter().map(|who| who.label)).collect();
        let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let base = self.base.map(|base| format!("; × {}", area.label(base))).unwrap_or_default();
        let mut text = format!("{} ({}{base})\n", self.title, self.unit.words());
        for (at, label) in labels.iter().enumerate() {
            let cells: String = columns.iter().map(|column| format!("   {}", column[at])).collect();
            text += format!("  {label:width$}{cells}").trim_end();
            text.push('\n');
        }
        text
    }

    /// Returns the contenders with a figure in the table.
    pub(crate) fn rows<'a>(&self, area: &'a Area, results: &Results) -> impl Iterator<Item = &'a Contender> {
        let is_measured =
            |who: &str| self.columns.iter().any(|column| results.get(who, &column.key).is_some());
        area.contenders.iter().filter(move |who| is_measured(who.name))
    }

    /// Returns the median of a cell, with its ratio to the base.
    pub(crate) fn median(&self, who: &str, key: &str, results: &Results) -> String {
        let Some(samples) = results.get(who, key) else { return "–".to_owned() };
        if self.unit == Unit::Count {
            return format!("{}", samples.sum());
        }
        let median = samples.median();
        match self.base.and_then(|base| results.get(base, key)) {
            Some(base) => format!("{}  {:>5.2}×", figure(median), median / base.median()),
            None => figure(median),
        }
    }

    fn cell(&self, who: &str, key: &str, results: &Results) -> String {
        let samples = match results.get(who, key) {
            Some(samples) if !self.unit.is_median_alone() => samples,
            _ => return self.median(who, key, results),
        };
        let (best, median) = (self.unit.best(samples), samples.median());
        let cell = format!("{} / {}", figure(best), figure(median));
        match self.base.and_then(|base| results.get(base, key)) {
            Some(base) => {
                let (best, median) = (best / self.unit.best(base), median / base.median());
                format!("{cell}  {best:>5.2}× /{median:>5.2}×")
            }
            None => cell,
        }
    }
}

/// Right-aligned cells of one width.
fn aligned(cells: Vec<String>) -> Vec<String> {
    let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    cells.into_iter().map(|cell| format!("{cell:>width$}")).collect()
}

/// Formats a number with three significant digits.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
            groups.collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [0.254, 19.46, 131.4, 1_013.0, 198_881.2].map(figure),
            ["0.25", "19.5", "131", "1 013", "198 881"]
        );
    }
}
