//! The files of a folder, one a day of UTC (L4), and how they survive what happens to them (L9).

pub(crate) mod attributes;
#[cfg(feature = "compress")]
mod compress;
pub(crate) mod lockless;
pub(crate) mod name;
pub(crate) mod open;
mod retention;

use std::fs::{self, DirBuilder};
use std::io::{self, IoSlice};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::config::Config;
use crate::config::error::{Error, ErrorKind};
use crate::files::name::{DayFileName, LAST_PART};
use crate::files::open::{Interrupted, OpenDay};
use crate::files::retention::Retention;
use crate::journal::arena::Place;
use crate::process::stderr;

/// The day files of one folder; at most one is open.
#[derive(Debug)]
pub(crate) struct DayFiles {
    dir: PathBuf,
    /// A file that would grow beyond it is followed by the day's next part.
    max_bytes: u64,
    /// Finished days are compressed.
    compress: bool,
    open: Option<OpenDay>,
    retention: Retention,
    /// Beginnings of lines that were cut off files.
    torn: u64,
}

impl DayFiles {
    pub(crate) fn new(dir: &Path) -> DayFiles {
        DayFiles {
            dir: dir.to_owned(),
            max_bytes: u64::MAX,
            compress: false,
            open: None,
            retention: Retention::default(),
            torn: 0,
        }
    }

