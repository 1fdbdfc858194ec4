//! `event_log_writable`, on real databases.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::child::{NOBODY, check, give_away, report_as_nobody, report_in_namespaces, skipped};
use crate::home::{Home, append, assert_passes, assert_warns, set_mode};
use crate::promises::snapshot;

const NAME: &str = "event_log_writable";

#[test]
fn a_log_that_takes_a_write_passes() {
    let home = Home::fresh();
    assert_passes(&home.run(NAME), "journal mode wal");
    let log = Connection::open(home.event_log()).unwrap();
    log.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(log);
    assert_passes(&home.run(NAME), "journal mode delete");
}

#[test]
fn beside_a_node_that_has_it_open_it_passes_and_the_node_keeps_its_locks() {
    let home = Home::fresh();
    let log = Connection::open(home.event_log()).unwrap();
    append(&log, 1);
    assert_passes(&home.run(NAME), "journal mode wal");
    append(&log, 2);
    assert_eq!(log.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)), Ok(2));
}

#[test]
fn a_writer_at_work_is_a_warning() {
    let home = Home::fresh();
    let log = Connection::open(home.event_log()).unwrap();
    log.execute_batch("BEGIN IMMEDIATE").unwrap();
    append(&log, 1);
    assert_warns(&home.run(NAME), "being written to", "lsof");
    log.execute_batch("COMMIT").unwrap();
    assert_passes(&home.run(NAME), "");
}

#[test]
fn a_rollback_journal_of_a_crash_is_left_alone() {
    let home = Home::fresh();
    let journal = home.event_log().with_extension("sqlite-journal");
    fs::write(&journal, [1; 512]).unwrap();
    assert_warns(&home.run(NAME), "a rollback journal is there", "start the node");
    assert_eq!(fs::read(&journal).unwrap(), [1; 512]);
}

#[test]
fn no_false_pass_on_a_log_that_its_user_may_only_read() {
    let home = Home::fresh();
    set_mode(&home.event_log(), 0o444);
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_pass_on_a_log_that_its_user_may_only_read");
    };
    let result = check(&report, NAME);
    assert_eq!(result["status"], "fail", "{result}");
    assert!(result["detail"].as_str().unwrap().contains("read-only"), "{result}");
    assert!(result["fix"].as_str().unwrap().contains("writable for the node's user"), "{result}");
}

#[test]
fn no_false_pass_in_a_folder_that_its_user_may_only_read() {
    let home = Home::fresh();
    set_mode(&home.community(), 0o555);
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_pass_in_a_folder_that_its_user_may_only_read");
    };
    let result = check(&report, NAME);
    assert_eq!(result["status"], "fail", "{result}");
    assert!(result["fix"].as_str().unwrap().contains("make the folder"), "{result}");
}

/// What a running node left beside its log is enough to write to it now, and not after the next start.
#[test]
fn no_false_pass_in_such_a_folder_that_has_a_wal() {
    let home = crashed();
    assert!(home.event_log().with_extension("sqlite-shm").exists());
    set_mode(&home.community(), 0o555);
    let Some(report) = report_as_nobody(&home) else {
        return skipped("no_false_pass_in_such_a_folder_that_has_a_wal");
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

/// A home whose node was killed: its last event is in the `-wal` alone.
pub(crate) fn crashed() -> Home {
    let home = Home::fresh();
    let log = Connection::open(home.event_log()).unwrap();
    append(&log, 1);
    log.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    home
}

#[test]
fn a_wal_left_by_a_crash_stays_as_it_is() {
    let home = crashed();
    let wal = home.event_log().with_extension("sqlite-wal");
    let (database, frames) = (fs::read(home.event_log()).unwrap(), fs::read(&wal).unwrap());
    assert!(!frames.is_empty());
    assert_passes(&home.run(NAME), "journal mode wal");
    assert_eq!((fs::read(home.event_log()).unwrap(), fs::read(&wal).unwrap()), (database, frames));
}

/// Root looks at a user's node, which has to be able to use what stands beside its log afterwards.
#[test]
fn root_leaves_nothing_behind_that_is_its_own() {
    let home = crashed();
    fs::remove_file(home.event_log().with_extension("sqlite-shm")).unwrap();
    give_away(home.root());
    if fs::metadata(home.event_log()).unwrap().uid() != NOBODY {
        return skipped("root_leaves_nothing_behind_that_is_its_own");
    }
    assert_passes(&home.run(NAME), "journal mode wal");
    for entry in fs::read_dir(home.community()).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().uid(), NOBODY, "{entry:?}");
    }
}

/// On another disk, to which a link leads: what belongs to the log is there, and not beside the link.
#[test]
fn so_does_one_that_a_link_leads_to() {
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
