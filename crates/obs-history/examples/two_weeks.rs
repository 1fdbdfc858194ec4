//! Processor time in which two weeks of ten busy capabilities are read for a chart, without and with the sums of hours.
//!
//! ```text
//! cargo run --release -p obs-history --example two_weeks
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use obs_history::{Config, History, Reader, Steps};
use rusqlite::{Connection, params};

const SPAN: Duration = Duration::from_secs(14 * 24 * 3600);
const FAMILIES: [&str; 3] = ["calls_total", "call_seconds", "depth"];
const CAPABILITIES: i64 = 10;
const GAUGES: i64 = 6;
/// Buckets of a minute of a busy capability.
const BUCKETS: i64 = 16;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let folder = place.path().join("history");
    drop(History::open(Config::new(&folder))?);
    let now = SystemTime::now();
    let file = Reader::open(&folder)?.path().to_owned();
    let last = i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH)?.as_secs() / 60)?;
    let rows = fill(&file, last)?;

    let by_minute = read(&folder, now)?;
    Connection::open(&file)?.execute_batch(SUMS)?;
    println!("{rows} rows: {by_minute}, with the sums of hours {} (minimum/median)", read(&folder, now)?);
    Ok(())
}

/// Sums of the hours, which a node writes one by one.
const SUMS: &str = "
    BEGIN;
    INSERT INTO hours SELECT DISTINCT minute / 60, 1 FROM counters WHERE minute / 60 < unixepoch() / 3600;
    INSERT INTO hour_counters
        SELECT (hour * 60 << 20) + series, hour, series, sum(growth)
        FROM counters JOIN hours ON hour = minute / 60 GROUP BY hour, series;
    INSERT INTO hour_gauges
        SELECT (hour * 60 << 20) + series, hour, series, low, high, last
        FROM (SELECT hour, series, min(min) low, max(max) high, max(minute), last
              FROM gauges JOIN hours ON hour = minute / 60 GROUP BY hour, series);
    INSERT INTO hour_histograms
        SELECT (hour * 60 << 20) + series, hour, series, 1, 3, 0, json_group_object(key, calls), NULL
        FROM (SELECT hour, series, key, sum(value) calls
              FROM histograms JOIN hours ON hour = minute / 60, json_each(positive) GROUP BY hour, series, key)
        GROUP BY hour, series;
    COMMIT";

/// Reads the span some times. Returns the processor time, the minimum and the median.
fn read(folder: &Path, now: SystemTime) -> Result<String, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begin = processor_time()?;
        let step = Steps::step_for(SPAN, 120);
        let steps = Reader::open(folder)?.steps(now - SPAN, now, step, |series| {
            FAMILIES.contains(&series.family.as_str()).then(|| series.clone())
        })?;
        times.push(processor_time()? - begin);
        assert_eq!((steps.lines.len() as i64, steps.unreadable), (2 * CAPABILITIES + GAUGES, 0));
    }
    times.sort();
    Ok(format!("{:.1?}/{:.1?}", times[0], times[ROUNDS / 2]))
}

/// Fills the file as a node would, minute by minute. Returns the number of rows.
fn fill(file: &Path, last: i64) -> Result<i64, Box<dyn Error>> {
    let mut connection = Connection::open(file)?;
    let transaction = connection.transaction()?;
    for series in 0..2 * CAPABILITIES + GAUGES {
        let family = FAMILIES[(series / CAPABILITIES) as usize];
        let sql = "INSERT INTO series VALUES (?1, ?2, json_object('capability', CAST(?1 % 10 AS TEXT)), ?3)";
        transaction.execute(sql, params![series + 1_000, family, last / 1_440])?;
    }
    let sql =
        "INSERT INTO runs SELECT max(run) + 1, 'two weeks', 'start', ?1 * 60, ?1, ?2, 0, 0, '' FROM runs";
    let first = last - 14 * 1_440;
    transaction.execute(sql, params![first, last])?;
    let run = transaction.last_insert_rowid();
    let mut chance = 1_u64;
    let mut chance = |below: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    let mut rows = 0;
    for minute in first..last {
        for series in 0..2 * CAPABILITIES + GAUGES {
            let (id, series) = ((minute << 20) + 500_000 + series, series + 1_000);
            let of = (series - 1_000) / CAPABILITIES;
            let insert =
                |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
            match of {
                0 => {
                    let growth = chance(1_000) as f64;
                    insert(
                        "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![id, minute, run, series, growth],
                    )?
                }
                1 => {
                    let text = buckets(-40 + chance(8) as i64, &mut chance);
                    insert(
                        "INSERT INTO histograms VALUES (?1, ?2, ?3, ?4, ?5, 3, 0, ?6, NULL)",
                        params![id, minute, run, series, 1.5, text],
                    )?
                }
                _ => {
                    let value = chance(1 << 30) as f64;
                    insert(
                        "INSERT INTO gauges VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5)",
                        params![id, minute, run, series, value],
                    )?
                }
            };
            rows += 1;
        }
    }
    transaction.commit()?;
    Ok(rows)
}

fn buckets(first: i64, chance: &mut impl FnMut(u64) -> u64) -> String {
    let mut text = String::from("{");
    for index in first..first + BUCKETS {
        let comma = if index > first { "," } else { "" };
        let _ = write!(text, "{comma}\"{index}\":{}", 1 + chance(150));
    }
    text + "}"
}

/// Returns the processor time of this thread, which other programs change little.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(times.split(' ').next().unwrap_or_default().parse()?))
}
