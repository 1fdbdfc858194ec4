//! Faults of disks, folders and locks: the history stops, counts, and goes on by itself.

use std::fs;

use rusqlite::Connection;

use super::*;
use crate::tests::small_disk::SmallDisk;

#[test]
fn a_locked_file_makes_minutes_wait() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    node.call(2);
    node.pass(60);
    assert!(node.stats().is_failing && node.stats().minutes_waiting == 1, "{:?}", node.stats());
    other.execute_batch("ROLLBACK").unwrap();
    node.call(3);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(calls(&range), [(0, 1.0), (1, 2.0), (2, 3.0)]);
    assert_eq!(runs(&range), [("start", 0, 2)]);
    let stats = node.stats();
    assert_eq!((stats.write_errors, stats.minutes_lost, stats.is_failing), (1, 0, false));
}

#[test]
fn minutes_beyond_an_hour_of_failure_are_lost_and_counted() {
    let (place, folder) = folder();
    // A file in place of the folder.
    fs::write(&folder, "").unwrap();
    let mut node = Node::new(&folder);
    for _ in 0..100 {
        node.call(1);
        node.pass(60);
    }
    assert_eq!((node.stats().minutes_waiting, node.stats().minutes_lost), (60, 40));
    fs::remove_file(&folder).unwrap();
    node.call(1);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(total(&range), 60.0, "{:?}", node.stats());
    assert_eq!(runs(&range), [("lost", 41, 100)], "no minute without calls where calls were lost");
    assert!(!node.stats().is_failing);
    drop(place);
}

#[test]
fn a_folder_that_is_removed_is_made_again() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    fs::remove_dir_all(&folder).unwrap();
    node.call(2);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(calls(&range), [(1, 2.0)]);
    assert_eq!(runs(&range), [("start", 0, 1)]);
}

#[cfg(unix)]
#[test]
fn the_folder_and_its_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.pass(60);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_full_disk_stops_the_history_until_there_is_room() {
    let (place, _) = folder();
    let Some(disk) = SmallDisk::mount(&place.path().join("small"), 1 << 20) else { return };
    let folder = disk.path().join("history");
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    disk.fill();
    // The log has some blocks beforehand, so the first minutes still find room.
    let mut expected = 1.0;
    while node.stats().minutes_waiting < 3 && expected < 2_000.0 {
        node.call(1);
        // Names that are new need pages.
        (0..20).for_each(|n| node.calls.with([&format!("c{}.{n}", node.unix_ms)]).add(1));
        node.pass(60);
        expected += 21.0;
    }
    let stats = node.stats();
    assert!(stats.is_failing && stats.write_errors > 0 && stats.minutes_waiting > 0, "{stats:?}");
    disk.clear();
    node.pass(60);
    let range = read(&folder);
    assert_eq!((total(&range), node.stats().minutes_waiting), (expected, 0));
    assert!(!node.stats().is_failing && node.stats().minutes_lost == 0);
}

#[test]
fn a_read_only_disk_stops_the_history_until_it_can_be_written() {
    let (place, _) = folder();
    let Some(disk) = SmallDisk::mount(&place.path().join("small"), 1 << 20) else { return };
    let folder = disk.path().join("history");
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    node.end();
    let ready = disk.run("mount", &["-o", "remount,ro"]);
    if !ready {
        return;
    }
    node.start();
    node.call(2);
    node.pass(60);
    assert!(node.stats().is_failing);
    assert_eq!(calls(&read(&folder)), [(0, 1.0)], "it can be read");
    assert!(disk.run("mount", &["-o", "remount,rw"]));
    node.pass(60);
    assert_eq!(calls(&read(&folder)), [(0, 1.0), (1, 2.0)]);
}