    pub(crate) fn of(config: &Config) -> DayFiles {
        let max_bytes = config.max_bytes.unwrap_or(u64::MAX);
        DayFiles { max_bytes, compress: config.compress, ..DayFiles::new(&config.dir) }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder if need be and opens the file of `today`, so that what is wrong is known before anything is
    /// logged. Where the disk is full or the process may open no more files at the moment, the writer opens it later.
    pub(crate) fn prepare(&mut self, today: i32) -> Result<(), Error> {
        match self.begin_day(today) {
            // Not the folder's fault: the writer tries again, and says so when a line has to wait.
            Err(error) if is_shortage(&error) => Ok(()),
            result => result.map_err(|error| folder_error(&self.dir, &error)),
        }
    }

    /// Opens the file of `day`, removes those that are too old, and has those of the days before compressed.
    pub(crate) fn begin_day(&mut self, day: i32) -> io::Result<()> {
        self.open = Some(self.take_file_of(day)?);
        self.tidy(day);
        Ok(())
    }

    /// Removes what is too old and has finished days compressed, if the day is another one than at the last call or the
    /// clock has come to be believed.
    pub(crate) fn tidy(&mut self, today: i32) {
        if self.retention.look(today, Instant::now()) {
            self.remove_old();
            #[cfg(feature = "compress")]
            if self.compress {
                crate::files::compress::in_background(&self.dir, today);
            }
        }
    }

    /// Forgets the open file when it is no longer the one under its name: renamed, deleted, its folder gone.
    pub(crate) fn notice_changes(&mut self) {
        self.open.take_if(|open| !open.is_in_place(&self.dir));
    }

    /// Appends `lines`, which are whole, to the file of `day`. Tells `before` where they will be.
    pub(crate) fn append(
        &mut self,
        day: i32,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(Place),
    ) -> Result<(), Interrupted> {
        let result = self.append_once(day, lines, before);
        match result {
            // Removed since we looked, and it is made anew; or it may no longer be written, and another part is opened.
            Err(interrupted) if interrupted.removed || interrupted.is_refused() => {
                self.open = None;
                self.append_once(day, lines, before)
            }
            result => result,
        }
    }

    fn append_once(
        &mut self,
        day: i32,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(Place),
    ) -> Result<(), Interrupted> {
        let bytes = lines.iter().map(|piece| piece.len() as u64).sum();
        let mut open = self.take_file_of(day)?;
        while is_full(open.size()?, bytes, self.max_bytes) && open.name.part < LAST_PART {
            open = self.open_part(self.next_part(open.name))?;
        }
        let result = open.append(lines, before, &mut self.torn);
        self.open = Some(open);
        result
    }

    /// The file that a day's next line goes to.
    pub(crate) fn path_of(&self, day: i32) -> PathBuf {
        let open = self.open.as_ref().map(|open| open.name).filter(|name| name.day == day);
        self.dir.join(open.unwrap_or(DayFileName::first_of(day)).to_string())
    }

    /// Beginnings of lines that were cut off files since the last call.
    pub(crate) fn take_torn(&mut self) -> u64 {
        std::mem::take(&mut self.torn)
    }

    fn take_file_of(&mut self, day: i32) -> io::Result<OpenDay> {
        if let Some(open) = self.open.take().filter(|open| open.name.day == day) {
            return Ok(open);
        }
        self.retention.note_open(day);
        make_folder(&self.dir)?;
        self.open_part(self.last_part(day))
    }

    /// Opens the file of this name. Where it is there and may not be written, because it is immutable or another user's, the
    /// next part is opened instead.
    fn open_part(&self, name: DayFileName) -> io::Result<OpenDay> {
        let mut part = name;
        let mut refusal = None;
        loop {
            let path = self.dir.join(part.to_string());
            match OpenDay::open(&self.dir, part) {
                Err(error) if part.part < LAST_PART && is_refused(&path, &error) => {
                    refusal.get_or_insert((path, error));
                    part = self.next_part(part);
                }
                Err(error) => return Err(error),
                Ok(open) => {
                    if let Some((path, error)) = refusal {
                        stderr::say(format!("cannot write {}: {error}; lines go to {part}", path.display()));
                    }
                    return Ok(open);
                }
            }
        }
    }

    fn last_part(&self, day: i32) -> DayFileName {
        let of_day = |name: &DayFileName| name.day == day && !name.compressed;
        let mut parts: Vec<_> = names_in(&self.dir).filter(of_day).collect();
        parts.sort();
        parts.into_iter().rfind(|name| !self.is_blocked(*name)).unwrap_or(DayFileName::first_of(day))
    }

    fn next_part(&self, name: DayFileName) -> DayFileName {
        let mut next = name.next_part();
        while next.part < LAST_PART && self.is_blocked(next) {
            next = next.next_part();
        }
        next
    }

    /// Whether something is in the place of the file that is no file: a folder or a link that somebody put there.
    fn is_blocked(&self, name: DayFileName) -> bool {
        let there = self.dir.join(name.to_string()).symlink_metadata();
        there.is_ok_and(|there| !there.is_file())
    }

    /// Removes the files of days that are too old; one that cannot be removed is tried again tomorrow.
    fn remove_old(&self) {
        let names: Vec<_> = names_in(&self.dir).filter(|name| self.is_ours(*name)).collect();
        let days = names.iter().map(|name| name.day).collect();
        let old = self.retention.too_old(&days);
        for name in names.iter().filter(|name| old.contains(&name.day)) {
            let _ = fs::remove_file(self.dir.join(name.to_string()));
        }
    }

    /// Whether it is a file that ages here: a regular one, and compressed only where we compress.
    fn is_ours(&self, name: DayFileName) -> bool {
        let there = self.dir.join(name.to_string()).symlink_metadata();
        (self.compress || !name.compressed) && there.is_ok_and(|there| there.is_file())
    }
}

/// What in `dir` is called like a day file.
pub(crate) fn names_in(dir: &Path) -> impl Iterator<Item = DayFileName> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| DayFileName::parse(entry.file_name().to_str()?))
}

fn is_full(size: u64, bytes: u64, max_bytes: u64) -> bool {
    size > 0 && size.saturating_add(bytes) > max_bytes
}

/// Whether a limit of the process, the machine or the disk was met, which may pass.
fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC, libc::EDQUOT];
    error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

