//! Compression of finished days, on a thread of its own.
//!
//! Several processes write a day file, and one of them may still have lines for yesterday. So the compressed file is made
//! beside it. It replaces the plain file under the lock that writers hold for a write, if the plain file has not grown
//! meanwhile. A writer that waited for the lock finds that its file is gone and begins it again. Those lines join the
//! compressed ones a day later, as a further member of the gzip file.
//!
//! If a process dies at any step, each line is in one of the two files. If both have it, the next run sees that by the check
//! sum and the length at the end of a gzip file, and only removes the plain one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::name::{DayFileName, names_in};
use crate::files::open::FileLock;
use crate::files::{attributes, group, lockless};
use crate::process::{signal_mask, stderr};

/// Length of the end of a gzip file: a check sum and a length, four bytes each.
const TRAILER_BYTES: i64 = 8;

/// Starts to compress the files of days before `today`, unless a compression is under way. A failure is reported on stderr
/// and tried again a day later.
pub(crate) fn in_background(dir: &Path, today: i32) {
    // Acquire and Release: the next compression sees the files as the last one left them.
    static BUSY: AtomicBool = AtomicBool::new(false);
    if BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    let dir = dir.to_owned();
    let started = thread::Builder::new().name("obs-log-compress".to_owned()).spawn(move || {
        signal_mask::block_all();
        if let Err(error) = finished_days(&dir, today) {
            stderr::say(format!("cannot compress the days in {}: {error}", dir.display()));
        }
        BUSY.store(false, Ordering::Release);
    });
    if started.is_err() {
        BUSY.store(false, Ordering::Release);
    }
}

/// Compresses each of them. Returns the first error.
fn finished_days(dir: &Path, today: i32) -> io::Result<()> {
    let mut names: Vec<_> = names_in(dir).filter(|name| name.day < today && !name.is_compressed()).collect();
    names.sort();
    names.into_iter().map(|name| compress(dir, name)).fold(Ok(()), io::Result::and)
}

fn compress(dir: &Path, name: DayFileName) -> io::Result<()> {
    // Neither the draft nor the plain file could be removed. The work would be in vain, and lines would be there twice.
    if attributes::keeps_all(dir) || attributes::keeps_all(&dir.join(name.to_string())) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let Some(draft) = Draft::begin(dir, name)? else { return Ok(()) };
    let outcome = draft.finish(dir, name);
    if !matches!(outcome, Ok(true)) {
        let _ = fs::remove_file(&draft.path);
    }
    outcome.map(drop)
}

/// Compressed file under its temporary name. Its writer holds its lock.
struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    /// Returns `None` if another process is at it.
    fn begin(dir: &Path, name: DayFileName) -> io::Result<Option<Draft>> {
        let path = dir.join(format!(".{name}.gz"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path)?;
        // Another process may have finished it between the two steps, and it is no longer locked then.
        match file.try_lock() {
            Ok(()) => {}
            // Without locks, a line that is appended meanwhile would be removed with the plain file.
            Err(TryLockError::Error(_)) => {
                let _ = fs::remove_file(&path);
                return Ok(None);
            }
            Err(TryLockError::WouldBlock) => return Ok(None),
        }
        if !is_at(&file, &path)? {
            return Ok(None);
        }
        // A process may have died while it wrote the file. A file that may only grow cannot be emptied.
        if file.metadata()?.len() > 0 {
            file.set_len(0)?;
        }
        Ok(Some(Draft { file, path }))
    }

    /// Compresses the plain file. Returns whether the result has replaced it.
    fn finish(&self, dir: &Path, name: DayFileName) -> io::Result<bool> {
        let plain_path = dir.join(name.to_string());
        let packed_path = dir.join(DayFileName { compressed: true, ..name }.to_string());
        let Some(mut plain) = open_regular(&plain_path)? else { return Ok(false) };
        let mut packed = open_regular(&packed_path)?;
        let packed_bytes = match &mut packed {
            Some(packed) => io::copy(packed, &mut &self.file)?,
            None => 0,
        };
        let mut encoder = GzEncoder::new(&self.file, Compression::default());
        let bytes = io::copy(&mut plain, &mut encoder)?;
        encoder.finish()?;
        group::share_like(&plain, &self.file);
        // After a loss of power, the plain file must not be gone without the compressed one being there.
        lockless::if_possible(self.file.sync_all())?;
        let lock = FileLock::take(&plain)?;
        if !lock.is_locked() || plain.metadata()?.len() != bytes || !is_at(&plain, &plain_path)? {
            return Ok(false);
        }
        let done_before = match &mut packed {
            Some(packed) => trailer(packed)? == trailer(&mut &self.file)?,
            None => false,
        };
        if !done_before {
            fs::rename(&self.path, &packed_path)?;
        }
        fs::remove_file(plain_path).inspect_err(|_| {
            // Readers must not find its lines twice, so the compressed file becomes what it was before.
            let _ = match packed_bytes {
                // Back to the draft, because files cannot be removed.
                0 => fs::rename(&packed_path, &self.path),
                before if !done_before => self.file.set_len(before),
                _ => Ok(()),
            };
        })?;
        Ok(!done_before)
    }
}

