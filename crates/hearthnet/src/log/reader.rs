//! The day files of a folder, one after the other, and what is added to them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

/// More than a line of ours can have.
const LONGEST_LINE: u64 = 1 << 20;

/// Something between two newlines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// The beginning of something that is too long to be a line.
    TooLong(&'a [u8]),
}

/// A place in the day files.
pub(crate) struct Reader {
    dir: PathBuf,
    open: Option<OpenFile>,
}

struct OpenFile {
    name: String,
    inode: u64,
    file: BufReader<File>,
    /// How far it has been read.
    offset: u64,
    /// A line that has no newline yet.
    partial: Vec<u8>,
    /// The rest of something too long is being passed over.
    skipping: bool,
}

impl Reader {
    pub(crate) fn new(dir: &Path) -> Reader {
        Reader { dir: dir.to_owned(), open: None }
    }

    /// Gives all lines that were not given yet, with the name of their file. What stands at the end without a newline
    /// is a line too, unless there may be more of it because the files are `growing`.
    pub(crate) fn read_new(
        &mut self,
        growing: bool,
        mut give: impl FnMut(&str, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut names = self.day_files()?;
        if let Some(open) = &mut self.open {
            open.notice_truncation()?;
            open.read_new(&mut give)?;
            // It may have got lines between the listing and the last read of it; now it is read to the end.
            let replaced = open.is_replaced(&self.dir);
            names.retain(|name| *name > open.name || (replaced && *name == open.name));
        }
        for name in names {
            let Some(next) = OpenFile::open(&self.dir, name)? else { continue };
            self.finish(&mut give)?;
            self.open.insert(next).read_new(&mut give)?;
        }
        if !growing {
            self.finish(&mut give)?;
        }
        Ok(())
    }

    /// Ends with the open file: nobody will add to it.
    fn finish(&mut self, give: &mut impl FnMut(&str, Piece<'_>) -> io::Result<()>) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if open.partial.is_empty() { Ok(()) } else { give(&open.name, Piece::Line(&open.partial)) }
    }

    /// Names of days, oldest first: their order is that of the alphabet.
    fn day_files(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.dir) {
            // A folder that was there and is gone may come back.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.open.is_some() => {
                return Ok(Vec::new());
            }
            entries => entries?,
        };
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_day_file(name))
            .collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl OpenFile {
    /// `None` when it is gone by now or no regular file: a pipe of that name would be waited for.
    fn open(dir: &Path, name: String) -> io::Result<Option<OpenFile>> {
        let path = dir.join(&name);
        if !path.is_file() {
            return Ok(None);
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let inode = file.metadata()?.ino();
        let file = BufReader::with_capacity(1 << 20, file);
        Ok(Some(OpenFile { name, inode, file, offset: 0, partial: Vec::new(), skipping: false }))
    }

    fn read_new(&mut self, give: &mut impl FnMut(&str, Piece<'_>) -> io::Result<()>) -> io::Result<()> {
        loop {
            let room = LONGEST_LINE - self.partial.len() as u64;
            let read = self.file.by_ref().take(room).read_until(b'\n', &mut self.partial)?;
            self.offset += read as u64;
            let whole = self.partial.last() == Some(&b'\n');
            if !whole && (self.partial.len() as u64) < LONGEST_LINE {
                // The end, for now.
                return Ok(());
            }
            let skipped = mem::replace(&mut self.skipping, !whole);
            let line = &self.partial[..self.partial.len() - usize::from(whole)];
            match (skipped, whole) {
                (false, true) => give(&self.name, Piece::Line(line))?,
                (false, false) => give(&self.name, Piece::TooLong(line))?,
                (true, _) => {}
            }
            self.partial.clear();
        }
    }

    /// Begins anew with a file that has become shorter.
    fn notice_truncation(&mut self) -> io::Result<()> {
        if self.file.get_ref().metadata()?.len() < self.offset {
            self.file.rewind()?;
            self.offset = 0;
            self.partial.clear();
            self.skipping = false;
        }
        Ok(())
    }

    /// Whether another file has its name.
    fn is_replaced(&self, dir: &Path) -> bool {
        fs::metadata(dir.join(&self.name)).is_ok_and(|there| there.ino() != self.inode)
    }
}

fn is_day_file(name: &str) -> bool {
    let date = name.strip_suffix(".log").and_then(|date| NaiveDate::parse_from_str(date, "%Y-%m-%d").ok());
    date.is_some_and(|date| format!("{}.log", date.format("%Y-%m-%d")) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    struct Folder(tempfile::TempDir, Reader);

    impl Folder {
        fn new() -> Folder {
            let dir = tempfile::tempdir().unwrap();
            let reader = Reader::new(dir.path());
            Folder(dir, reader)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn append(&self, name: &str, text: &str) {
            let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn read(&mut self, growing: bool) -> Vec<String> {
            let mut lines = Vec::new();
            let give = |_: &str, piece: Piece<'_>| {
                lines.push(match piece {
                    Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
                    Piece::TooLong(beginning) => format!("too long: {}", beginning.len()),
                });
                Ok(())
            };
            self.1.read_new(growing, give).unwrap();
            lines
        }
    }

    #[test]
    fn days_come_in_their_order_and_foreign_files_not_at_all() {
        let mut folder = Folder::new();
        for name in [
            "2026-05-27.log",
            "2025-12-31.log",
            "2026-05-26.log",
            "2026-05-26.log.bak",
            "audit.log",
            "2026-5-1.log",
        ] {
            folder.append(name, &format!("{name}\n"));
        }
        fs::create_dir(folder.path("2026-05-28.log")).unwrap();
        assert_eq!(folder.read(false), ["2025-12-31.log", "2026-05-26.log", "2026-05-27.log"]);
    }

    #[test]
    fn a_followed_line_is_given_when_it_is_whole_and_once() {
        let mut folder = Folder::new();
        assert!(folder.read(true).is_empty(), "no file yet");
        folder.append("2026-05-26.log", "one\nhal");
        assert_eq!(folder.read(true), ["one"]);
        assert!(folder.read(true).is_empty());
        folder.append("2026-05-26.log", "f\ntwo");
        assert_eq!(folder.read(true), ["half"]);
        assert_eq!(folder.read(false), ["two"]);
    }

    #[test]
    fn following_goes_on_over_midnight() {
        let mut folder = Folder::new();
        folder.append("2026-05-26.log", "a\n");
        assert_eq!(folder.read(true), ["a"]);
        folder.append("2026-05-26.log", "b\ntorn");
        folder.append("2026-05-27.log", "c\n");
        assert_eq!(folder.read(true), ["b", "torn", "c"]);
        folder.append("2026-05-27.log", "d\n");
        assert_eq!(folder.read(true), ["d"]);
    }

    #[test]
    fn following_goes_on_after_truncation_rename_and_removal() {
        let mut folder = Folder::new();
        let name = "2026-05-26.log";
        folder.append(name, "a\nb\n");
        assert_eq!(folder.read(true), ["a", "b"]);
        fs::write(folder.path(name), "c\n").unwrap();
        assert_eq!(folder.read(true), ["c"]);
        fs::rename(folder.path(name), folder.path("kept")).unwrap();
        folder.append("kept", "late\n");
        folder.append(name, "d\n");
        assert_eq!(folder.read(true), ["late", "d"]);
        fs::remove_file(folder.path(name)).unwrap();
        assert!(folder.read(true).is_empty());
        folder.append(name, "e\n");
        assert_eq!(folder.read(true), ["e"]);
        fs::remove_dir_all(folder.0.path()).unwrap();
        assert!(folder.read(true).is_empty());
    }

    #[test]
    fn what_is_too_long_for_a_line_is_passed_over_in_bounded_memory() {
        let mut folder = Folder::new();
        let long = "x".repeat(3 * LONGEST_LINE as usize);
        folder.append("2026-05-26.log", &format!("a\n{long}\nb\n"));
        assert_eq!(folder.read(false), ["a", "too long: 1048576", "b"]);
    }
}
