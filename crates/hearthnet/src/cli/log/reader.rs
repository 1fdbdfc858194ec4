//! The day files of a folder, one after the other, and what is added to them.
//!
//! A followed file is kept open when the next day has begun: another process may have a line for yesterday still, and one
//! that was killed has its lines written by the next start, whatever day they are of. Being open, it is also read to its
//! end when it is renamed, removed, or replaced by a compressed one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use obs_facade::log::DayFileName;

/// More than a line of ours can have.
const LONGEST_LINE: usize = 1 << 20;
/// How much is read at once: as much as stays in a processor's cache until its lines have been looked at.
const BLOCK: usize = 128 << 10;
/// So many files are followed at once, the latest ones: more than days are kept.
const FOLLOWED: usize = 64;

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
    /// Whether the folder could be read before.
    was_there: bool,
    /// Files that may get more.
    followed: BTreeMap<DayFileName, OpenFile>,
    /// Names of files that are not to be opened any more.
    done: BTreeSet<DayFileName>,
    buffer: Vec<u8>,
}

struct OpenFile {
    name: DayFileName,
    inode: u64,
    source: Source,
    /// Where the first line begins that has not been given.
    offset: u64,
    /// How long it was when it was last read.
    length: u64,
    /// What stands behind its last line has been given.
    ended: bool,
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
        let (followed, done) = (BTreeMap::new(), BTreeSet::new());
        Reader { dir: dir.to_owned(), was_there: false, followed, done, buffer: vec![0; BLOCK] }
    }

    /// Gives all lines that were not given yet, with the name of their file. What stands at the end without a newline
    /// is a line too, unless there may be more of it because the files are `growing`: the last of them is, then.
    pub(crate) fn read_new(
        &mut self,
        growing: bool,
        mut give: impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut names = self.day_files()?;
        let last = names.last().copied();
        names.extend(self.followed.keys());
        for name in names {
            let may_grow = growing && last.is_none_or(|last| last <= name);
            let kept = self.read_file(name, may_grow, &mut give)?;
            self.followed.extend(kept.filter(|_| growing).map(|file| (name, file)));
        }
        while self.followed.len() > FOLLOWED {
            self.done.extend(self.followed.pop_first().map(|(name, _)| name));
        }
        Ok(())
    }

    /// Reads what is new in the file of this name; returns it if it may get more.
    fn read_file(
        &mut self,
        name: DayFileName,
        growing: bool,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Option<OpenFile>> {
        if let Some(mut open) = self.followed.remove(&name) {
            open.read_new(growing, &mut self.buffer, give)?;
            if open.is_in_place(&self.dir) {
                return Ok(Some(open));
            }
            // It may have got lines before it lost its name; now nobody adds to it any more.
            open.read_new(false, &mut self.buffer, give)?;
        }
        let Some(mut opened) = self.open(name)? else { return Ok(None) };
        opened.read_new(growing, &mut self.buffer, give)?;
        Ok(Some(opened).filter(|opened| !opened.name.is_compressed()))
    }

    /// The file of this name or, if it has been compressed since its name was read, what has become of it.
    fn open(&mut self, name: DayFileName) -> io::Result<Option<OpenFile>> {
        let compressed = DayFileName::parse(&format!("{name}.gz")).unwrap_or(name);
        for name in [name, compressed] {
            if !self.done.contains(&name)
                && let Some(opened) = OpenFile::open(&self.dir, name)?
            {
                // Nor is it read again when it is compressed.
                self.done.insert(compressed);
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    /// The names of day files, oldest first.
    fn day_files(&mut self) -> io::Result<BTreeSet<DayFileName>> {
        let entries = match fs::read_dir(&self.dir) {
            // A folder that was there and is gone may come back.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.was_there => {
                return Ok(BTreeSet::new());
            }
            entries => entries?,
        };
        self.was_there = true;
        Ok(entries.filter_map(|entry| DayFileName::parse(entry.ok()?.file_name().to_str()?)).collect())
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
        Ok(Some(OpenFile { name, inode, source, offset: 0, length: 0, ended: false, skipping: false }))
    }

    /// Gives the lines from `offset` on. What stands behind the last one is read again the next time, because its writer
    /// may have died over it and the next one cut it off.
    fn read_new(
        &mut self,
        growing: bool,
        buffer: &mut Vec<u8>,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.has_more(growing)? {
            return Ok(());
        }
        let mut filled = 0;
        loop {
            filled = self.make_room(buffer, filled, give)?;
            let read = match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.name.is_compressed() => {
                    return give(self.name, Piece::Unreadable(error));
                }
                Err(error) => return Err(error),
            };
            filled = self.give_lines(buffer, filled, filled + read, give)?;
        }
        if growing || std::mem::replace(&mut self.ended, true) || filled == 0 || self.skipping {
            return Ok(());
        }
        give(self.name, Piece::Line(&buffer[..filled]))
    }

    /// Whether there may be something that has not been given; goes to its beginning.
    fn has_more(&mut self, growing: bool) -> io::Result<bool> {
        let Source::Plain(file) = &mut self.source else { return Ok(true) };
        let length = file.metadata()?.len();
        if length < self.offset {
            // It was emptied, and begins anew.
            (self.offset, self.skipping) = (0, false);
        }
        let before = std::mem::replace(&mut self.length, length);
        if length == before && (growing || self.ended) {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(true)
    }

    /// Gives the lines that end within the first `end` bytes of the buffer, of which the first `filled` have no newline;
    /// moves what is left to its beginning, and returns how much that is.
    fn give_lines(
        &mut self,
        buffer: &mut [u8],
        filled: usize,
        end: usize,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[filled..end]) {
            let newline = filled + newline;
            if !std::mem::take(&mut self.skipping) {
                give(self.name, Piece::Line(&buffer[start..newline]))?;
            }
            start = newline + 1;
        }
        self.offset += start as u64;
        buffer.copy_within(start..end, 0);
        Ok(end - start)
    }

    /// Sees to it that there is room in the buffer: makes it larger, up to the longest line; what is longer than that
    /// is no line. Returns how much of it is filled.
    fn make_room(
        &mut self,
        buffer: &mut Vec<u8>,
        filled: usize,
        give: &mut impl FnMut(DayFileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        if filled < buffer.len() {
            return Ok(filled);
        }
        if buffer.len() < LONGEST_LINE {
            buffer.resize(buffer.len() * 2, 0);
            return Ok(filled);
        }
        self.offset += filled as u64;
        if !std::mem::replace(&mut self.skipping, true) {
            give(self.name, Piece::TooLong(buffer))?;
        }
        Ok(0)
    }

    /// Whether it is still the file of its name.
    fn is_in_place(&self, dir: &Path) -> bool {
        fs::metadata(dir.join(self.name.to_string())).is_ok_and(|there| there.ino() == self.inode)
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
    fn a_followed_folder_may_be_missing_at_any_number_of_looks() {
        let mut folder = Folder::new();
        folder.append("2026-05-26.log", "one\n");
        assert_eq!(folder.read(true), ["one"]);
        fs::remove_dir_all(folder.0.path()).unwrap();
        assert!((0..3).all(|_| folder.read(true).is_empty()));
        fs::create_dir(folder.0.path()).unwrap();
        folder.append("2026-05-26.log", "two\n");
        assert_eq!(folder.read(true), ["two"]);
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

    /// Another process may write a line of yesterday's when this one is at today's already.
    #[test]
    fn f4_what_comes_late_for_an_earlier_day_is_followed_too() {
        let mut folder = Folder::new();
        folder.append("2026-05-26.log", "a\n");
        folder.append("2026-05-27.log", "b\n");
        assert_eq!(folder.read(true), ["a", "b"]);
        folder.append("2026-05-26.log", "late\n");
        assert_eq!(folder.read(true), ["late"]);
        // Lines of a process that was killed, from before the first that there was.
        folder.append("2026-05-25.log", "recovered\n");
        folder.append("2026-05-27.log", "c\n");
        assert_eq!(folder.read(true), ["recovered", "c"]);
        folder.append("2026-05-26.log", "and once more\nhalf");
        assert_eq!(folder.read(true), ["and once more"]);
        folder.append("2026-05-26.log", " a line\n");
        assert_eq!(folder.read(true), ["half a line"]);
        assert!(folder.read(true).is_empty());
    }

    /// It is added to, compressed, and added to again under its old name, all between two looks.
    #[test]
    fn f4_what_comes_late_for_a_day_that_is_compressed_is_followed_too() {
        let mut folder = Folder::new();
        let name = "2026-05-26.log";
        folder.append(name, "a\n");
        folder.append("2026-05-27.log", "b\n");
        assert_eq!(folder.read(true), ["a", "b"]);
        folder.append(name, "late\n");
        folder.compress("2026-05-26.log.gz", &["a\nlate\n"]);
        fs::remove_file(folder.path(name)).unwrap();
        folder.append(name, "later\n");
        assert_eq!(folder.read(true), ["late", "later"]);
        folder.compress("2026-05-26.log.gz", &["a\nlate\n", "later\n"]);
        fs::remove_file(folder.path(name)).unwrap();
        assert!(folder.read(true).is_empty());
        folder.append(name, "last\n");
        assert_eq!(folder.read(true), ["last"]);
    }

    /// A writer that died over a line: the next one cuts it off, and goes on from there.
    #[test]
    fn a_torn_line_that_is_cut_off_does_not_spoil_the_next_one_for_who_follows() {
        for next in ["x\n", "a longer line than the torn one\n"] {
            let mut folder = Folder::new();
            let name = "2026-05-26.log";
            folder.append(name, "a\n{\"ts\":\"2026");
            assert_eq!(folder.read(true), ["a"]);
            let file = OpenOptions::new().write(true).open(folder.path(name)).unwrap();
            file.set_len("a\n".len() as u64).unwrap();
            folder.append(name, next);
            assert_eq!(folder.read(true), [next.trim_end()]);
        }
    }

    #[test]
    fn of_very_many_files_the_latest_are_followed_and_none_is_read_twice() {
        let mut folder = Folder::new();
        let name = |part: usize| format!("2026-05-26.{part}.log");
        for part in 1..=FOLLOWED + 9 {
            folder.append(&name(part), "a\n");
        }
        assert_eq!(folder.read(true).len(), FOLLOWED + 9);
        assert!(folder.read(true).is_empty());
        folder.append(&name(9), "not seen\n");
        folder.append(&name(10), "seen\n");
        assert_eq!(folder.read(true), ["seen"]);
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
