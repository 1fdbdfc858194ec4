//! Sign of life of a running node. The next start reads from it how the run ended.
//!
//! Each address that a node of this home listens on has a file of its own, which its node keeps locked. So two nodes that
//! share a home do not take each other for dead. The file is one block that is overwritten in place every half minute and
//! made durable only at the start and at the end: a kill of the process loses none of it, and a loss of power half a
//! minute at most.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_facade::{doctor, log};
use serde::{Deserialize, Serialize};

use super::create_once;
use crate::wire::clock;

/// Size of the file. One block of a disk is written whole or not at all.
const BLOCK: usize = 512;
/// Maximum number of other markers that are looked at. A home has one for each address that it ever had.
const MAX_OTHERS: usize = 64;

/// End of the run before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastRun {
    pub(crate) ended: Ended,
    /// End of the run, or its last sign of life if it did not end in order.
    pub(crate) at: Option<DateTime<Utc>>,
    /// Whether the machine has started since. It may have lost power.
    pub(crate) machine_restarted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    InOrder,
    /// By a signal that no process can handle, a crash, or a loss of power.
    Killed,
    /// The marker is missing or unreadable, or its owner is still ending.
    Unknown,
    /// There was no run before.
    None,
}

impl Ended {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Ended::InOrder => "in_order",
            Ended::Killed => "killed",
            Ended::Unknown => "unknown",
            Ended::None => "none",
        }
    }
}

impl LastRun {
    pub(crate) const UNKNOWN: LastRun = LastRun::without_details(Ended::Unknown);
    const NONE: LastRun = LastRun::without_details(Ended::None);

    /// Returns the end as the doctor judges it. This run began `uptime` ago.
    pub(crate) fn for_doctor(&self, uptime: Duration) -> doctor::LastRun {
        doctor::LastRun {
            ended: match self.ended {
                Ended::InOrder => doctor::RunEnd::InOrder,
                Ended::Killed => doctor::RunEnd::Killed,
                Ended::Unknown => doctor::RunEnd::Unknown,
                Ended::None => doctor::RunEnd::None,
            },
            at: self.at.map(clock::text),
            recovered_lines: log::stats().recovered,
            uptime_seconds: uptime.as_secs(),
        }
    }

    const fn without_details(ended: Ended) -> LastRun {
        LastRun { ended, at: None, machine_restarted: false }
    }
}

/// Content of the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Record {
    node_id: String,
    pid: u32,
    /// Identifies the start of the machine. `None` on systems that have no such ID.
    boot_id: Option<String>,
    started_at: String,
    last_at: String,
    is_ended: bool,
}

/// Marker of this run.
pub(crate) struct RunMarker {
    state: Mutex<State>,
}

struct State {
    file: File,
    record: Record,
    /// A node that is still ending may hold the lock for a few seconds.
    is_locked: bool,
}

impl RunMarker {
    /// Reads how the last run ended, and marks this one as running. `is_new_home` tells that there was no run before; it is asked
    /// if no run left a marker.
    ///
    /// # Errors
    ///
    /// If the marker cannot be made. The node can run without it.
    pub(crate) fn claim(
        folder: &Path,
        address: SocketAddr,
        node_id: &str,
        is_new_home: impl FnOnce() -> bool,
    ) -> io::Result<(LastRun, RunMarker)> {
        create_once::folder(folder).map_err(|error| io::Error::other(error.to_string()))?;
        let path = folder.join(file_name(address));
        let existed = path.exists();
        let mut file = open(&path)?;
        let record = Record::of_this_run(node_id);
        let is_locked = lock(&mut file, &record)?;
        let last = match read(&mut file) {
            _ if !is_locked => LastRun::UNKNOWN,
            Some(last) if last.node_id == node_id => last.ending(&record),
            None if existed => LastRun::UNKNOWN,
            _ => {
                let absent = || if is_new_home() { LastRun::NONE } else { LastRun::UNKNOWN };
                others(folder, &path, &record).unwrap_or_else(absent)
            }
        };
        let marker = RunMarker { state: Mutex::new(State { file, record, is_locked }) };
        marker.lock().write()?;
        Ok((last, marker))
    }

    /// Makes a new marker durable, so that a loss of power leaves no empty file. May block on the disk.
    pub(crate) fn sync(&self) {
        let state = self.lock();
        if state.is_locked {
            let _ = state.file.sync_all();
        }
    }

    /// Renews the sign of life. May block on the disk.
    pub(crate) fn renew(&self) -> io::Result<()> {
        let mut state = self.lock();
        let State { file, record, is_locked } = &mut *state;
        *is_locked = *is_locked || lock(file, record)?;
        record.last_at = clock::now_text();
        state.write()
    }

    /// Notes that the run ended in order. May block on the disk.
    pub(crate) fn end(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.record.is_ended = true;
        state.record.last_at = clock::now_text();
        state.write()?;
        state.file.sync_data()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self) -> io::Result<()> {
        // Another node owns the file until it is locked.
        if !self.is_locked {
            return Ok(());
        }
        let mut block = serde_json::to_vec(&self.record)?;
        block.resize(BLOCK - 1, b' ');
        block.push(b'\n');
        self.file.seek(SeekFrom::Start(0))?;
        // In place: a new file each time would cost an update of the folder.
        self.file.write_all(&block)
    }
}

impl Record {
    fn of_this_run(node_id: &str) -> Record {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let now = clock::now_text();
        Record {
            node_id: node_id.to_owned(),
            pid: std::process::id(),
            boot_id: boot_id.map(|id| id.trim().to_owned()),
            started_at: now.clone(),
            last_at: now,
            is_ended: false,
        }
    }

