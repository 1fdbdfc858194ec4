//! The files of a folder, one a day of UTC (L4), and how they survive what happens to them (L9).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::config::LOG_RETENTION_DAYS;
use crate::error::{Error, ErrorKind};

/// 1970-01-01, counted as chrono counts days.
const EPOCH_FROM_CE: i32 = 719_163;

/// The day files of one folder; at most one is open.
#[derive(Debug)]
pub(crate) struct DayFiles {
    dir: PathBuf,
    open: Option<OpenDay>,
    /// The day for which old files were last looked for.
    tidied: Option<i32>,
}

#[derive(Debug)]
struct OpenDay {
    day: i32,
    file: File,
    device: u64,
    inode: u64,
    /// The file ends within a line, which has to be ended before the next one.
    torn: bool,
}

/// A write that did not come to its end.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Bytes that are in the file: whole lines.
    pub(crate) written: usize,
    pub(crate) error: io::Error,
}

impl DayFiles {
    pub(crate) fn new(dir: &Path) -> DayFiles {
        DayFiles { dir: dir.to_owned(), open: None, tidied: None }
    }

    /// Makes the folder if need be and opens the file of `today`, so that what is wrong is known before anything is
    /// logged.
    pub(crate) fn prepare(&mut self, today: i32) -> Result<(), Error> {
        self.begin_day(today).map_err(|error| folder_error(&self.dir, &error))
    }

    /// Opens the file of `day` and removes those that are too old.
    pub(crate) fn begin_day(&mut self, day: i32) -> io::Result<()> {
        self.file_of(day)?;
        self.remove_old(day);
        Ok(())
    }

    /// Forgets the open file when it is no longer the one under its name: renamed, deleted, its folder gone.
    pub(crate) fn notice_changes(&mut self) {
        let dir = &self.dir;
        self.open.take_if(|open| {
            let there = fs::symlink_metadata(dir.join(file_name(open.day)));
            !there.is_ok_and(|there| there.dev() == open.device && there.ino() == open.inode)
        });
    }

    /// Appends `lines`, which are whole, to the file of `day`.
    pub(crate) fn append(&mut self, day: i32, lines: &[u8]) -> Result<(), Interrupted> {
        let open = self.file_of(day).map_err(|error| Interrupted { written: 0, error })?;
        open.append(lines)
    }

    pub(crate) fn path_of(&self, day: i32) -> PathBuf {
        self.dir.join(file_name(day))
    }

    fn file_of(&mut self, day: i32) -> io::Result<&mut OpenDay> {
        let open = match self.open.take().filter(|open| open.day == day) {
            Some(open) => open,
            None => {
                make_folder(&self.dir)?;
                OpenDay::open(&self.dir, day)?
            }
        };
        Ok(self.open.insert(open))
    }

    /// Removes day files older than the retention: by their exact name, regular files only (L4).
    fn remove_old(&mut self, today: i32) {
        if self.tidied.replace(today) == Some(today) {
            return;
        }
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let old = entry.file_name().to_str().and_then(day_of_name).is_some_and(|day| is_old(day, today));
            if old && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                // One that cannot be removed is tried again tomorrow.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl OpenDay {
    fn open(dir: &Path, day: i32) -> io::Result<OpenDay> {
        // Neither a link nor a pipe that somebody put there is followed or waited for.
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(dir.join(file_name(day)))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{} is not a regular file", file_name(day))));
        }
        let torn = metadata.len() > 0 && last_byte(&mut file)? != b'\n';
        Ok(OpenDay { day, file, device: metadata.dev(), inode: metadata.ino(), torn })
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), Interrupted> {
        if self.torn {
            self.file.write_all(b"\n").map_err(|error| Interrupted { written: 0, error })?;
            self.torn = false;
        }
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return Err(self.interrupt(&lines[..written], io::ErrorKind::WriteZero.into())),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.interrupt(&lines[..written], error)),
            }
        }
        Ok(())
    }

    /// Cuts the beginning of a line off the file's end, or, where that fails, notes that it is there.
    fn interrupt(&mut self, written: &[u8], error: io::Error) -> Interrupted {
        let whole = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let torn = (written.len() - whole) as u64;
        self.torn = torn > 0 && self.cut(torn).is_err();
        Interrupted { written: whole, error }
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let end = self.file.stream_position()?;
        if self.file.metadata()?.len() != end {
            return Err(io::Error::other("another process has written behind it"));
        }
        self.file.set_len(end - bytes)
    }
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
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

fn file_name(day: i32) -> String {
    let date = NaiveDate::from_num_days_from_ce_opt(day.saturating_add(EPOCH_FROM_CE)).unwrap_or_default();
    format!("{}.log", date.format("%Y-%m-%d"))
}

/// The day of a file called exactly as we call ours.
fn day_of_name(name: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(name.strip_suffix(".log")?, "%Y-%m-%d").ok()?;
    let day = chrono::Datelike::num_days_from_ce(&date) - EPOCH_FROM_CE;
    (file_name(day) == name).then_some(day)
}

fn is_old(day: i32, today: i32) -> bool {
    day <= today - i32::from(LOG_RETENTION_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const MAY_26: i32 = 20_599;

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
        assert_eq!(day_of_name("2026-05-26.log"), Some(MAY_26));
        for name in [
            "2026-5-26.log",
            "2026-05-26.log.gz",
            "x2026-05-26.log",
            "2026-02-30.log",
            "+2026-05-26.log",
            ".log",
        ] {
            assert_eq!(day_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn l4_over_deletion_keeps_14_days_and_everything_foreign() {
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
            DayFiles::new(dir.path()).prepare(MAY_26).unwrap();
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
        let mut files = DayFiles::new(dir.path());
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
        DayFiles::new(&ours).prepare(MAY_26).unwrap();
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
            let error = DayFiles::new(&bad).prepare(MAY_26).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Folder, "log_dir"));
            assert!(error.to_string().contains(&bad.display().to_string()), "{error}");
        }
    }

    #[test]
    fn l9_a_torn_tail_does_not_spoil_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2026-05-26.log");
        fs::write(&path, "{\"whole\":1}\n{\"torn").unwrap();
        DayFiles::new(dir.path()).append(MAY_26, b"{}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"whole\":1}\n{\"torn\n{}\n");
    }

    #[test]
    fn l9_reopen_after_rename_delete_and_rmdir() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("log");
        let mut files = DayFiles::new(&folder);
        let mut write = |line: &str| {
            files.notice_changes();
            files.append(MAY_26, line.as_bytes()).unwrap();
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