/// Whether there is a file at `path` that this process may not write.
fn is_refused(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && path.symlink_metadata().is_ok()
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
        // `EPERM`, where permissions alone give `EACCES`.
        _ if error.raw_os_error() == Some(libc::EPERM) => format!(
            "{dir} cannot be written ({error}); remove its attributes with `chattr -i` or name another folder"
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{dir} cannot be written ({error}); give this user the folder or name another one")
        }
        _ => format!("{dir} cannot be used ({error}); name another folder or mend this one"),
    };
    Error::new(ErrorKind::Folder, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    const MAY_26: i32 = 20_599;

    fn file_name(day: i32) -> String {
        DayFileName::first_of(day).to_string()
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
            DayFiles::new(dir.path()).prepare(MAY_26).unwrap();
            let ours =
                names(dir.path()).into_iter().filter(|name| name.starts_with("2026")).collect::<Vec<_>>();
            assert_eq!(ours.len(), 14);
            assert_eq!(ours[0], "2026-05-13.log");
            assert_eq!(names(dir.path()).len(), 14 + foreign.len() + 2);
        }
    }

    #[test]
    fn one_start_60_days_ahead_keeps_the_newest_14_days_with_all_their_parts() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut expected = Vec::new();
        for day in MAY_26 - 15..=MAY_26 {
            let name = DayFileName::first_of(day);
            let packed = DayFileName { compressed: true, ..name };
            for file in [name.next_part().to_string(), packed.to_string()] {
                fs::write(path(&file), "{}\n").unwrap();
                expected.extend((day > MAY_26 - 14).then_some(file));
            }
        }
        expected.sort();
        for _restart in 0..3 {
            let mut files = DayFiles { compress: true, ..DayFiles::new(dir.path()) };
            files.retention.look(MAY_26 + 60, Instant::now());
            files.remove_old();
            assert_eq!(names(dir.path()), expected);
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
        for (left, expected) in [
            // Not of our making: kept as it is, and ended.
            ("{\"whole\":1}\n{\"torn", "{\"whole\":1}\n{\"torn\n{}\n"),
            ("{\"whole\":1}\n{\"ts\":\"2026-05-26T0", "{\"whole\":1}\n{}\n"),
            ("{\"t", "{}\n"),
        ] {
            fs::write(&path, left).unwrap();
            let mut files = DayFiles::new(dir.path());
            append(&mut files, MAY_26, b"{}\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
            assert_eq!(files.take_torn(), u64::from(!left.ends_with("torn")));
        }
    }

    #[test]
    fn l9_what_another_process_has_torn_is_cut_before_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2026-05-26.log");
        let mut files = DayFiles::new(dir.path());
        append(&mut files, MAY_26, b"1\n");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other\n{\"ts\":\"20").unwrap();
        append(&mut files, MAY_26, b"2\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\nother\n2\n");
    }

    #[test]
    fn a_process_that_is_stopped_while_it_writes_is_an_error_and_no_hang() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = DayFiles::new(dir.path());
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
            let mut files = DayFiles { max_bytes: 4, ..DayFiles::new(dir.path()) };
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
        let mut files = DayFiles::new(dir.path());
        (0..=14).for_each(|day| files.begin_day(MAY_26 + day).unwrap());
        let names = names(dir.path());
        assert_eq!((names.len(), names[0].as_str()), (14, "2026-05-27.log"));
    }

    #[test]
    fn l4_what_is_called_like_a_part_and_is_none_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("2026-05-26.2.log")).unwrap();
        symlink("/etc/hostname", path("2026-05-26.9.log")).unwrap();
        fs::write(path("2026-05-26.4294967295.log"), "foreign\n").unwrap();
        let mut files = DayFiles { max_bytes: 4, ..DayFiles::new(dir.path()) };
        for line in [&b"1\n"[..], b"2\n", b"3\n", b"4\n", b"5\n"] {
            append(&mut files, MAY_26, line);
        }
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        let parts = ["2026-05-26.log", "2026-05-26.1.log", "2026-05-26.3.log"].map(read);
        assert_eq!(parts, ["1\n2\n", "3\n4\n", "5\n"]);
        // The last part there is takes what comes, however much it is.
        let last = format!("2026-05-26.{LAST_PART}.log");
        fs::write(path(&last), "full\n").unwrap();
        append(&mut DayFiles { max_bytes: 4, ..DayFiles::new(dir.path()) }, MAY_26, b"6\n");
        assert_eq!(
            (read(&last), read("2026-05-26.4294967295.log")),
            ("full\n6\n".into(), "foreign\n".into())
        );
    }

    /// L9.
    #[test]
    fn pain_10_reopen_after_rename_delete_and_rmdir() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("log");
        let mut files = DayFiles::new(&folder);
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