    fn ending(&self, now: &Record) -> LastRun {
        LastRun {
            ended: if self.is_ended { Ended::InOrder } else { Ended::Killed },
            at: clock::parse(&self.last_at),
            machine_restarted: self.boot_id != now.boot_id,
        }
    }

    /// Returns whether the process of this record runs, for file systems without locks.
    fn is_alive(&self, now: &Record) -> bool {
        #[cfg(unix)]
        let exists = || {
            use rustix::process::{Pid, test_kill_process};
            let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
            // A process of another user exists too.
            pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
        };
        #[cfg(not(unix))]
        let exists = || false;
        self.pid != now.pid && self.boot_id == now.boot_id && !self.is_ended && exists()
    }
}

/// Returns the name of the marker of a node that listens on `address`.
fn file_name(address: SocketAddr) -> String {
    let usual = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' };
    address.to_string().chars().map(usual).collect::<String>() + ".json"
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes the lock without waiting. Returns whether this process owns the file now.
fn lock(file: &mut File, now: &Record) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        // A file system without locks.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(!read(file).is_some_and(|record| record.is_alive(now)))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn read(file: &mut File) -> Option<Record> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(BLOCK as u64).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Returns the end of the last run of this node on another address, which may have been changed since.
fn others(folder: &Path, own: &Path, now: &Record) -> Option<LastRun> {
    let paths = fs::read_dir(folder).ok()?.take(MAX_OTHERS).flatten().map(|entry| entry.path());
    let dead = paths.filter(|path| path != own).filter_map(|path: PathBuf| {
        let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        // A node that runs owns its file.
        lock(&mut file, now).ok().filter(|owned| *owned)?;
        read(&mut file).filter(|record| record.node_id == now.node_id)
    });
    Some(dead.max_by_key(|record| clock::parse(&record.last_at))?.ending(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "ed25519:us";

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([0, 0, 0, 0], port))
    }

    fn claim(folder: &Path, port: u16) -> (Ended, RunMarker) {
        let (last, marker) = RunMarker::claim(folder, address(port), NODE, || true).unwrap();
        (last.ended, marker)
    }

    #[test]
    fn a_run_that_did_not_say_its_end_was_killed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("runs");
        let (first, marker) = claim(&folder, 7080);
        assert_eq!(first, Ended::None);
        marker.renew().unwrap();
        // The lock ends with the process, and here with the file.
        drop(marker);
        let (second, marker) = claim(&folder, 7080);
        assert_eq!(second, Ended::Killed);
        marker.end().unwrap();
        drop(marker);
        assert_eq!(claim(&folder, 7080).0, Ended::InOrder);
        let size = fs::metadata(folder.join("0.0.0.0_7080.json")).unwrap().len();
        assert_eq!(size, BLOCK as u64);
    }

    #[test]
    fn nodes_that_share_a_home_have_runs_of_their_own() {
        let home = tempfile::tempdir().unwrap();
        let (_, first) = claim(home.path(), 7080);
        let (ended, second) = claim(home.path(), 7081);
        assert_eq!(ended, Ended::None, "the other node runs");
        drop(first);
        assert_eq!(claim(home.path(), 7080).0, Ended::Killed);
        second.end().unwrap();
        drop(second);
        assert_eq!(claim(home.path(), 7081).0, Ended::InOrder);
    }

    #[test]
    fn a_changed_address_does_not_hide_a_kill() {
        let home = tempfile::tempdir().unwrap();
        drop(claim(home.path(), 7080));
        assert_eq!(claim(home.path(), 7090).0, Ended::Killed);
        let (last, _) = RunMarker::claim(home.path(), address(7091), "ed25519:another", || true).unwrap();
        assert_eq!(last.ended, Ended::None, "runs of another identity are not those of this node");
    }

    #[test]
    fn a_node_that_is_still_ending_keeps_its_marker_until_it_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let (_, ending) = claim(home.path(), 7080);
        let (ended, next) = claim(home.path(), 7080);
        assert_eq!(ended, Ended::Unknown);
        next.renew().unwrap();
        ending.end().unwrap();
        drop(ending);
        next.renew().unwrap();
        drop(next);
        assert_eq!(claim(home.path(), 7080).0, Ended::Killed, "the marker is that of the second run");
    }

    #[test]
    fn a_damaged_marker_is_unknown_and_replaced() {
        for damaged in [&b""[..], b"{", &[0; BLOCK], &[0xff; 4096]] {
            let home = tempfile::tempdir().unwrap();
            fs::write(home.path().join("0.0.0.0_7080.json"), damaged).unwrap();
            assert_eq!(claim(home.path(), 7080).0, Ended::Unknown);
            assert_eq!(claim(home.path(), 7080).0, Ended::Killed);
        }
    }

    #[test]
    fn a_time_in_the_future_and_a_restart_of_the_machine_are_told() {
        let home = tempfile::tempdir().unwrap();
        let mut record = Record::of_this_run(NODE);
        record.boot_id = Some("another".to_owned());
        record.last_at = "2999-01-01T00:00:00Z".to_owned();
        let path = home.path().join("0.0.0.0_7080.json");
        fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
        let (last, _) = RunMarker::claim(home.path(), address(7080), NODE, || false).unwrap();
        assert_eq!((last.ended, last.machine_restarted), (Ended::Killed, true));
        assert_eq!(last.at, clock::parse("2999-01-01T00:00:00Z"));
    }
}