/// Opens a regular file. Returns `None` if there is none.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    match opened {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A symbolic link that was put in its place.
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    Ok(path.symlink_metadata().is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

fn trailer<F: Read + Seek>(file: &mut F) -> io::Result<[u8; TRAILER_BYTES as usize]> {
    let mut bytes = [0; TRAILER_BYTES as usize];
    file.seek(SeekFrom::End(-TRAILER_BYTES))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::files::DayFiles;
    use flate2::read::MultiGzDecoder;
    use std::io::IoSlice;
    use std::time::{Duration, Instant};

    const MAY_26: i32 = 20_599;

    fn plain(day: i32) -> String {
        DayFileName::first_of(day).to_string()
    }

    fn unpacked(path: &Path) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn finished_days_are_compressed_and_foreign_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("2026-05-25.log", "first\n");
        write("2026-05-25.1.log", "second\n");
        write("2026-05-26.log", "today\n");
        write("2026-05-25.log.bak", "foreign\n");
        write("2026-05-25.log.2", "rotated\n");
        fs::create_dir(dir.path().join("2026-05-24.log")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("2026-05-23.log")).unwrap();
        for _again in 0..2 {
            finished_days(dir.path(), MAY_26).unwrap();
            let expected = [
                "2026-05-23.log",
                "2026-05-24.log",
                "2026-05-25.1.log.gz",
                "2026-05-25.log.2",
                "2026-05-25.log.bak",
                "2026-05-25.log.gz",
                "2026-05-26.log",
            ];
            assert_eq!(names(dir.path()), expected);
            assert_eq!(unpacked(&dir.path().join("2026-05-25.log.gz")), "first\n");
            assert_eq!(unpacked(&dir.path().join("2026-05-25.1.log.gz")), "second\n");
        }
        let mode = fs::metadata(dir.path().join("2026-05-25.log.gz")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// A writer has yesterday's file open, and lines for it, while it is compressed and removed.
    #[test]
    fn a_late_line_is_neither_lost_nor_doubled() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = DayFiles::new(dir.path());
        let mut append = |line: &str| {
            files.append(MAY_26 - 1, &mut [IoSlice::new(line.as_bytes())], &mut |_| {}).unwrap();
        };
        let packed = dir.path().join("2026-05-25.log.gz");
        append("in time\n");
        finished_days(dir.path(), MAY_26).unwrap();
        assert_eq!(unpacked(&packed), "in time\n");
        append("late\n");
        assert_eq!(names(dir.path()), ["2026-05-25.log", "2026-05-25.log.gz"]);
        finished_days(dir.path(), MAY_26).unwrap();
        assert_eq!(names(dir.path()), ["2026-05-25.log.gz"]);
        assert_eq!(unpacked(&packed), "in time\nlate\n");
    }

    #[test]
    fn a_process_that_died_at_any_step_leaves_each_line_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(plain(MAY_26 - 1));
        fs::write(&path, "a\nb\n").unwrap();
        // While it wrote the draft.
        fs::write(dir.path().join(".2026-05-25.log.gz"), "half a draft").unwrap();
        finished_days(dir.path(), MAY_26).unwrap();
        // Between the two steps of the exchange.
        fs::write(&path, "a\nb\n").unwrap();
        finished_days(dir.path(), MAY_26).unwrap();
        assert_eq!(names(dir.path()), ["2026-05-25.log.gz"]);
        assert_eq!(unpacked(&dir.path().join("2026-05-25.log.gz")), "a\nb\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_day_that_cannot_be_removed_is_not_compressed_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(plain(MAY_26 - 1));
        fs::write(&path, "a\n").unwrap();
        let chattr = |change: &str| {
            let done = std::process::Command::new("chattr").arg(change).arg(&path).output();
            done.is_ok_and(|done| done.status.success())
        };
        if !chattr("+a") {
            let _ = io::Write::write_all(&mut io::stderr(), b"skipped: needs the right to set attributes\n");
            return;
        }
        let refused = finished_days(dir.path(), MAY_26);
        assert!(chattr("-a"));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(names(dir.path()), ["2026-05-25.log"]);
        finished_days(dir.path(), MAY_26).unwrap();
        assert_eq!(names(dir.path()), ["2026-05-25.log.gz"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_late_line_that_cannot_be_removed_is_not_compressed_too() {
        let dir = tempfile::tempdir().unwrap();
        let name = DayFileName::first_of(MAY_26 - 1);
        let [path, packed] =
            [plain(MAY_26 - 1), "2026-05-25.log.gz".to_owned()].map(|name| dir.path().join(name));
        fs::write(&path, "a\n").unwrap();
        finished_days(dir.path(), MAY_26).unwrap();
        fs::write(&path, "late\n").unwrap();
        let before = fs::read(&packed).unwrap();
        let chattr = |change: &str| {
            let done = std::process::Command::new("chattr").arg(change).arg(&path).output();
            done.is_ok_and(|done| done.status.success())
        };
        if !chattr("+a") {
            let _ = io::Write::write_all(&mut io::stderr(), b"skipped: needs the right to set attributes\n");
            return;
        }
        // The attribute is seen before the work, or only at its end where the file system does not tell it.
        let early = finished_days(dir.path(), MAY_26);
        let draft = Draft::begin(dir.path(), name).unwrap().unwrap();
        let late = draft.finish(dir.path(), name);
        assert!(chattr("-a"));
        for refused in [early, late.map(drop)] {
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
        assert_eq!(names(dir.path()), ["2026-05-25.log", "2026-05-25.log.gz"]);
        assert_eq!(fs::read(&packed).unwrap(), before);
        finished_days(dir.path(), MAY_26).unwrap();
        assert_eq!(unpacked(&packed), "a\nlate\n");
    }

    #[test]
    fn a_file_that_another_process_compresses_is_left_to_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(plain(MAY_26 - 1)), "a\n").unwrap();
        let theirs = Draft::begin(dir.path(), DayFileName::first_of(MAY_26 - 1)).unwrap().unwrap();
        finished_days(dir.path(), MAY_26).unwrap();
        assert_eq!(names(dir.path()), [".2026-05-25.log.gz", "2026-05-25.log"]);
        assert!(theirs.finish(dir.path(), DayFileName::first_of(MAY_26 - 1)).unwrap());
        assert_eq!(names(dir.path()), ["2026-05-25.log.gz"]);
    }

    #[test]
    fn a_new_day_compresses_the_one_before_and_removes_old_ones() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("2026-05-12.log.gz"), "old").unwrap();
        let mut files = DayFiles::of(&Config::new(dir.path()).compress(true));
        let mut append = |day: i32, line: &str| {
            files.begin_day(day).unwrap();
            files.append(day, &mut [IoSlice::new(line.as_bytes())], &mut |_| {}).unwrap();
        };
        append(MAY_26 - 1, "yesterday\n");
        let patience = Instant::now() + Duration::from_secs(20);
        let mut day = MAY_26;
        while !dir.path().join("2026-05-25.log.gz").exists() {
            assert!(Instant::now() < patience, "{:?}", names(dir.path()));
            // Another test's compression may have been under way. The next day tries again.
            append(day, "today\n");
            day += 1;
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!dir.path().join("2026-05-12.log.gz").exists());
    }
}
