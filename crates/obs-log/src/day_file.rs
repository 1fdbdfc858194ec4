//! The files of a folder, one a day of UTC (L4), and how they survive what happens to them (L9).

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chrono::NaiveDate;

use crate::arena::Place;
use crate::config::LOG_RETENTION_DAYS;
use crate::encode::MAX_LINE_BYTES;
use crate::error::{Error, ErrorKind};

/// 1970-01-01, counted as chrono counts days.
const EPOCH_FROM_CE: i32 = 719_163;
/// How every line of ours begins.
const LINE_START: &[u8] = b"{\"ts\":\"";
/// How long another process may hold a file: it does so for the time of one write.
const PATIENCE: Duration = Duration::from_secs(2);

/// The day files of one folder; at most one is open.
#[derive(Debug)]
pub(crate) struct DayFiles {
    dir: PathBuf,
    /// A file that would grow beyond it is followed by the day's next part.
    max_bytes: u64,
    open: Option<OpenDay>,
    /// The day for which old files were last looked for.
    tidied: Option<i32>,
    /// Beginnings of lines that were cut off files.
    torn: u64,
}

#[derive(Debug)]
struct OpenDay {
    name: Name,
    file: File,
    device: u64,
    inode: u64,
    /// Where the file ended when it was last seen to end with a line.
    end: Option<u64>,
}

/// What a file is called: `2026-05-26.log`, then, when that is as large as it may be, `2026-05-26.1.log`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    day: i32,
    part: u32,
}

/// A write that did not come to its end.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Bytes that are in the file: whole lines.
    pub(crate) written: usize,
    pub(crate) error: io::Error,
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Interrupted {
        Interrupted { written: 0, error }
    }
}

impl DayFiles {
    pub(crate) fn new(dir: &Path, max_bytes: Option<u64>) -> DayFiles {
        let max_bytes = max_bytes.unwrap_or(u64::MAX);
        DayFiles { dir: dir.to_owned(), max_bytes, open: None, tidied: None, torn: 0 }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder if need be and opens the file of `today`, so that what is wrong is known before anything is
    /// logged.
    pub(crate) fn prepare(&mut self, today: i32) -> Result<(), Error> {
        self.begin_day(today).map_err(|error| folder_error(&self.dir, &error))
    }

    /// Opens the file of `day` and removes those that are too old.
    pub(crate) fn begin_day(&mut self, day: i32) -> io::Result<()> {
        self.open = Some(self.take_file_of(day)?);
        self.remove_old(day);
        Ok(())
    }

    /// Forgets the open file when it is no longer the one under its name: renamed, deleted, its folder gone.
    pub(crate) fn notice_changes(&mut self) {
        let dir = &self.dir;
        self.open.take_if(|open| {
            let there = fs::symlink_metadata(dir.join(open.name.text()));
            !there.is_ok_and(|there| there.dev() == open.device && there.ino() == open.inode)
        });
    }

    /// Appends `lines`, which are whole, to the file of `day`. Tells `before` where they will be.
    pub(crate) fn append(
        &mut self,
        day: i32,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(Place),
    ) -> Result<(), Interrupted> {
        let bytes = lines.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let max_bytes = self.max_bytes;
        let mut open = self.take_file_of(day)?;
        let full = |open: &OpenDay| {
            let size = open.file.metadata()?.len();
            Ok::<_, io::Error>(size > 0 && size.saturating_add(bytes) > max_bytes)
        };
        while full(&open)? {
            open = OpenDay::open(&self.dir, Name { part: open.name.part + 1, ..open.name })?;
        }
        let result = open.append(lines, before, &mut self.torn);
        self.open = Some(open);
        result
    }

    /// The file that a day's next line goes to.
    pub(crate) fn path_of(&self, day: i32) -> PathBuf {
        let part = self.open.as_ref().filter(|open| open.name.day == day).map_or(0, |open| open.name.part);
        self.dir.join(Name { day, part }.text())
    }

    /// Beginnings of lines that were cut off files since the last call.
    pub(crate) fn take_torn(&mut self) -> u64 {
        std::mem::take(&mut self.torn)
    }

    fn take_file_of(&mut self, day: i32) -> io::Result<OpenDay> {
        if let Some(open) = self.open.take().filter(|open| open.name.day == day) {
            return Ok(open);
        }
        make_folder(&self.dir)?;
        OpenDay::open(&self.dir, self.last_part(day))
    }

    fn last_part(&self, day: i32) -> Name {
        let first = Name { day, part: 0 };
        let Ok(entries) = fs::read_dir(&self.dir) else { return first };
        let names = entries.flatten().filter_map(|entry| Name::parse(entry.file_name().to_str()?));
        names.filter(|name| name.day == day).max().unwrap_or(first)
    }

    /// Removes day files older than the retention: by their exact name, regular files only (L4).
    fn remove_old(&mut self, today: i32) {
        if self.tidied.replace(today) == Some(today) {
            return;
        }
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_str().and_then(Name::parse);
            let old = name.is_some_and(|name| is_old(name.day, today));
            if old && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                // One that cannot be removed is tried again tomorrow.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl OpenDay {
    fn open(dir: &Path, name: Name) -> io::Result<OpenDay> {
        // Neither a link nor a pipe that somebody put there is followed or waited for.
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(dir.join(name.text()))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{} is not a regular file", name.text())));
        }
        Ok(OpenDay { name, file, device: metadata.dev(), inode: metadata.ino(), end: None })
    }

    /// Under a lock, and never without: so what is cut off the file's end belongs to nobody who is still writing.
    fn append(
        &mut self,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(Place),
        torn: &mut u64,
    ) -> Result<(), Interrupted> {
        let _held = Held::take(&self.file)?;
        let end = self.file.metadata()?.len();
        if self.end != Some(end) {
            *torn += u64::from(end_torn_line(&self.file, end)?);
        }
        self.end = None;
        let offset = self.file.metadata()?.len();
        before(Place { device: self.device, inode: self.inode, offset });
        match write_all(&self.file, lines) {
            Ok(bytes) => {
                self.end = Some(offset + bytes as u64);
                Ok(())
            }
            Err((pieces, written, error)) => {
                let whole = whole_lines(&pieces, written);
                if self.file.metadata().is_ok_and(|now| now.len() == offset + written as u64) {
                    // Where this fails, the next write finds the beginning of a line and ends it.
                    let _ = self.file.set_len(offset + whole as u64);
                }
                Err(Interrupted { written: whole, error })
            }
        }
    }
}

/// An exclusive lock on a file, among processes that write it.
#[derive(Debug)]
pub(crate) struct Held<'a>(&'a File);

