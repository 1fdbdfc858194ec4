//! Log files of a folder at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::name::FileName;

/// Maximum number of readings of a folder whose names keep changing.
const LOOKS: usize = 8;

/// Device, inode and time of creation. A rename keeps them. The inode of a removed file is reused at once. The time of
/// creation tells the two files apart, if the file system has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

/// Length and time of the last write. A rename keeps both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    modified: (i64, i64),
}

/// File with a name in the folder.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: FileName,
    pub(super) id: FileId,
    pub(super) stamp: Stamp,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino(), born: metadata.created().ok() }
    }
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp { length: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

/// Lists the log files in `dir`.
///
/// A file that is renamed while the folder is read may be seen twice or not at all. The folder is therefore read until
/// two readings agree. The list holds every file that any reading saw.
pub(super) fn list(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut found = look(dir)?;
    for _ in 1..LOOKS {
        let again = look(dir)?;
        let agrees = names(&again).eq(names(&found));
        found.extend(again);
        if agrees {
            break;
        }
    }
    Ok(found.into_values().collect())
}

/// Returns whether `dir` has only files in `listed`.
pub(super) fn has_only(dir: &Path, listed: &BTreeSet<FileId>) -> io::Result<bool> {
    Ok(look(dir)?.keys().all(|id| listed.contains(id)))
}

fn look(dir: &Path) -> io::Result<BTreeMap<FileId, Entry>> {
    let entries = fs::read_dir(dir)?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = FileName::parse(entry.file_name().to_str()?)?;
        let metadata = fs::metadata(entry.path()).ok().filter(Metadata::is_file)?;
        let (id, stamp) = (FileId::of(&metadata), Stamp::of(&metadata));
        Some((id, Entry { name, id, stamp }))
    });
    Ok(entries.collect())
}

fn names(entries: &BTreeMap<FileId, Entry>) -> impl Iterator<Item = (&FileId, &FileName)> {
    entries.iter().map(|(id, entry)| (id, &entry.name))
}
