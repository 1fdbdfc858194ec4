//! Sums of hours: a chart has the same values with and without them.

use rusqlite::Connection;

use super::*;
use crate::minutes::file::steps::Steps;

/// Lets some minutes pass with calls, waits and a gauge that changes now and then.
fn minutes(node: &mut Node, count: u32) {
    let depth = node.registry.gauge("depth", "D.", []);
    for minute in 0..count {
        node.call(u64::from(1 + minute % 7));
        if minute % 3 == 0 {
            node.waits.with(["llm.chat"]).observe(f64::from(1 + minute * 37 % 101));
            node.waits.with(["rag.query"]).observe(-f64::from(minute % 5));
        }
        if minute % 97 == 50 {
            depth.set([], f64::from(minute));
        }
        node.pass(60);
    }
}

fn steps(folder: &Path, first: i64, last: i64, step: u64) -> Steps {
    let at = |minute: i64| crate::minutes::file::rows::time_of(BEGIN + minute);
    let reader = Reader::open(folder).unwrap();
    reader.steps(at(first), at(last), Duration::from_secs(60 * step), |series| Some(series.clone())).unwrap()
}

/// Returns the hours after the beginning that have sums.
fn summed(folder: &Path) -> Vec<i64> {
    let connection = Connection::open(file(folder)).unwrap();
    let mut statement = connection.prepare("SELECT hour FROM hours WHERE has_sums ORDER BY hour").unwrap();
    let hours = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    hours.map(|hour| hour.unwrap() - BEGIN / 60).collect()
}

/// Compares charts from the sums with those from the minutes alone.
fn check(folder: &Path) {
    let spans = [(0, 900, 60), (0, 900, 180), (65, 299, 60), (0, 299, 120), (180, 420, 360), (0, 900, 7)];
    let read = || spans.map(|(first, last, step)| steps(folder, first, last, step));
    let with_sums = read();
    let connection = Connection::open(file(folder)).unwrap();
    connection
        .execute_batch("BEGIN; CREATE TABLE before AS SELECT * FROM hours; DELETE FROM hours; COMMIT")
        .unwrap();
    assert_eq!(with_sums, read());
    connection.execute_batch("INSERT INTO hours SELECT * FROM before; DROP TABLE before").unwrap();
    assert!(with_sums.iter().any(|steps| !steps.lines.is_empty()));
}

#[test]
fn a_chart_of_hours_is_one_of_their_minutes() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    minutes(&mut node, 150);
    assert_eq!(summed(&folder), [0, 1]);
    check(&folder);
    // Killed within an hour, down for some, and ended in order within a minute.
    node.unix_ms += 30_000;
    node.start();
    minutes(&mut node, 100);
    node.pass(20);
    node.end();
    node.unix_ms += 150 * 60_000;
    node.start();
    minutes(&mut node, 200);
    assert_eq!(summed(&folder), [0, 1, 2, 3, 4, 6, 7, 8], "an hour in which it was down needs none");
    check(&folder);
}

#[test]
fn the_sums_of_an_hour_that_comes_twice_are_made_again() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    minutes(&mut node, 200);
    assert_eq!(summed(&folder), [0, 1, 2]);
    node.set_clock(-100 * 60);
    minutes(&mut node, 1);
    assert_eq!(summed(&folder), [0, 2]);
    check(&folder);
    minutes(&mut node, 200);
    assert_eq!(summed(&folder), [0, 1, 2, 3, 4]);
    check(&folder);
}

#[test]
fn a_file_without_sums_gets_one_hour_with_each_minute() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    minutes(&mut node, 400);
    node.end();
    let drop =
        "DROP TABLE hours; DROP TABLE hour_counters; DROP TABLE hour_gauges; DROP TABLE hour_histograms";
    Connection::open(file(&folder)).unwrap().execute_batch(drop).unwrap();
    let before = steps(&folder, 0, 500, 60);
    node.start();
    for hour in 0..6 {
        node.pass(60);
        assert_eq!(summed(&folder), (0..=hour).collect::<Vec<_>>());
    }
    assert_eq!(steps(&folder, 0, 359, 60).lines, {
        let mut lines = before.lines;
        lines.iter_mut().for_each(|line| line.points.retain(|point| point.step < 6));
        lines
    });
    assert_eq!(node.stats().files_set_aside, 0);
    check(&folder);
}

#[test]
fn rows_of_another_form_are_counted_with_and_without_sums() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    minutes(&mut node, 59);
    let connection = Connection::open(file(&folder)).unwrap();
    let add =
        "INSERT INTO histograms SELECT max(id) + 1, minute, run, series, 1, 3, 0, '{', NULL FROM histograms";
    connection.execute_batch(add).unwrap();
    minutes(&mut node, 121);
    assert_eq!(summed(&folder), [1], "an hour whose rows cannot be read has no sums");
    assert_eq!(steps(&folder, 0, 179, 60).unreadable, 1);
    check(&folder);
    // Infinities of both signs have no sum.
    let add = "INSERT INTO counters SELECT max(id) + 1, minute, run, series, 9e999 FROM counters;
               INSERT INTO counters SELECT max(id) + 1, minute, run, series, -9e999 FROM counters";
    connection.execute_batch(add).unwrap();
    minutes(&mut node, 121);
    assert_eq!((summed(&folder), node.stats().write_errors), (vec![1, 3, 4], 0));
}

#[test]
fn tables_of_hours_of_another_form_are_taken_for_damage() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    minutes(&mut node, 61);
    node.end();
    Connection::open(file(&folder)).unwrap().execute_batch("DROP TABLE hour_gauges").unwrap();
    assert!(Reader::open(&folder).is_err());
    node.start();
    assert_eq!(node.stats().files_set_aside, 1);
}

#[test]
fn sums_are_removed_with_their_first_minute() {
    let (_place, folder) = folder();
    let mut node = Node::with(Config::new(&folder).max_bytes(1 << 20));
    for minute in 0..900_u32 {
        for capability in 0..20_u32 {
            let waits = node.waits.with([&format!("c{capability}")]);
            (0..12_u32).for_each(|n| waits.observe(f64::from(1 + (n + minute % 3) * capability)));
        }
        node.call(1);
        node.pass(60);
    }
    let first = calls(&read(&folder))[0].0;
    assert!(first > 60, "{first}");
    let expected: Vec<i64> = ((first + 59) / 60..14).collect();
    assert!(summed(&folder).ends_with(&expected), "{first} {:?}", summed(&folder));
    assert!(summed(&folder)[0] * 60 >= first);
    check(&folder);
}