impl<'a> Held<'a> {
    /// An error when somebody keeps it for long: a process that is stopped, say.
    pub(crate) fn take(file: &'a File) -> io::Result<Held<'a>> {
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held(file)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if started.elapsed() > PATIENCE => {
                    return Err(io::Error::other("another process keeps it locked"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Writes all of `lines`; otherwise what they were, how much was written, and why no more.
fn write_all<'a>(
    file: &File,
    lines: &mut [IoSlice<'a>],
) -> Result<usize, (Vec<IoSlice<'a>>, usize, io::Error)> {
    let mut written = 0;
    let all = lines.to_vec();
    let mut left = lines;
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match (&*file).write_vectored(left) {
            Ok(0) => return Err((all, written, io::ErrorKind::WriteZero.into())),
            Ok(bytes) => {
                written += bytes;
                IoSlice::advance_slices(&mut left, bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((all, written, error)),
        }
    }
    Ok(written)
}

/// How many of the first `written` bytes are whole lines.
fn whole_lines(pieces: &[IoSlice<'_>], written: usize) -> usize {
    let (mut whole, mut seen) = (0, 0);
    for piece in pieces {
        let part = &piece[..piece.len().min(written - seen)];
        whole = part.iter().rposition(|&byte| byte == b'\n').map_or(whole, |at| seen + at + 1);
        seen += part.len();
    }
    whole
}

/// Sees to it that the file ends with a line. What has the form of a line of ours that did not come to its end is
/// cut off: its writer died, and its next start writes the line whole if it had been accepted. Anything else is ended.
/// Whether something was cut.
pub(crate) fn end_torn_line(file: &File, end: u64) -> io::Result<bool> {
    let mut last = [0];
    if end == 0 || (file.read_exact_at(&mut last, end - 1).is_ok() && last == *b"\n") {
        return Ok(false);
    }
    let mut tail = vec![0; (MAX_LINE_BYTES as u64).min(end) as usize];
    let start = end - tail.len() as u64;
    file.read_exact_at(&mut tail, start)?;
    let newline = tail.iter().rposition(|&byte| byte == b'\n');
    let fragment = newline.map_or(&tail[..], |at| &tail[at + 1..]);
    let ours = fragment.starts_with(LINE_START) || LINE_START.starts_with(fragment);
    if ours && (newline.is_some() || start == 0) {
        file.set_len(end - fragment.len() as u64)?;
        return Ok(true);
    }
    (&*file).write_all(b"\n")?;
    Ok(false)
}

fn make_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() { Ok(()) } else { DirBuilder::new().recursive(true).mode(0o700).create(dir) }
}

fn folder_error(dir: &Path, error: &io::Error) -> Error {
    let dir = dir.display();
    let message = match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            format!("{dir} is not a folder; name another one or remove what is there")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{dir} cannot be written ({error}); give this user the folder or name another one")
        }
        _ => format!("{dir} cannot be used ({error}); name another folder or mend this one"),
    };
    Error::new(ErrorKind::Folder, message)
}

impl Name {
    fn text(self) -> String {
        let day = self.day.saturating_add(EPOCH_FROM_CE);
        let date = NaiveDate::from_num_days_from_ce_opt(day).unwrap_or_default().format("%Y-%m-%d");
        if self.part == 0 { format!("{date}.log") } else { format!("{date}.{}.log", self.part) }
    }

    /// The name of a file called exactly as we call ours.
    fn parse(text: &str) -> Option<Name> {
        let stem = text.strip_suffix(".log")?;
        let (date, part) =
            stem.split_once('.').map_or((stem, Some(0)), |(date, part)| (date, part.parse().ok()));
        let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
        let name = Name { day: chrono::Datelike::num_days_from_ce(&date) - EPOCH_FROM_CE, part: part? };
        (name.text() == text).then_some(name)
    }
}

fn is_old(day: i32, today: i32) -> bool {
    day <= today - i32::from(LOG_RETENTION_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const MAY_26: i32 = 20_599;

    fn file_name(day: i32) -> String {
        Name { day, part: 0 }.text()
    }

    fn append(files: &mut DayFiles, day: i32, lines: &[u8]) {
        files.append(day, &mut [IoSlice::new(lines)], &mut |_| {}).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn days_are_named_by_their_date() {
        assert_eq!(file_name(0), "1970-01-01.log");
        assert_eq!(file_name(MAY_26), "2026-05-26.log");
        assert_eq!(Name::parse("2026-05-26.log"), Some(Name { day: MAY_26, part: 0 }));
        assert_eq!(Name::parse("2026-05-26.12.log"), Some(Name { day: MAY_26, part: 12 }));
        for name in [
            "2026-5-26.log",
            "2026-05-26.log.gz",
            "x2026-05-26.log",
            "2026-02-30.log",
            "+2026-05-26.log",
            "2026-05-26.0.log",
            "2026-05-26.01.log",
            "2026-05-26.+1.log",
            "2026-05-26.1.1.log",
            ".log",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }

    /// L4.
    #[test]
    fn pain_04_over_deletion_keeps_14_days_and_everything_foreign() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = ["2020-01-01.log.bak", "2020-1-1.log", "audit-2020-01-01.log", "2020-01-01.txt"];
        for name in foreign {
            fs::write(dir.path().join(name), "keep").unwrap();
        }
        fs::create_dir(dir.path().join("2020-01-02.log")).unwrap();
        symlink("/etc/hostname", dir.path().join("2020-01-03.log")).unwrap();
        for day in MAY_26 - 16..=MAY_26 {
            fs::write(dir.path().join(file_name(day)), "{}\n").unwrap();
        }
        for _restart in 0..2 {
            DayFiles::new(dir.path(), None).prepare(MAY_26).unwrap();
            let ours =
                names(dir.path()).into_iter().filter(|name| name.starts_with("2026")).collect::<Vec<_>>();
            assert_eq!(ours.len(), 14);
            assert_eq!(ours[0], "2026-05-13.log");
            assert_eq!(names(dir.path()).len(), 14 + foreign.len() + 2);
        }
    }

    #[test]
    fn a_clock_that_goes_back_removes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = DayFiles::new(dir.path(), None);
        files.begin_day(MAY_26).unwrap();
        files.begin_day(MAY_26 - 300).unwrap();
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn l4_what_we_make_is_private_and_what_is_there_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("shared");
        fs::create_dir(&theirs).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
        let ours = theirs.join("a/b");
        DayFiles::new(&ours, None).prepare(MAY_26).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&theirs), 0o755);
        assert_eq!((mode(&theirs.join("a")), mode(&ours)), (0o700, 0o700));
        assert_eq!(mode(&ours.join("2026-05-26.log")), 0o600);
    }

    #[test]
    fn l6_a_bad_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let linked = dir.path().join("linked");
        fs::create_dir(&linked).unwrap();
        symlink("/etc/hostname", linked.join("2026-05-26.log")).unwrap();
        for bad in [file.clone(), file.join("below"), PathBuf::from("/proc/nowhere"), linked] {
            let error = DayFiles::new(&bad, None).prepare(MAY_26).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Folder, "log_dir"));
            assert!(error.to_string().contains(&bad.display().to_string()), "{error}");
        }
    }

    #[test]
    fn l9_a_torn_tail_does_not_spoil_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2026-05-26.log");
        for (left, expected) in [
            // Not of our making: kept as it is, and ended.
            ("{\"whole\":1}\n{\"torn", "{\"whole\":1}\n{\"torn\n{}\n"),
            ("{\"whole\":1}\n{\"ts\":\"2026-05-26T0", "{\"whole\":1}\n{}\n"),
            ("{\"t", "{}\n"),
        ] {
            fs::write(&path, left).unwrap();
            let mut files = DayFiles::new(dir.path(), None);
            append(&mut files, MAY_26, b"{}\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
            assert_eq!(files.take_torn(), u64::from(!left.ends_with("torn")));
        }
    }

    #[test]
    fn l9_what_another_process_has_torn_is_cut_before_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2026-05-26.log");
        let mut files = DayFiles::new(dir.path(), None);
        append(&mut files, MAY_26, b"1\n");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other\n{\"ts\":\"20").unwrap();
        append(&mut files, MAY_26, b"2\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\nother\n2\n");
    }

