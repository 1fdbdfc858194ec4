//! The hand-over file of a process: made, locked, found again after a crash (L10).
//!
//! `<folder>/.handover-<process>-<mark>-<number>`, mode 0600. Its owner holds a lock on it for as long as it lives, so that
//! another process can tell a live one's file from one that was left behind. It is a lock of the open file description
//! (Linux) or `flock`, which no `close` of another descriptor takes away. A forked child inherits it, and some file
//! systems have none: there the owner in the file's name decides (see [`crate::journal::owner`]), and a file whose owner may be
//! alive is left alone. Who adopts a file renames it, so that one process gets it.
//!
//! Unsafe are here the calls of `posix_fallocate`, `fstatvfs`, `fcntl` and `geteuid`, which get an open descriptor and
//! plain values and keep nothing.
#![allow(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::files::attributes;
use crate::files::lockless;
use crate::journal::arena::{Arena, LeftBehind};
use crate::journal::owner::{Life, Owner};
use crate::process::at_exit;
use crate::process::stderr;
use crate::sync::lock;

const PREFIX: &str = ".handover-";
/// Most files in a folder whose owners are not known to be alive. A process that starts over and over leaves no more
/// where they cannot be adopted or written; processes of other PID namespaces count too.
const MOST_LEFT: usize = 16;

/// Device and inode of the files of this process, which are never adopted by it.
static OURS: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// An open hand-over file, locked.
#[derive(Debug)]
pub(crate) struct File {
    file: fs::File,
    path: PathBuf,
    id: (u64, u64),
}

/// Makes the memory for at most `bytes` of lines in a new file in `dir`.
pub(crate) fn create(dir: &Path, bytes: usize) -> io::Result<Arena> {
    let file = File::create(dir, Arena::file_bytes(bytes)).or_else(|_| {
        // A process that starts may have taken the first for one that was left behind.
        File::create(dir, Arena::file_bytes(bytes))
    })?;
    Arena::in_file(file, bytes)
}

/// The last resort: says on stderr that lines are in memory only.
pub(crate) fn warn_of_memory(dir: &Path, error: &io::Error) {
    stderr::say(format!(
        "no hand-over file in {}: {error}; lines wait in memory, where a SIGKILL loses them",
        dir.display()
    ));
}

/// What dead processes have left in `dir`.
pub(crate) fn left_behind(dir: &Path) -> Vec<Arena> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let found = entries.flatten().filter_map(|entry| Some((entry.path(), owner_in(&entry)?)));
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.into_iter().filter_map(|(path, owner)| take_over(File::adopt(&path, owner)?, &path)).collect()
}

/// An error where so many files are left in `dir` that one more process should not add its own.
fn check_left(dir: &Path) -> io::Result<()> {
    let left = |owner: &Owner| owner.life() != Life::Alive;
    if fs::read_dir(dir)?.flatten().filter_map(|entry| owner_in(&entry)).filter(left).count() < MOST_LEFT {
        return Ok(());
    }
    Err(io::Error::other(format!("{MOST_LEFT} files {PREFIX}* of other processes are left there")))
}

/// Reads the adopted `file`. One that is not ours gets its `former` name back.
fn take_over(file: File, former: &Path) -> Option<Arena> {
    let path = file.path().to_owned();
    match Arena::left_behind(file) {
        Ok(LeftBehind::Lines(arena)) => Some(arena),
        Ok(LeftBehind::Nothing(file)) => {
            file.remove();
            None
        }
        Ok(LeftBehind::Foreign) | Err(_) => {
            let _ = fs::rename(path, former);
            None
        }
    }
}

fn owner_in(entry: &fs::DirEntry) -> Option<Owner> {
    entry.file_name().to_str()?.strip_prefix(PREFIX).and_then(Owner::parse)
}

/// A path for a file of `owner` that no other file of this process has had.
fn new_path(dir: &Path, owner: Owner) -> PathBuf {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    dir.join(format!("{PREFIX}{}", owner.to_name(count)))
}

impl File {
    fn create(dir: &Path, bytes: u64) -> io::Result<File> {
        check_left(dir)?;
        if attributes::keeps_all(dir) {
            return Err(io::Error::other("no file can be removed from it"));
        }
        let path = new_path(dir, Owner::current(Clock::System.now()));
        // Held until it is known as ours, so that another thread does not take it for one that was left behind.
        let mut ours = lock(&OURS);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        ours.push(id);
        drop(ours);
        let mut made = File { file, path, id };
        match made.set_up(bytes) {
            Ok(()) => Ok(made),
            Err(error) => {
                made.remove();
                Err(error)
            }
        }
    }

