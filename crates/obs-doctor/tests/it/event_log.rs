//! `event_log_writable`, on real databases.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use obs_doctor::Doctor;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::child::{NOBODY, check, give_away, report_as_nobody, report_in_namespaces, skipped};
use crate::home::{Home, append, assert_passes, assert_warns, no_bus, set_mode};
use crate::promises::snapshot;

const NAME: &str = "event_log_writable";

#[test]
fn a_writable_log_passes() {
    let home = Home::fresh();
    assert_passes(&home.run(NAME), "journal mode wal");
    let log = Connection::open(home.event_log()).unwrap();
    log.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(log);
    assert_passes(&home.run(NAME), "journal mode delete");
}

#[test]
fn an_open_log_passes_and_the_node_keeps_its_locks() {
    let home = Home::fresh();
    let log = Connection::open(home.event_log()).unwrap();
    append(&log, 1);
    assert_passes(&home.run(NAME), "journal mode wal");
    append(&log, 2);
    assert_eq!(log.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)), Ok(2));
}

/// SQLite's locks are POSIX record locks. `close` of any descriptor drops all locks of the process on the file, so a check
/// inside the node must not open its database with plain calls.
#[test]
fn a_run_inside_the_node_keeps_the_nodes_locks() {
    for mode in ["WAL", "DELETE"] {
        for begin in ["BEGIN; SELECT count(*) FROM events", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
            let home = Home::fresh();
            let node = Connection::open(home.event_log()).unwrap();
            node.pragma_update(None, "journal_mode", mode).unwrap();
            append(&node, 1);
            node.execute_batch(begin).unwrap();
            let before = record_locks(&home);
            assert!(!before.is_empty(), "{mode} {begin}");
            drop(Doctor::standard().run_all_blocking(&home.config, &no_bus()));
            assert_eq!(record_locks(&home), before, "{mode} {begin}");
            drop(fs::File::open(home.event_log()).unwrap());
            assert_ne!(record_locks(&home), before, "this test sees a lost lock: {mode} {begin}");
        }
    }
}

/// Record locks that this process holds on the event log and the files beside it, as `/proc/locks` shows them.
fn record_locks(home: &Home) -> Vec<String> {
    let pid = std::process::id().to_string();
    let inodes = ["", "-wal", "-shm"].map(|suffix| {
        let path = format!("{}{suffix}", home.event_log().display());
        fs::metadata(path).map_or_else(|_| "none".to_owned(), |meta| meta.ino().to_string())
    });
    let lock = |line: &str| {
        // 1: POSIX ADVISORY READ 812 08:01:4242 1073741826 1073742335
        let columns: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
        let [_, _, mode, owner, file, start, end] = columns[..] else { return None };
        let inode = file.rsplit(':').next()?;
        let is_ours = owner == pid && inodes.iter().any(|known| known == inode);
        is_ours.then(|| format!("{inode} {mode} {start} {end}"))
    };
    let mut locks: Vec<String> =
        fs::read_to_string("/proc/locks").unwrap().lines().filter_map(lock).collect();
    locks.sort();
    locks
}

#[test]
fn an_active_writer_is_a_warning() {
    let home = Home::fresh();
    let log = Connection::open(home.event_log()).unwrap();
    log.execute_batch("BEGIN IMMEDIATE").unwrap();
    append(&log, 1);
    assert_warns(&home.run(NAME), "being written by another program", "lsof");
    log.execute_batch("COMMIT").unwrap();
    assert_passes(&home.run(NAME), "");
}

#[test]
fn a_rollback_journal_of_a_crash_is_not_touched() {
    let home = Home::fresh();
    let journal = home.event_log().with_extension("sqlite-journal");
    fs::write(&journal, [1; 512]).unwrap();
    assert_warns(&home.run(NAME), "a rollback journal exists", "start the node");
    assert_eq!(fs::read(&journal).unwrap(), [1; 512]);
}

