//! Hand-over file: the memory in which the last traces outlive the process, until they are in the file of the history.
//!
//! It has the form of that file, with a smaller ring and the same key, and is in the memory of the machine where the system
//! has a place for it. So a trace costs its caller no fault of a page and no wait for a disk, and a disk sees each trace once.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::disk::{Refused, allocate, judge, open};
use super::format::{HEADER_BYTES, Head, Layout, RING_AT, seal};
use super::owner;

/// Folder of files that are in memory and outlive their process, on Linux.
const MEMORY: &str = "/dev/shm";
/// Beginning of the file's name there. A hash of the key follows, which no other user can guess.
const PREFIX: &str = "obs-history-";
/// Name in the folder of the history, where there is no memory for it.
const BESIDE: &str = "traces.handover";
/// Offset of the position from which on the ring has records. Before it are zeros.
const BEGIN_AT: u64 = 2560;
/// Offset of the path of the history's file in the header, so that a file of a folder that is gone can be removed.
const ORIGIN_AT: u64 = 3200;
const MAX_ORIGIN: usize = HEADER_BYTES - ORIGIN_AT as usize;
/// Maximum number of files of other folders that are looked at.
const MAX_OTHERS: usize = 256;

/// Places where a hand-over file may be.
pub(super) struct Places {
    in_memory: Option<PathBuf>,
    beside: PathBuf,
}

impl Places {
    pub(super) fn new(dir: &Path, key: [u64; 2]) -> Places {
        let name = format!("{PREFIX}{:016x}", seal(key, 1, &[]));
        Places {
            in_memory: is_memory(Path::new(MEMORY)).then(|| Path::new(MEMORY).join(name)),
            beside: dir.join(BESIDE),
        }
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.in_memory.iter().chain([&self.beside])
    }

    /// Returns the files that a process has left.
    pub(super) fn found(&self, key: [u64; 2]) -> Vec<(PathBuf, File, Layout)> {
        let read = |path: &PathBuf| {
            let file = open(path, false).ok().filter(is_ours)?;
            // A running process has it, if the folder of the history was copied.
            if !owner::take(&file).ok()? {
                return None;
            }
            let _ = file.unlock();
            match judge(&file).ok()? {
                (Head::Valid(layout), _) if layout.key == key => Some((path.clone(), file, layout)),
                _ => None,
            }
        };
        self.all().filter_map(read).collect()
    }

    /// Opens the file, or makes one whose first record has the position `cursor`. `origin` is the file of the history, from
    /// which a new one takes the names.
    pub(super) fn open(
        &self,
        layout: Layout,
        cursor: u64,
        origin: &File,
        path: &Path,
    ) -> io::Result<Handover> {
        let mut result = Err(io::ErrorKind::NotFound.into());
        for place in self.all() {
            result = open_at(place, layout, cursor, origin, path);
            if result.is_ok() {
                remove_orphans();
                break;
            }
        }
        result
    }
}

/// File that is open.
pub(super) struct Handover {
    pub(super) path: PathBuf,
    /// Holds the lock.
    pub(super) file: File,
    /// Position from which on it has records.
    pub(super) begin: u64,
}

fn open_at(place: &Path, layout: Layout, cursor: u64, origin: &File, path: &Path) -> io::Result<Handover> {
    let file = open(place, true)?;
    if !is_ours(&file) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // A copy of the folder has the same key.
    if !owner::take(&file)? {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let is_there = matches!(judge(&file)?, (Head::Valid(found), _) if found == layout);
    if !is_there {
        file.set_len(0)?;
    }
    // Allocated again, because it may have been cut. A full memory is an error here, and no SIGBUS later.
    if let Err(refused) = allocate(&file, layout.file_bytes(), true) {
        let _ = fs::remove_file(place);
        return Err(match refused {
            Refused::Io(error) => error,
            _ => io::ErrorKind::StorageFull.into(),
        });
    }
    if !is_there {
        let mut names = vec![0; RING_AT - HEADER_BYTES];
        origin.read_exact_at(&mut names, HEADER_BYTES as u64)?;
        file.write_all_at(&names, HEADER_BYTES as u64)?;
        let origin = path.as_os_str().as_encoded_bytes();
        if origin.len() < MAX_ORIGIN {
            file.write_all_at(origin, ORIGIN_AT)?;
        }
        file.write_all_at(&cursor.to_ne_bytes(), BEGIN_AT)?;
        // The header at last, so that a kill leaves no half of a file. Its two copies are before the rest.
        file.write_all_at(&layout.header(cursor)[..BEGIN_AT as usize], 0)?;
    }
    file.set_len(layout.file_bytes())?;
    let mut begin = [0; 8];
    file.read_exact_at(&mut begin, BEGIN_AT)?;
    let begin = u64::from_ne_bytes(begin).min(cursor).next_multiple_of(8);
    Ok(Handover { path: place.to_owned(), file, begin })
}

/// Whether the file is this user's, and closed to others.
fn is_ours(file: &File) -> bool {
    // The owner of a process's folder is its effective user. Other systems have no file in memory.
    let me = fs::metadata("/proc/self").map(|process| process.uid());
    let Ok(found) = file.metadata() else { return false };
    me.map_or(!cfg!(target_os = "linux"), |me| found.uid() == me && found.mode() & 0o077 == 0)
}

/// Whether files of the folder are in memory.
#[cfg(target_os = "linux")]
fn is_memory(folder: &Path) -> bool {
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    File::open(folder)
        .is_ok_and(|folder| rustix::fs::fstatfs(&folder).is_ok_and(|found| found.f_type == TMPFS))
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_: &Path) -> bool {
    false
}

/// Removes this user's files in memory whose history is gone. A test that kills its node leaves one.
fn remove_orphans() {
    let Ok(folder) = fs::read_dir(MEMORY) else { return };
    let ours = folder.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for entry in ours.take(MAX_OTHERS) {
        let path = entry.path();
        let Some(file) = open(&path, false).ok().filter(is_ours) else { continue };
        let mut origin = vec![0; MAX_ORIGIN];
        if !matches!(judge(&file), Ok((Head::Valid(_), _)))
            || file.read_exact_at(&mut origin, ORIGIN_AT).is_err()
        {
            continue;
        }
        let end = origin.iter().position(|byte| *byte == 0).unwrap_or(0);
        let origin: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&origin[..end]);
        let origin = Path::new(origin);
        // A folder that is there may be one whose disk is not mounted yet.
        if origin.is_absolute() && origin.parent().is_some_and(is_missing) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
