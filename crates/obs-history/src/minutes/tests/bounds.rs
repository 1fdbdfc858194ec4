//! Bounds of the file: days and bytes.

use std::fs;

use rusqlite::Connection;

use super::*;

fn bytes_of(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    files.sum()
}

/// Observes so much in a minute that a few hundred fill a megabyte.
fn busy_minute(node: &mut Node) {
    for capability in 0..20_u32 {
        let waits = node.waits.with([&format!("c{capability}")]);
        (0..12_u32).for_each(|n| waits.observe(f64::from(1 + n * capability)));
    }
    node.call(1);
    node.pass(60);
}

#[test]
fn the_oldest_minutes_make_room_for_new_ones() {
    let (_place, folder) = folder();
    let max = 1 << 20;
    let mut node = Node::with(Config::new(&folder).max_bytes(max));
    for _ in 0..600 {
        busy_minute(&mut node);
        assert!(bytes_of(&folder) <= max, "{}", bytes_of(&folder));
    }
    let range = read(&folder);
    let minutes = calls(&range);
    assert_eq!(minutes.last(), Some(&(599, 1.0)));
    let first = minutes[0].0;
    assert!((100..500).contains(&first), "{first}");
    assert_eq!(minutes.len() as i64, 600 - first, "the rest is whole");
    assert_eq!(runs(&range), [("start", first, 599)], "a removed minute is none without calls");
    assert!(node.stats().file_bytes > max / 2 && node.stats().write_errors == 0, "{:?}", node.stats());
    assert_eq!(node.stats().minutes_removed, first as u64, "each minute that made room is counted");
}

/// Many minutes that had to wait are as large as a good part of the file.
#[test]
fn an_hour_of_waiting_minutes_keeps_to_the_limit() {
    let (_place, folder) = folder();
    let max = 1 << 20;
    let mut node = Node::with(Config::new(&folder).max_bytes(max));
    (0..300).for_each(|_| busy_minute(&mut node));
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The first one has waited for the lock, the others need not.
    for minute in 0..59 {
        if minute == 1 {
            other.execute_batch("ROLLBACK").unwrap();
            fs::rename(&folder, folder.with_extension("away")).unwrap();
            fs::write(&folder, "").unwrap();
        }
        busy_minute(&mut node);
    }
    assert!(node.stats().minutes_waiting > 50, "{:?}", node.stats());
    fs::remove_file(&folder).unwrap();
    drop(other);
    fs::rename(folder.with_extension("away"), &folder).unwrap();
    busy_minute(&mut node);
    assert!(bytes_of(&folder) <= max, "{}", bytes_of(&folder));
    let minutes = calls(&read(&folder));
    let first = minutes[0].0;
    assert_eq!(minutes.last(), Some(&(359, 1.0)));
    assert_eq!(minutes.len() as i64, 360 - first, "the rest is whole");
    assert_eq!((node.stats().minutes_waiting, node.stats().minutes_removed), (0, first as u64));
}

#[test]
fn a_limit_that_is_lowered_shrinks_the_file() {
    let (_place, folder) = folder();
    let mut node = Node::with(Config::new(&folder).max_bytes(8 << 20));
    (0..600).for_each(|_| busy_minute(&mut node));
    node.end();
    let before = bytes_of(&folder);
    assert!(before > 1 << 20, "{before}");
    node.config = node.config.clone().max_bytes(1 << 20);
    node.start();
    (0..5).for_each(|_| node.pass(60));
    node.end();
    let after = bytes_of(&folder);
    assert!(after <= 1 << 20, "{before} and {after}");
}

#[test]
fn minutes_older_than_is_kept_are_removed() {
    let (_place, folder) = folder();
    let mut node = Node::with(Config::new(&folder).days(1));
    // An odd minute, because old minutes are removed in one.
    node.pass(60);
    for _ in 0..13 * 60 {
        node.calls.with([&format!("c{}", node.unix_ms / 36_000_000)]).add(1);
        node.call(1);
        node.pass(120);
    }
    let range = read(&folder);
    let first = calls(&range)[0].0;
    assert!((60..=2 * 60 + 10).contains(&first), "{first}");
    // A series that has no row any more goes too.
    (0..49 * 30).for_each(|_| node.pass(120));
    let connection = Connection::open(file(&folder)).unwrap();
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((count("series"), count("counters"), count("runs")), (0, 0, 1));
}

/// A person who leaves a query open must not let the log beside the file grow without end.
#[test]
fn a_reader_that_never_ends_stops_the_history_before_the_log_fills_the_disk() {
    let (_place, folder) = folder();
    let max = 1 << 20;
    let mut node = Node::with(Config::new(&folder).max_bytes(max));
    busy_minute(&mut node);
    let reader = Connection::open(file(&folder)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM runs").unwrap();
    let mut statement = reader.prepare("SELECT * FROM counters").unwrap();
    let mut rows = statement.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    for _ in 0..40 {
        busy_minute(&mut node);
        assert!(bytes_of(&folder) <= max, "{}", bytes_of(&folder));
    }
    assert!(node.stats().is_failing && node.stats().minutes_waiting > 0, "{:?}", node.stats());
    drop(rows);
    drop(statement);
    drop(reader);
    busy_minute(&mut node);
    assert_eq!((node.stats().is_failing, node.stats().minutes_waiting), (false, 0));
    assert_eq!(total(&read(&folder)), 42.0);
}

#[test]
fn settings_out_of_range_are_refused() {
    for (config, field) in [
        (Config::new(""), "folder"),
        (Config::new("/tmp").days(0), "days"),
        (Config::new("/tmp").days(367), "days"),
        (Config::new("/tmp").max_bytes((1 << 20) - 1), "max_bytes"),
        (Config::new("/tmp").max_bytes(u64::MAX), "max_bytes"),
    ] {
        assert_eq!(config.check().unwrap_err().field(), field);
        assert_eq!(crate::History::open(config).unwrap_err().field(), field);
    }
    assert!(Config::new("/tmp").days(366).max_bytes(1 << 20).check().is_ok());
}
