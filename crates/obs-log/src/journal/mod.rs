//! Memory that lines wait in, and the hand-over file under it that outlives the process.
//!
//! The hand-over file is `<folder>/.handover-<process>-<mark>-<number>`, mode 0600, and is mapped into memory. Bytes that a
//! process has stored in a shared mapping are in the operating system's page cache, so a SIGKILL, an abort or a crash loses
//! none of them. Its owner holds a lock on the file while it lives. The next process that logs into the folder adopts the
//! files of dead owners and writes their lines.

pub(crate) mod arena;
pub(crate) mod chunk;
pub(crate) mod file;
pub(crate) mod format;
mod map;
pub(crate) mod owner;

use std::fs;
use std::io;
use std::path::Path;

use self::arena::{Arena, Leftover};
use self::file::{HandoverFile, owner_in};
use crate::process::stderr;

/// Makes memory for at most `bytes` of lines in a new hand-over file in `dir`.
pub(crate) fn create(dir: &Path, bytes: usize) -> io::Result<Arena> {
    let size = arena::file_bytes(bytes);
    let file = HandoverFile::create(dir, size).or_else(|_| {
        // Another process that starts may have adopted the first file before it was locked.
        HandoverFile::create(dir, size)
    })?;
    Arena::in_file(file, bytes)
}

/// Makes memory for lines: in a hand-over file in `dir` or, with a message on stderr, in plain memory.
pub(crate) fn create_or_fall_back(dir: &Path, bytes: usize) -> io::Result<Arena> {
    create(dir, bytes).or_else(|error| {
        warn_of_memory(dir, &error);
        Arena::in_memory(bytes)
    })
}

/// Says on stderr that lines are only in memory.
pub(crate) fn warn_of_memory(dir: &Path, error: &io::Error) {
    stderr::say(format!(
        "no hand-over file in {}: {error}; lines wait in memory, where a SIGKILL loses them",
        dir.display()
    ));
}

/// Adopts the hand-over files of dead processes in `dir`.
pub(crate) fn left_behind(dir: &Path) -> Vec<Arena> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let found = entries.flatten().filter_map(|entry| Some((entry.path(), owner_in(&entry)?)));
    let mut found: Vec<_> = found.collect();
    // In a fixed order, so that processes which start at once meet at the same file and move on together. And in the order in
    // which a process made its files: the number at the end of the name has more digits in a later one.
    found.sort_by_cached_key(|(path, _)| (path.as_os_str().len(), path.clone()));
    found.into_iter().filter_map(|(path, owner)| read(HandoverFile::adopt(&path, owner)?, &path)).collect()
}

/// Reads the adopted `file`. A file that is not a hand-over file gets its `former` name back.
fn read(file: HandoverFile, former: &Path) -> Option<Arena> {
    let path = file.path().to_owned();
    match Arena::left_behind(file) {
        Ok(Leftover::Lines(arena)) => Some(arena),
        Ok(Leftover::Nothing(file)) => {
            file.remove();
            None
        }
        Ok(Leftover::Foreign) | Err(_) => {
            let _ = fs::rename(path, former);
            None
        }
    }
}

#[cfg(test)]
mod tests;