    fn set_up(&mut self, bytes: u64) -> io::Result<()> {
        self.lock()?;
        allocate(&self.file, bytes)?;
        if free_bytes(&self.file)? < bytes {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "it would take the room of the lines"));
        }
        if self.is_in_place() { Ok(()) } else { Err(io::Error::other("it has been removed")) }
    }

    /// Takes the lock, or tells in the name that there is none.
    fn lock(&mut self) -> io::Result<()> {
        match try_lock(&self.file) {
            Err(error) if lockless::is_missing(&error) => {
                let owner = Owner::current(Clock::System.now()).without_lock();
                let path = new_path(self.path.parent().unwrap_or(Path::new(".")), owner);
                fs::rename(&self.path, &path)?;
                self.path = path;
                Ok(())
            }
            result => result,
        }
    }

    /// Takes the file of an owner that is dead.
    fn adopt(path: &Path, owner: Owner) -> Option<File> {
        let before = fs::symlink_metadata(path).ok()?;
        let id = (before.dev(), before.ino());
        let mut ours = lock(&OURS);
        // SAFETY: takes nothing and cannot fail.
        let user = unsafe { libc::geteuid() };
        if !before.is_file() || before.uid() != user || ours.contains(&id) {
            return None;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(path).ok()?;
        let locked = try_lock(&file);
        let is_locked = locked.is_ok();
        // Another copy of this crate in this process may hold it.
        let is_held_here =
            owner.is_this_process() && locked.is_err_and(|error| !lockless::is_missing(&error));
        let is_dead = (is_locked && owner.has_lock()) || (!is_held_here && owner.life() == Life::Dead);
        if !is_dead {
            return None;
        }
        let us = Owner::current(Clock::System.now());
        let us = if is_locked { us } else { us.without_lock() };
        let new_path = new_path(path.parent()?, us);
        // One process succeeds: for the others the old name is gone. Where names cannot be changed, the lock does the same.
        let new_path = match fs::rename(path, &new_path) {
            Ok(()) => new_path,
            Err(_) if is_locked => path.to_owned(),
            Err(_) => return None,
        };
        ours.push(id);
        drop(ours);
        let file = File { file, path: new_path, id };
        // Another file may have had that name by then.
        file.is_in_place().then_some(file)
    }

    /// An unallocated hole could be the end of the process that writes to it, when the disk is full.
    pub(crate) fn fill_holes(&self) -> io::Result<()> {
        let size = self.file.metadata()?;
        let whole = size.blocks().saturating_mul(512) >= size.len();
        if whole { Ok(()) } else { allocate(&self.file, size.len()) }
    }

    pub(crate) fn as_file(&self) -> &fs::File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still under its name, where the next start will look for it.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == self.id)
    }

    /// Removes it from the folder; a forked child leaves its parent's alone.
    pub(crate) fn remove(&self) {
        if !at_exit::in_forked_child() && self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        disown(self.id);
    }
}

fn disown(id: (u64, u64)) {
    lock(&OURS).retain(|ours| *ours != id);
}

/// Takes the lock of the whole file, at once or not at all. Earlier versions hold record locks, which exclude it.
#[cfg(target_os = "linux")]
pub(crate) fn try_lock(file: &fs::File) -> io::Result<()> {
    // SAFETY: a zeroed `flock` is a valid value; the descriptor is open; the call writes nothing.
    let result = unsafe {
        let mut whole: libc::flock = mem::zeroed();
        whole.l_type = libc::F_WRLCK as _;
        whole.l_whence = libc::SEEK_SET as _;
        libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &whole)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes the lock of the whole file, at once or not at all.
#[cfg(not(target_os = "linux"))]
pub(crate) fn try_lock(file: &fs::File) -> io::Result<()> {
    file.try_lock().map_err(io::Error::from)
}

/// What is left on the file's disk for this user.
#[allow(clippy::unnecessary_cast, reason = "the fields have other types elsewhere")]
fn free_bytes(file: &fs::File) -> io::Result<u64> {
    // SAFETY: a zeroed `statvfs` is a valid value, which the call overwrites; the descriptor is open.
    let (result, disk) = unsafe {
        let mut disk: libc::statvfs = mem::zeroed();
        (libc::fstatvfs(file.as_raw_fd(), &mut disk), disk)
    };
    match result {
        0 => Ok((disk.f_bavail as u64).saturating_mul(disk.f_frsize as u64)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives the file its size and its place on the disk: a full disk is an error here, and never a SIGBUS later.
#[cfg(target_os = "linux")]
fn allocate(file: &fs::File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open; the call touches no memory of ours.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(()),
        code => {
            let error = io::Error::from_raw_os_error(code);
            if lockless::is_missing(&error) { write_through(file, bytes) } else { Err(error) }
        }
    }
}

/// Gives the file its size and its place on the disk: a full disk is an error here, and never a SIGBUS later.
#[cfg(not(target_os = "linux"))]
fn allocate(file: &fs::File, bytes: u64) -> io::Result<()> {
    write_through(file, bytes)
}

/// Writes what the file contains, zeros for holes and behind its end: a file that is being recovered holds lines.
fn write_through(file: &fs::File, bytes: u64) -> io::Result<()> {
    const STEP: usize = 64 << 10;
    let mut block = vec![0; STEP];
    for start in (0..bytes).step_by(STEP) {
        let length = usize::try_from(bytes - start).unwrap_or(STEP).min(STEP);
        block.fill(0);
        let mut at = 0;
        while at < length {
            match file.read_at(&mut block[at..length], start + at as u64)? {
                0 => break,
                read => at += read,
            }
        }
        file.write_all_at(&block[..length], start)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l10_what_cannot_be_mapped_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = 1 << 20;
        let mut made = File::create(dir.path(), Arena::file_bytes(bytes)).unwrap();
        // The operating system maps nothing that it may not read.
        made.file = OpenOptions::new().write(true).open(&made.path).unwrap();
        let refused = Arena::in_file(made, bytes).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn l10_a_second_process_or_pipeline_gets_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = [(), ()].map(|()| create(dir.path(), 1 << 20).unwrap());
        assert_ne!(first.file().unwrap().path(), second.file().unwrap().path());
        assert!(left_behind(dir.path()).is_empty(), "both are held");
        drop((first, second));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