    #[test]
    fn a_process_that_is_stopped_while_it_writes_is_an_error_and_no_hang() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = DayFiles::new(dir.path(), None);
        files.begin_day(MAY_26).unwrap();
        let other = File::open(dir.path().join("2026-05-26.log")).unwrap();
        other.lock().unwrap();
        let waited = files.append(MAY_26, &mut [IoSlice::new(b"1\n")], &mut |_| {});
        assert_eq!(waited.unwrap_err().written, 0);
        other.unlock().unwrap();
        append(&mut files, MAY_26, b"1\n");
    }

    #[test]
    fn pain_05_size_cap_goes_on_in_the_day_s_next_part() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        for _restart in 0..2 {
            let mut files = DayFiles::new(dir.path(), Some(4));
            append(&mut files, MAY_26, b"1\n");
            append(&mut files, MAY_26, b"2\n");
            append(&mut files, MAY_26, b"too long for any\n");
        }
        assert_eq!(
            (read("2026-05-26.log"), read("2026-05-26.1.log")),
            ("1\n2\n".into(), "too long for any\n".into())
        );
        assert_eq!(
            (read("2026-05-26.2.log"), read("2026-05-26.3.log")),
            ("1\n2\n".into(), "too long for any\n".into())
        );
        assert_eq!(names(dir.path()).len(), 4);
        // They age together.
        DayFiles::new(dir.path(), None).begin_day(MAY_26 + 14).unwrap();
        assert_eq!(names(dir.path()), ["2026-06-09.log"]);
    }

    /// L9.
    #[test]
    fn pain_10_reopen_after_rename_delete_and_rmdir() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("log");
        let mut files = DayFiles::new(&folder, None);
        let mut write = |line: &str| {
            files.notice_changes();
            append(&mut files, MAY_26, line.as_bytes());
        };
        let path = folder.join("2026-05-26.log");
        write("1\n");
        fs::rename(&path, folder.join("moved")).unwrap();
        write("2\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        fs::remove_file(&path).unwrap();
        write("3\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        fs::remove_dir_all(&folder).unwrap();
        write("4\n");
        write("5\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "4\n5\n");
    }
}
