//! The day files of a folder, one after the other, and what is added to them.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use obs_facade::log::DayFileName;

/// More than a line of ours can have.
const LONGEST_LINE: usize = 1 << 20;
/// How much is read at once: as much as stays in a processor's cache until its lines have been looked at.
const BLOCK: usize = 128 << 10;

/// A part of a file.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// The beginning of something that is too long to be a line.
    TooLong(&'a [u8]),
    /// From here on a compressed file is damaged.
    Unreadable(io::Error),
}

/// A place in the day files.
pub(crate) struct Reader {
    dir: PathBuf,
    open: Option<OpenFile>,
}

struct OpenFile {
    name: DayFileName,
    inode: u64,
    source: Source,
    /// How far it has been read.
    offset: u64,
    /// What was read; of that the first `filled` bytes begin a line that has no newline yet.
    buffer: Vec<u8>,
    filled: usize,
    /// The rest of something too long is being passed over.
    skipping: bool,
}

enum Source {
    Plain(File),
    /// A finished file: nothing is added to it.
    Compressed(MultiGzDecoder<File>),
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
        mut give: impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
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
    fn finish(&mut self, give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if open.filled == 0 || open.skipping {
            return Ok(());
        }
        give(open.name, Piece::Line(&open.buffer[..open.filled]))
    }

    /// The names of day files, oldest first.
    fn day_files(&self) -> io::Result<Vec<DayFileName>> {
        let entries = match fs::read_dir(&self.dir) {
            // A folder that was there and is gone may come back.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.open.is_some() => {
                return Ok(Vec::new());
            }
            entries => entries?,
        };
        let mut names: Vec<_> =
            entries.filter_map(|entry| DayFileName::parse(entry.ok()?.file_name().to_str()?)).collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl OpenFile {
    /// `None` when it is gone by now or no regular file: a pipe of that name would be waited for.
    fn open(dir: &Path, name: DayFileName) -> io::Result<Option<OpenFile>> {
        let path = dir.join(name.to_string());
        if !path.is_file() {
            return Ok(None);
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let inode = file.metadata()?.ino();
        let source = match name.is_compressed() {
            true => Source::Compressed(MultiGzDecoder::new(file)),
            false => Source::Plain(file),
        };
        Ok(Some(OpenFile {
            name,
            inode,
            source,
            offset: 0,
            buffer: vec![0; BLOCK],
            filled: 0,
            skipping: false,
        }))
    }

    fn read_new(
        &mut self,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            self.make_room(give)?;
            let read = match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.name.is_compressed() => {
                    return give(self.name, Piece::Unreadable(error));
                }
                Err(error) => return Err(error),
            };
            self.offset += read as u64;
            self.give_lines(self.filled + read, give)?;
        }
    }

    /// Gives the lines that end within the first `end` bytes of the buffer, and keeps what is left.
    fn give_lines(
        &mut self,
        end: usize,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &self.buffer[self.filled..end]) {
            let newline = self.filled + newline;
            if !std::mem::take(&mut self.skipping) {
                give(self.name, Piece::Line(&self.buffer[start..newline]))?;
            }
            start = newline + 1;
        }
        self.buffer.copy_within(start..end, 0);
        self.filled = end - start;
        Ok(())
    }

    /// Sees to it that there is room in the buffer: makes it larger, up to the longest line; what is longer than that
    /// is no line.
    fn make_room(
        &mut self,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.filled < self.buffer.len() {
            return Ok(());
        }
        if self.buffer.len() < LONGEST_LINE {
            self.buffer.resize(self.buffer.len() * 2, 0);
            return Ok(());
        }
        self.filled = 0;
        match std::mem::replace(&mut self.skipping, true) {
            true => Ok(()),
            false => give(self.name, Piece::TooLong(&self.buffer)),
        }
    }

    /// Begins anew with a file that has become shorter.
    fn notice_truncation(&mut self) -> io::Result<()> {
        let Source::Plain(file) = &mut self.source else { return Ok(()) };
        if file.metadata()?.len() < self.offset {
            file.rewind()?;
            (self.offset, self.filled, self.skipping) = (0, 0, false);
        }
        Ok(())
    }

    /// Whether another file has its name.
    fn is_replaced(&self, dir: &Path) -> bool {
        fs::metadata(dir.join(self.name.to_string())).is_ok_and(|there| there.ino() != self.inode)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(file) => file.read(buffer),
            Source::Compressed(decoder) => decoder.read(buffer),
        }
    }
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

        fn compress(&self, name: &str, members: &[&str]) {
            let mut file = File::create(self.path(name)).unwrap();
            for member in members {
                let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::default());
                encoder.write_all(member.as_bytes()).unwrap();
                encoder.finish().unwrap();
            }
        }

        fn read(&mut self, growing: bool) -> Vec<String> {
            let mut lines = Vec::new();
            let give = |_: DayFileName, piece: Piece<'_>| {
                lines.push(match piece {
                    Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
                    Piece::TooLong(beginning) => format!("too long: {}", beginning.len()),
                    Piece::Unreadable(error) => format!("unreadable: {:?}", error.kind()),
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
        let long = "x".repeat(3 * LONGEST_LINE);
        folder.append("2026-05-26.log", &format!("a\n{long}\nb\n{}\n{long}", &long[..3 * BLOCK]));
        let expected = ["a", "too long: 1048576", "b", &long[..3 * BLOCK], "too long: 1048576"];
        assert_eq!(folder.read(false), expected);
    }

    #[test]
    fn f4_parts_of_a_day_and_compressed_ones_come_in_their_order() {
        let mut folder = Folder::new();
        for part in
            ["2026-05-26.10.log", "2026-05-26.2.log", "2026-05-27.log", "2026-05-26.log", "2026-05-26.1.log"]
        {
            folder.append(part, &format!("{part}\n"));
        }
        folder.compress("2026-05-26.1.log.gz", &["first\n", "second\ntorn"]);
        let expected = ["2026-05-26.log", "first", "second", "torn", "2026-05-26.1.log", "2026-05-26.2.log"];
        let expected = [&expected[..], &["2026-05-26.10.log", "2026-05-27.log"]].concat();
        assert_eq!(folder.read(true), expected);
        // What was read and is compressed now is not read again.
        folder.compress("2026-05-27.log.gz", &["2026-05-27.log\n"]);
        fs::remove_file(folder.path("2026-05-27.log")).unwrap();
        assert!(folder.read(true).is_empty());
        folder.append("2026-05-28.log", "next\n");
        assert_eq!(folder.read(true), ["next"]);
    }

    #[test]
    fn a_damaged_compressed_file_is_told_and_passed_over() {
        let mut folder = Folder::new();
        folder.compress("2026-05-25.log.gz", &["a\n"]);
        let mut bytes = fs::read(folder.path("2026-05-25.log.gz")).unwrap();
        bytes.truncate(bytes.len() - 4);
        fs::write(folder.path("2026-05-25.log.gz"), bytes).unwrap();
        folder.append("2026-05-26.log.gz", "no gzip at all");
        folder.append("2026-05-27.log", "b\n");
        assert_eq!(folder.read(false), ["a", "unreadable: UnexpectedEof", "unreadable: InvalidInput", "b"]);
    }
}
