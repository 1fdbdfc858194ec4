//! Lock of the file, and the owner that is noted in it where the file system has no locks.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::process;

/// Offset of the owner's note in the header. It has a part of the header of its own.
const NOTE_AT: u64 = 3072;
const NOTE_BYTES: u64 = 64;
/// Offset of a word that is 1 from the first opening on until an orderly end, at which the file has all records.
const IS_OPEN_AT: u64 = NOTE_AT + NOTE_BYTES;

/// Takes the file for this process. Returns `false` if another process has it.
pub(super) fn take(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if is_missing(&error) => Ok(!is_taken(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Notes this process as the owner, for file systems without locks.
pub(super) fn note(file: &File) -> io::Result<()> {
    let mut note = [0; NOTE_BYTES as usize];
    if let Some(identity) = identity(&process::id().to_string()) {
        let text = format!("{} {identity}", process::id());
        let length = text.len().min(note.len());
        note[..length].copy_from_slice(&text.as_bytes()[..length]);
    }
    file.write_all_at(&note, NOTE_AT)
}

/// Notes whether a process has the file open, or the last one has ended in order.
pub(super) fn note_open(file: &File, is_open: bool) -> io::Result<()> {
    file.write_all_at(&u64::from(is_open).to_ne_bytes(), IS_OPEN_AT)
}

/// Whether the last process that had the file did not end in order.
pub(super) fn was_left_open(file: &File) -> bool {
    let mut word = [0; 8];
    file.read_exact_at(&mut word, IS_OPEN_AT).is_ok() && u64::from_ne_bytes(word) == 1
}

/// Whether the process that is noted in the file is alive.
fn is_taken(file: &File) -> bool {
    let mut note = [0; NOTE_BYTES as usize];
    if file.read_exact_at(&mut note, NOTE_AT).is_err() {
        return false;
    }
    let text = std::str::from_utf8(&note).unwrap_or_default().trim_end_matches('\0');
    let Some((pid, noted)) = text.split_once(' ') else { return false };
    let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    is_number && pid != process::id().to_string() && identity(pid).is_some_and(|identity| identity == noted)
}

/// Returns the boot and the start time of a process, which tell it from a later one with its number.
fn identity(pid: &str) -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command before the last parenthesis may contain spaces and parentheses itself.
    let (_, fields) = stat.rsplit_once(')')?;
    Some(format!("{} {}", boot.get(..8)?, fields.split_ascii_whitespace().nth(19)?))
}

/// Whether `error` says that the file system, or a filter of system calls, does not offer the operation.
pub(super) fn is_missing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let missing = [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOLCK, Errno::INVAL, Errno::PERM];
    error.raw_os_error().is_some_and(|code| missing.iter().any(|missing| missing.raw_os_error() == code))
}
