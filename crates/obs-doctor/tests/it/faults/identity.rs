//! Faults of the device key, the community and its event log.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use obs_doctor::machine::Machine;
use rusqlite::Connection;

use super::broken::{Broken, broken_disk};
use super::table::Table;
use crate::child;
use crate::home::{Home, append, id_of, set_mode};

pub(super) fn keys_present(table: &mut Table) {
    let home = Home::fresh();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run("keys_present"));
    let path = home.seed();
    for mode in [0o644, 0o640] {
        set_mode(&path, mode);
        look(table, &format!("mode {mode:04o}"));
    }
    set_mode(&path, 0o200);
    look(table, "mode 0200");
    set_mode(&path, 0o600);
    match chown(&path, Some(1234), None) {
        Ok(()) => look(table, "another user's"),
        Err(_) => table.missing = true,
    }
    fs::remove_file(&path).unwrap();
    look(table, "missing, beside its public key");
    fs::remove_file(home.config.keys_dir.join("device.pub")).unwrap();
    look(table, "missing");
    symlink(home.root().join("gone"), &path).unwrap();
    look(table, "a link to nothing");
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    look(table, "a link to itself");
    fs::remove_file(&path).unwrap();
    symlink("/dev/null", &path).unwrap();
    look(table, "a link to a device");
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    look(table, "a pipe");
    fs::remove_file(&path).unwrap();
    let _socket = UnixListener::bind(&path).unwrap();
    look(table, "a socket");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    look(table, "a folder");
    fs::remove_dir_all(&home.config.keys_dir).unwrap();
    fs::write(&home.config.keys_dir, "").unwrap();
    look(table, "`keys_dir` is a file");
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), "keys_present"));

    let home = Home::fresh();
    set_mode(&home.config.keys_dir, 0o700);
    let report = child::report_as_stranger(&home);
    table.add_json(&home, "a folder that this user may not enter", "keys_present", report.as_ref());
}

/// Replaces `path` by a file that can be opened but not read.
fn unreadable(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink("/proc/self/mem", path).unwrap();
}

pub(super) fn keys_loadable(table: &mut Table) {
    let home = Home::fresh();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run("keys_loadable"));
    let seed = fs::read(home.seed()).unwrap();
    fs::write(home.seed(), [7; 33]).unwrap();
    look(table, "a byte too many");
    fs::write(home.seed(), "").unwrap();
    look(table, "empty");
    fs::write(home.seed(), [0; 32]).unwrap();
    look(table, "zero bytes after a power cut");
    unreadable(&home.seed());
    look(table, "cannot be read");
    fs::remove_file(home.seed()).unwrap();
    fs::write(home.seed(), seed).unwrap();
    set_mode(&home.seed(), 0o600);
    fs::write(home.public(), ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key()).unwrap();
    look(table, "`device.pub` of another key");
    fs::write(home.public(), [7; 31]).unwrap();
    look(table, "`device.pub` a byte short");
    let mut no_point = [0; 32];
    no_point[0] = 2; // y = 2 is on no point of the curve
    fs::write(home.public(), no_point).unwrap();
    look(table, "`device.pub` is not a key");
    unreadable(&home.public());
    look(table, "`device.pub` cannot be read");
    fs::remove_file(home.public()).unwrap();
    look(table, "no `device.pub`");
    fs::create_dir(home.public()).unwrap();
    look(table, "`device.pub` is a folder");
    fs::remove_dir(home.public()).unwrap();
    symlink(home.public(), home.public()).unwrap();
    look(table, "`device.pub` is a link to itself");
    fs::remove_file(home.seed()).unwrap();
    fs::create_dir(home.seed()).unwrap();
    look(table, "a folder");
}

pub(super) fn community_present(table: &mut Table) {
    const NAME: &str = "community_present";
    let mut home = Home::fresh();
    let look = |table: &mut Table, home: &Home, fault: &str| table.add(home, fault, &home.run(NAME));
    let path = home.manifest();
    fs::write(&path, "{").unwrap();
    look(table, &home, "not JSON");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    look(table, &home, "not text");
    fs::write(&path, "[]").unwrap();
    look(table, &home, "another document");
    fs::write(&path, format!(r#"{{"community_id":"{}"}}"#, id_of(&[9; 32]))).unwrap();
    look(table, &home, "of another community");
    fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
    look(table, &home, "over 1 MiB");
    fs::remove_file(&path).unwrap();
    look(table, &home, "missing");
    fs::create_dir(&path).unwrap();
    look(table, &home, "a folder");
    let denied = Machine::default().files(Broken(ErrorKind::PermissionDenied));
    table.add(&home, "unreadable", &home.run_on(denied, NAME));
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), NAME));
    home.config.community_id = Some("../../etc".to_owned());
    look(table, &home, "`community_id` is a path");

    let mut home = Home::empty();
    home.config.community_id = None;
    look(table, &home, "no communities folder");
    fs::create_dir(&home.config.communities_dir).unwrap();
    look(table, &home, "no community");
    fs::remove_dir(&home.config.communities_dir).unwrap();
    fs::write(&home.config.communities_dir, "").unwrap();
    look(table, &home, "the communities folder is a file");
}

pub(super) fn event_log_writable(table: &mut Table) {
    const NAME: &str = "event_log_writable";
    let home = Home::fresh();
    let look = |table: &mut Table, fault: &str| table.add(&home, fault, &home.run(NAME));
    let path = home.event_log();
    let log = Connection::open(&path).unwrap();
    log.execute_batch("BEGIN IMMEDIATE").unwrap();
    append(&log, 1);
    look(table, "another program is writing");
    drop(log);
    let journal = path.with_extension("sqlite-journal");
    fs::write(&journal, [1; 512]).unwrap();
    look(table, "a rollback journal is there");
    fs::remove_file(&journal).unwrap();
    let log = Connection::open(&path).unwrap();
    log.execute_batch("DROP TABLE clock").unwrap();
    drop(log);
    look(table, "a table is missing");
    let wal = path.with_extension("sqlite-wal");
    fs::create_dir(&wal).unwrap();
    look(table, "a folder in the place of its write-ahead log");
    fs::remove_dir(&wal).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..140].fill(0xff); // the first page's tree header
    fs::write(&path, bytes).unwrap();
    look(table, "damaged");
    fs::write(&path, [b'x'; 4096]).unwrap();
    look(table, "not SQLite");
    fs::write(&path, "").unwrap();
    look(table, "empty");
    fs::remove_file(&path).unwrap();
    look(table, "missing");
    fs::create_dir(&path).unwrap();
    look(table, "a folder");
    table.add(&home, "the disk is broken", &home.run_on(broken_disk(), NAME));

    let home = Home::fresh();
    set_mode(&home.event_log(), 0o444);
    table.add_json(&home, "mode 0444", NAME, child::report_as_nobody(&home).as_ref());
    let home = Home::fresh();
    set_mode(&home.community(), 0o555);
    table.add_json(&home, "the folder has mode 0555", NAME, child::report_as_nobody(&home).as_ref());
    let home = Home::fresh();
    let data = home.config.data_dir.display();
    let bind = format!("mount --bind {data} {data}; mount -o remount,ro,bind {data}");
    table.add_json(&home, "a read-only mount", NAME, child::report_in_namespaces(&home, &bind).as_ref());
    let full = format!(
        "cp -a {data} {data}.away; mount -t tmpfs -o size=1m none {data}; cp -a {data}.away/. {data}; \
         cat /dev/zero > {data}/ballast 2>/dev/null || true"
    );
    table.add_json(&home, "a full disk", NAME, child::report_in_namespaces(&home, &full).as_ref());
}
