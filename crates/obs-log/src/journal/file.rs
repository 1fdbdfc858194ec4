//! Hand-over file: made, locked, adopted and removed.
//!
//! Its owner holds a lock of the open file description (Linux) or `flock`. A record lock would be lost when the process
//! closes any other descriptor of the file. A forked child inherits the lock, and some file systems have none. Then the owner
//! in the file's name decides (see [`crate::journal::owner`]), and a file whose owner may be alive is left alone. An adopted
//! file is renamed first, so that exactly one process gets it.
//!
//! Unsafe is the call of `fcntl`, for a kind of lock that `rustix` does not offer. It gets an open descriptor and plain
//! values, and keeps nothing.
#![allow(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::fstatvfs;
#[cfg(target_os = "linux")]
use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::geteuid;

use crate::clock::Clock;
use crate::files::{attributes, lockless};
use crate::journal::owner::{Life, Owner};
use crate::process::fork::in_forked_child;
use crate::sync::lock;

const PREFIX: &str = ".handover-";
/// Maximum number of files in a folder whose owners are not known to be alive, those of other PID namespaces included. It
/// bounds what a process leaves that is restarted again and again where the files cannot be adopted.
const MAX_LEFT: usize = 16;

/// Device and inode of this process's own files, which it never adopts.
static OURS: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// Open hand-over file, locked where the file system has locks.
#[derive(Debug)]
pub(crate) struct HandoverFile {
    pub(super) file: fs::File,
    path: PathBuf,
    id: (u64, u64),
}

/// Returns an error if too many files are left in `dir` to add another.
fn check_left(dir: &Path) -> io::Result<()> {
    let left = |owner: &Owner| owner.life() != Life::Alive;
    if fs::read_dir(dir)?.flatten().filter_map(|entry| owner_in(&entry)).filter(left).count() < MAX_LEFT {
        return Ok(());
    }
    Err(io::Error::other(format!("{MAX_LEFT} files {PREFIX}* of other processes are left there")))
}

/// Returns the owner of a hand-over file. `None` if the entry is not named like one.
pub(super) fn owner_in(entry: &fs::DirEntry) -> Option<Owner> {
    entry.file_name().to_str()?.strip_prefix(PREFIX).and_then(Owner::parse)
}

/// Returns a path for a file of `owner` that no file of this process has had before.
fn new_path(dir: &Path, owner: Owner) -> PathBuf {
    static MADE: AtomicU64 = AtomicU64::new(0);
    // Relaxed: only the numbers have to differ.
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    dir.join(format!("{PREFIX}{}", owner.to_name(count)))
}

impl HandoverFile {
    /// Makes a file of this size in `dir`, with its blocks allocated.
    pub(super) fn create(dir: &Path, bytes: u64) -> io::Result<HandoverFile> {
        check_left(dir)?;
        if attributes::keeps_all(dir) {
            return Err(io::Error::other("no file can be removed from it"));
        }
        let path = new_path(dir, Owner::current(Clock::System.now()));
        // Held until the file is listed, so that no other thread adopts it.
        let mut ours = lock(&OURS);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        ours.push(id);
        drop(ours);
        let mut made = HandoverFile { file, path, id };
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

    /// Takes the lock, or notes in the name that the file system has none.
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

    /// Takes over the file of a dead owner. Returns `None` if the owner may be alive or another process was faster.
    pub(super) fn adopt(path: &Path, owner: Owner) -> Option<HandoverFile> {
        let before = fs::symlink_metadata(path).ok()?;
        let id = (before.dev(), before.ino());
        let mut ours = lock(&OURS);
        if !before.is_file() || before.uid() != geteuid().as_raw() || ours.contains(&id) {
            return None;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(path).ok()?;
        let locked = try_lock(&file);
        let is_locked = locked.is_ok();
        // Another copy of this crate in this process may hold the lock.
        let is_held_here =
            owner.is_this_process() && locked.is_err_and(|error| !lockless::is_missing(&error));
        let is_dead = (is_locked && owner.has_lock()) || (!is_held_here && owner.life() == Life::Dead);
        if !is_dead {
            return None;
        }
        let us = Owner::current(Clock::System.now());
        let us = if is_locked { us } else { us.without_lock() };
        let new_path = new_path(path.parent()?, us);
        // Exactly one process succeeds. For the others the old name is gone. If names cannot be changed, the lock does the same.
        let new_path = match fs::rename(path, &new_path) {
            Ok(()) => new_path,
            Err(_) if is_locked => path.to_owned(),
            Err(_) => return None,
        };
        ours.push(id);
        drop(ours);
        let file = HandoverFile { file, path: new_path, id };
        // The rename may have moved another file that got the name meanwhile.
        file.is_in_place().then_some(file)
    }

    /// Allocates blocks for holes in the file. A store to a hole raises SIGBUS when the disk is full.
    pub(super) fn fill_holes(&self) -> io::Result<()> {
        let size = self.file.metadata()?;
        let whole = size.blocks().saturating_mul(512) >= size.len();
        if whole { Ok(()) } else { allocate(&self.file, size.len()) }
    }

    /// Open file, for its content.
    pub(super) fn as_file(&self) -> &fs::File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still under its name, where the next start looks for it.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == self.id)
    }

    /// Removes the file from the folder. A forked child leaves its parent's file alone.
    pub(crate) fn remove(&self) {
        if !in_forked_child() && self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for HandoverFile {
    fn drop(&mut self) {
        disown(self.id);
    }
}

fn disown(id: (u64, u64)) {
    lock(&OURS).retain(|ours| *ours != id);
}

/// Takes the lock of the whole file without waiting. It conflicts with the record locks of earlier versions.
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

/// Takes the lock of the whole file without waiting.
#[cfg(not(target_os = "linux"))]
pub(crate) fn try_lock(file: &fs::File) -> io::Result<()> {
    file.try_lock().map_err(io::Error::from)
}

/// Returns the free bytes of the file's disk for this user.
fn free_bytes(file: &fs::File) -> io::Result<u64> {
    let disk = fstatvfs(file)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Sets the size of the file and allocates its blocks. A full disk is an error here, and not a SIGBUS later.
#[cfg(target_os = "linux")]
fn allocate(file: &fs::File, bytes: u64) -> io::Result<()> {
    let allocated = fallocate(file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from);
    allocated
        .or_else(|error| if lockless::is_missing(&error) { write_through(file, bytes) } else { Err(error) })
}

/// Sets the size of the file and allocates its blocks. A full disk is an error here, and not a SIGBUS later.
#[cfg(not(target_os = "linux"))]
fn allocate(file: &fs::File, bytes: u64) -> io::Result<()> {
    write_through(file, bytes)
}

/// Allocates blocks by writing the file's own content, and zeros for holes and behind its end. A file that is being
/// recovered contains lines.
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
