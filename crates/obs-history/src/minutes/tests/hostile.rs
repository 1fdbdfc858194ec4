//! Files that are damaged, of another version or program, or made to do harm.

use std::fs;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::error::ErrorKind;

/// Returns the bytes of a file with some minutes.
fn some_file() -> Vec<u8> {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    for minute in 0..30 {
        node.call(1);
        (0..20).for_each(|n| node.waits.with([&format!("c{n}")]).observe(f64::from(minute * n)));
        node.pass(60);
    }
    node.end();
    fs::read(file(&folder)).unwrap()
}

/// Starts on a file with these bytes. It must keep a history, there or in a new file.
fn survives(bytes: &[u8]) -> (TempDir, PathBuf, Node) {
    let (place, folder) = folder();
    fs::create_dir(&folder).unwrap();
    fs::write(file(&folder), bytes).unwrap();
    let mut node = Node::new(&folder);
    node.unix_ms += 3_600_000;
    for _ in 0..3 {
        node.call(1);
        node.pass(60);
    }
    (place, folder, node)
}

#[test]
fn a_file_that_was_cut_is_moved_aside_and_a_new_one_begins() {
    let whole = some_file();
    for length in
        [0, 1, 15, 16, 100, 1_000, 4_095, 4_096, 8_192, whole.len() / 2, whole.len() - 4_096, whole.len() - 1]
    {
        let (_place, folder, node) = survives(&whole[..length]);
        // SQLite takes a file without a whole page for an empty one.
        let is_damaged = (8_192..whole.len() - 1).contains(&length);
        if is_damaged {
            assert_eq!(node.stats().files_set_aside, 1, "{length}");
        }
        let range = read(&folder);
        assert!(total(&range) >= 3.0, "{length}: {:?} {:?}", calls(&range), node.stats());
        assert!(folder.join("minutes.sqlite.damaged").exists() || !is_damaged, "{length}");
    }
}

#[test]
fn one_damaged_file_is_kept() {
    let (_place, folder, mut node) =
        survives(b"one that is no database at all, and longer than a header of SQLite is, I hope so....");
    fs::write(file(&folder), "another one").unwrap();
    (0..3).for_each(|_| node.pass(60));
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    assert_eq!(names, ["minutes.sqlite", "minutes.sqlite.damaged"]);
}

#[test]
fn a_file_of_a_later_version_is_left_alone_and_named() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.pass(60);
    node.end();
    Connection::open(file(&folder)).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = fs::read(file(&folder)).unwrap();
    node.start();
    node.call(1);
    node.pass(60);
    assert!(node.stats().is_failing && node.stats().files_set_aside == 0);
    assert_eq!(fs::read(file(&folder)).unwrap(), before);
    let error = Reader::open(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Newer);
    assert!(
        error.to_string().contains("later version") && error.to_string().contains("minutes.sqlite"),
        "{error}"
    );
    fs::rename(file(&folder), folder.join("of-2.sqlite")).unwrap();
    node.pass(60);
    assert_eq!(calls(&read(&folder)), [(1, 1.0)], "it goes on by itself");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let (_place, folder) = folder();
    fs::create_dir(&folder).unwrap();
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("CREATE TABLE photos (name TEXT); INSERT INTO photos VALUES ('cat')").unwrap();
    let mut node = Node::new(&folder);
    node.pass(60);
    assert!(node.stats().is_failing && node.stats().files_set_aside == 0);
    assert_eq!(other.query_row("SELECT name FROM photos", [], |row| row.get::<_, String>(0)).unwrap(), "cat");
    assert_eq!(Reader::open(&folder).unwrap_err().kind(), ErrorKind::Unreadable);
}

#[test]
fn other_tables_are_taken_for_damage_and_triggers_do_not_run() {
    let change = |sql: &str| {
        let (place, folder) = folder();
        let mut node = Node::new(&folder);
        node.pass(60);
        node.end();
        Connection::open(file(&folder)).unwrap().execute_batch(sql).unwrap();
        node.start();
        node.call(1);
        node.pass(60);
        node.pass(60);
        (place, folder, node)
    };
    let (_place, _, node) = change("DROP TABLE gauges; CREATE VIEW gauges AS SELECT 1");
    assert_eq!(node.stats().files_set_aside, 1);
    let (_place, folder, node) = change(
        "CREATE TRIGGER steal AFTER INSERT ON counters BEGIN DELETE FROM counters; END; CREATE TABLE notes (x)",
    );
    assert_eq!(node.stats().files_set_aside, 0, "tables and indexes of a person do no harm");
    assert_eq!(total(&read(&folder)), 1.0);
}

#[test]
fn values_of_another_form_are_counted_and_left_out() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(4);
    node.waits.with(["a"]).observe(1.0);
    node.pass(60);
    node.end();
    let connection = Connection::open(file(&folder)).unwrap();
    let long = "x".repeat(100_000);
    for (positive, schema, zero) in [
        ("{", 3, 0),
        ("[]", 3, 0),
        ("{\"1\":1}", 99, 0),
        ("{\"1\":1}", i64::MIN, 0),
        (&*long, 3, 0),
        ("{\"2147483647\":1}", 8, -5),
    ] {
        connection
            .execute(
                "INSERT INTO histograms SELECT max(id) + 1, minute, run, series, 1, ?2, ?3, ?1, NULL \
                 FROM histograms",
                rusqlite::params![positive, schema, zero],
            )
            .unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO series VALUES (1000, 'calls_total', 'no JSON', 0), (1001, 'calls_total', '{\"a\":1}', 0);
             INSERT INTO counters VALUES (1, 1, 1, 1000, 1), (2, 1, 1, 1001, 1), (9223372036854775807, 9223372036854775807, 1, 1, 1);
             INSERT INTO runs VALUES (99, 'x', 'unheard', -9223372036854775808, -9223372036854775808, 9223372036854775807, 7, 0, '');",
        )
        .unwrap();
    let range = read(&folder);
    assert_eq!((total(&range), range.unreadable), (4.0, 5));
    let extreme = range.runs.iter().find(|run| run.run == 99).unwrap();
    assert_eq!((extreme.cause.as_str(), extreme.has_ended), ("other", true));
    let _ = (extreme.first(), extreme.end(), extreme.started_at);
}

/// A folder in place of the file, and a link to nowhere.
#[test]
fn a_name_that_is_no_file_stops_the_history() {
    let (_place, folder) = folder();
    fs::create_dir_all(file(&folder)).unwrap();
    let mut node = Node::new(&folder);
    node.pass(60);
    assert!(node.stats().is_failing);
    assert!(Reader::open(&folder).is_err());
    fs::remove_dir(file(&folder)).unwrap();
    node.call(1);
    node.pass(60);
    assert_eq!(calls(&read(&folder)), [(1, 1.0)]);
}

proptest! {
    // Each case writes files.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Bytes that are changed anywhere stop neither the node nor a reader.
    #[test]
    fn changed_bytes_harm_nothing(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200)) {
        static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(some_file);
        let mut bytes = WHOLE.clone();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let (_place, folder, mut node) = survives(&bytes);
        if let Ok(reader) = Reader::open(&folder) {
            let _ = reader.range(SystemTime::UNIX_EPOCH, SystemTime::now());
        }
        node.end();
    }
}
