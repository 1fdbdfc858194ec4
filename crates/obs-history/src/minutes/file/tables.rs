//! Tables of the file, as a reader takes their rows. Another program may have written them.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::histogram::Histogram;
use super::rows::{Cause, Run, Series, Value, time_at};

/// Maximum bytes of a text that is read. The writer's texts are shorter; a file of someone else must not fill the memory.
pub(super) const MAX_TEXT: usize = 65_536;

// The minute is part of the key, which takes no decoding.
pub(super) const COUNTERS: &str = "SELECT id, run, series, growth FROM counters";
pub(super) const GAUGES: &str = "SELECT id, run, series, min, max, last FROM gauges";
// `octet_length` does not read the text. One that is longer than any of the writer's becomes an empty one, and its row is
// unreadable. The column `negative` may be NULL, which stays.
pub(super) const HISTOGRAMS: &str = "SELECT id, run, series, sum, schema, zero, \
                                     iif(octet_length(positive) > 65536, '', positive), \
                                     iif(octet_length(negative) > 65536, '', negative) FROM histograms";

// Rows of hours have the same columns, and are of no run.
pub(super) const HOUR_COUNTERS: &str = "SELECT id, NULL, series, growth FROM hour_counters";
pub(super) const HOUR_GAUGES: &str = "SELECT id, NULL, series, min, max, last FROM hour_gauges";
pub(super) const HOUR_HISTOGRAMS: &str = "SELECT id, NULL, series, sum, schema, zero, \
                                          iif(octet_length(positive) > 65536, '', positive), \
                                          iif(octet_length(negative) > 65536, '', negative) FROM hour_histograms";

/// Reads the value of a row. `None` if it has an unknown form.
pub(super) fn counter(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Value>> {
    Ok(Some(Value::Counter(row.get(3)?)))
}

/// Reads the value of a row. `None` if it has an unknown form.
pub(super) fn gauge(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Value>> {
    Ok(Some(Value::Gauge { min: row.get(3)?, max: row.get(4)?, last: row.get(5)? }))
}

/// Reads the value of a row. `None` if it has an unknown form.
pub(super) fn histogram(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Value>> {
    let mut histogram = Histogram::default();
    Ok(histogram.read(row).map(|()| histogram.value()))
}

/// Returns by their numbers what `choose` makes of the series.
pub(super) fn series<T>(
    connection: &Connection,
    mut choose: impl FnMut(Series) -> Option<T>,
) -> Result<HashMap<i64, T>, Fault> {
    let sql = format!(
        "SELECT series, family, labels FROM series WHERE length(family) + length(labels) < {MAX_TEXT}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        let (Ok(id), Ok(family), Ok(labels)) = (row.get(0), row.get(1), row.get::<_, String>(2)) else {
            continue;
        };
        let Ok(labels) = serde_json::from_str::<std::collections::BTreeMap<String, String>>(&labels) else {
            continue;
        };
        let series = Series { family, labels: labels.into_iter().collect() };
        if let Some(chosen) = choose(series) {
            found.insert(id, chosen);
        }
    }
    Ok(found)
}

/// Returns the runs that overlap the minutes.
pub(super) fn runs(connection: &Connection, (first, last): (i64, i64)) -> Result<Vec<Run>, Fault> {
    let sql = format!(
        "SELECT run, cause, started_at, first_minute, last_minute, ended, clock_step_seconds, substr(version, 1, 100) \
         FROM runs WHERE first_minute <= ?2 AND last_minute >= ?1 AND length(cause) < {MAX_TEXT} \
         ORDER BY first_minute, run"
    );
    let mut statement = connection.prepare(&sql)?;
    let runs = statement.query_map(params![first, last], |row| {
        Ok(Run {
            run: row.get(0)?,
            cause: Cause::of(&row.get::<_, String>(1)?),
            started_at: time_at(row.get(2)?),
            first_minute: row.get(3)?,
            last_minute: row.get(4)?,
            has_ended: row.get::<_, i64>(5)? != 0,
            clock_step_seconds: row.get(6)?,
            version: row.get(7)?,
        })
    })?;
    Ok(runs.collect::<Result<_, _>>()?)
}
