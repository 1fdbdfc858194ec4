//! The hand-over file of a process: made, locked, found again after a crash (L10).
//!
//! `<folder>/.handover-<process>-<time>-<number>`, mode 0600. Its owner holds a lock on it for as long as it lives, so that
//! another process can tell a live one's file from one that was left behind. It is a record lock, which, unlike
//! `flock`, a forked child does not inherit: a child that lives on would keep its dead parent's lines locked up.
//!
//! Unsafe are here the calls of `posix_fallocate`, `fstatvfs`, `fcntl` and `geteuid`, which get an open descriptor and
//! plain values and keep nothing.
#![allow(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{mem, process};

use crate::arena::{Arena, LeftBehind};
use crate::clock::Clock;
use crate::exit;
use crate::last_resort;
use crate::sync::lock;

const PREFIX: &str = ".handover-";

/// Device and inode of the files of this process. A record lock is no obstacle to the process that holds it, and is
/// lost when any descriptor of its file is closed: so these are never opened again.
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
    last_resort::say(format!(
        "no hand-over file in {}: {error}; lines wait in memory, where a SIGKILL loses them",
        dir.display()
    ));
}

/// What dead processes have left in `dir`.
pub(crate) fn left_behind(dir: &Path) -> Vec<Arena> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let ours = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(is_name);
    let paths = entries.flatten().filter(ours).map(|entry| entry.path());
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    paths.into_iter().filter_map(File::adopt).filter_map(take_over).collect()
}

fn take_over(file: File) -> Option<Arena> {
    match Arena::left_behind(file) {
        Ok(LeftBehind::Lines(arena)) => Some(arena),
        Ok(LeftBehind::Nothing(file)) => {
            file.remove();
            None
        }
        Ok(LeftBehind::Foreign) | Err(_) => None,
    }
}

/// `.handover-<process>-<time>-<number>`
fn is_name(name: &str) -> bool {
    let numbers = name.strip_prefix(PREFIX).map(|rest| rest.split('-'));
    numbers.is_some_and(|numbers| {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        numbers.clone().count() == 3 && numbers.into_iter().all(is_number)
    })
}

impl File {
    fn create(dir: &Path, bytes: u64) -> io::Result<File> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{PREFIX}{}-{}-{count}", process::id(), Clock::System.now()));
        // Held until it is known as ours, so that another thread does not take it for one that was left behind.
        let mut ours = lock(&OURS);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        ours.push(id);
        drop(ours);
        let made = File { file, path, id };
        match made.set_up(bytes) {
            Ok(()) => Ok(made),
            Err(error) => {
                made.remove();
                Err(error)
            }
        }
    }

    fn set_up(&self, bytes: u64) -> io::Result<()> {
        try_lock(&self.file)?;
        allocate(&self.file, bytes)?;
        if free_bytes(&self.file)? < bytes {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "it would take the room of the lines"));
        }
        if self.is_in_place() { Ok(()) } else { Err(io::Error::other("it has been removed")) }
    }

    /// A file that nobody holds: ours now.
    fn adopt(path: PathBuf) -> Option<File> {
        let before = fs::symlink_metadata(&path).ok()?;
        let id = (before.dev(), before.ino());
        let mut ours = lock(&OURS);
        // SAFETY: takes nothing and cannot fail.
        let user = unsafe { libc::geteuid() };
        if !before.is_file() || before.uid() != user || ours.contains(&id) {
            return None;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(&path).ok()?;
        try_lock(&file).ok()?;
        ours.push(id);
        drop(ours);
        let file = File { file, path, id };
        // Somebody may have been faster and removed it before we had the lock.
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
        if !exit::in_forked_child() && self.is_in_place() {
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

/// Takes the lock of the whole file, at once or not at all.
fn try_lock(file: &fs::File) -> io::Result<()> {
    // SAFETY: a zeroed `flock` is a valid value; the descriptor is open; the call writes nothing.
    let result = unsafe {
        let mut whole: libc::flock = mem::zeroed();
        whole.l_type = libc::F_WRLCK as _;
        whole.l_whence = libc::SEEK_SET as _;
        libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &whole)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
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
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Gives the file its size and its place on the disk: a full disk is an error here, and never a SIGBUS later.
#[cfg(not(target_os = "linux"))]
fn allocate(file: &fs::File, bytes: u64) -> io::Result<()> {
    // Only behind what is there: a file that is being recovered holds lines.
    let there = io::Seek::seek(&mut &*file, io::SeekFrom::End(0))?;
    io::copy(&mut io::Read::take(io::repeat(0), bytes.saturating_sub(there)), &mut &*file).map(drop)
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

    #[test]
    fn only_the_exact_name_is_ours() {
        assert!(is_name(".handover-1-22-333"));
        for name in [
            ".handover-",
            ".handover-1-2",
            ".handover-1-2-3-4",
            ".handover-1-2-x",
            "x.handover-1-2-3",
            ".handover-1--3",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