#[test]
fn no_false_pass_on_a_read_only_log() {
    let home = Home::fresh();
    set_mode(&home.event_log(), 0o444);
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_pass_on_a_read_only_log");
    };
    let result = check(&report, NAME);
    assert_eq!(result["status"], "fail", "{result}");
    assert!(result["detail"].as_str().unwrap().contains("read-only"), "{result}");
    assert!(result["fix"].as_str().unwrap().contains("writable for the node's user"), "{result}");
}

#[test]
fn no_false_pass_in_a_read_only_folder() {
    let home = Home::fresh();
    set_mode(&home.community(), 0o555);
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_pass_in_a_read_only_folder");
    };
    let result = check(&report, NAME);
    assert_eq!(result["status"], "fail", "{result}");
    assert!(result["fix"].as_str().unwrap().contains("make the folder"), "{result}");
}

/// The files beside the log suffice for a write now, but not after the node's next start.
#[test]
fn no_false_pass_in_a_read_only_folder_with_a_wal() {
    let home = crashed();
    assert!(home.event_log().with_extension("sqlite-shm").exists());
    set_mode(&home.community(), 0o555);
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_pass_in_a_read_only_folder_with_a_wal");
    };
    let result = check(&report, NAME);
    assert_eq!(result["status"], "fail", "{result}");
    assert!(result["fix"].as_str().unwrap().contains("make the folder"), "{result}");
}

#[test]
fn no_false_pass_on_a_read_only_mount() {
    let home = Home::fresh();
    let data = home.config.data_dir.display();
    let setup = format!("mount --bind {data} {data}; mount -o remount,ro,bind {data}");
    let Some(report) = report_in_namespaces(&home, &setup) else {
        return skipped("no_false_pass_on_a_read_only_mount");
    };
    let log = check(&report, NAME);
    assert_eq!(log["status"], "fail", "{log}");
    assert!(log["detail"].as_str().unwrap().contains("mount"), "{log}");
    let disk = check(&report, "disk_space");
    assert_eq!(disk["status"], "fail", "{disk}");
    assert!(disk["detail"].as_str().unwrap().contains("mounted read-only"), "{disk}");
}

/// Returns a home whose node was killed: its last event is in the `-wal` only.
pub(crate) fn crashed() -> Home {
    let home = Home::fresh();
    let log = Connection::open(home.event_log()).unwrap();
    append(&log, 1);
    log.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    home
}

#[test]
fn a_wal_of_a_crash_is_not_changed() {
    let home = crashed();
    let wal = home.event_log().with_extension("sqlite-wal");
    let (database, frames) = (fs::read(home.event_log()).unwrap(), fs::read(&wal).unwrap());
    assert!(!frames.is_empty());
    assert_passes(&home.run(NAME), "journal mode wal");
    assert_eq!((fs::read(home.event_log()).unwrap(), fs::read(&wal).unwrap()), (database, frames));
}

/// Root checks a user's node. Afterwards that user still has to be able to use the files beside the log.
#[test]
fn root_leaves_no_file_of_its_own() {
    let home = crashed();
    fs::remove_file(home.event_log().with_extension("sqlite-shm")).unwrap();
    give_away(home.root());
    if fs::metadata(home.event_log()).unwrap().uid() != NOBODY {
        return skipped("root_leaves_no_file_of_its_own");
    }
    assert_passes(&home.run(NAME), "journal mode wal");
    for entry in fs::read_dir(home.community()).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().uid(), NOBODY, "{entry:?}");
    }
}

/// The log is on another disk that a link points to. Its journal and `-wal` are there, not beside the link.
#[test]
fn a_wal_at_the_target_of_a_link_is_not_changed() {
    let home = crashed();
    let disk = home.root().join("disk");
    fs::create_dir(&disk).unwrap();
    for name in ["events.sqlite", "events.sqlite-wal"] {
        fs::rename(home.community().join(name), disk.join(name)).unwrap();
    }
    fs::remove_file(home.event_log().with_extension("sqlite-shm")).unwrap();
    symlink(disk.join("events.sqlite"), home.event_log()).unwrap();
    let before = (snapshot(&home.config.data_dir), snapshot(&disk));
    assert_passes(&home.run(NAME), "journal mode wal");
    assert_eq!((snapshot(&home.config.data_dir), snapshot(&disk)), before);
}
