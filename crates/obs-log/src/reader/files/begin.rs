//! Places from which files are read, if not all of their lines are wanted.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead as _, Read as _};

use super::delivered::head_of;
use super::listing::{Entry, FileId};
use super::open_file::{BLOCK, LONGEST_LINE};
use super::seek::narrow;
use super::source::Source;
use super::tail::Backwards;
use crate::reader::window::Window;

/// Search for the last lines that are wanted.
///
/// ```
/// use obs_log::reader::{Last, Piece, Reader};
///
/// # let folder = tempfile::tempdir()?;
/// let file = folder.path().join("2026-05-26.log");
/// std::fs::write(&file, "one\ntwo\nthree\n")?;
/// let mut reader = Reader::new(folder.path());
/// reader.begin_at(Last { lines: 1, context: 0, counts: &mut |_| true, passed: &mut |_| Ok(()) }, true)?;
/// reader.read_new(true, |_, piece| {
///     assert!(matches!(piece, Piece::Line(b"three") | Piece::Passed(_)));
///     Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Last<'a> {
    /// Number of lines.
    pub lines: usize,
    /// Number of lines before the first of them that are wanted too.
    pub context: usize,
    /// Decides whether a line counts.
    pub counts: &'a mut dyn FnMut(&[u8]) -> bool,
    /// Learns the number of bytes that were searched.
    pub passed: &'a mut dyn FnMut(u64) -> io::Result<()>,
}

impl fmt::Debug for Last<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Last")
            .field("lines", &self.lines)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Places from which files are read, and up to which.
#[derive(Debug, Default)]
pub(super) struct Begin {
    pub(super) window: Window,
    /// Starts by the search for the last lines.
    last: BTreeMap<FileId, Start>,
    /// Contents that the search has seen, by day and beginning.
    seen: Vec<(String, Vec<u8>)>,
}

/// Start of a file by the search for the last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Line(u64),
    /// None of the lines is wanted.
    End,
    /// Another file has the same lines.
    Copy,
}

impl Begin {
    pub(super) fn new(window: Window) -> Begin {
        Begin { window, ..Begin::default() }
    }

    /// Returns whether no line of the file is wanted.
    pub(super) fn excludes(&self, entry: &Entry) -> bool {
        let has_none = match self.last.get(&entry.id) {
            Some(Start::Copy) => true,
            // A plain file may grow.
            Some(Start::End) => entry.name.compression().is_some(),
            Some(Start::Line(_)) | None => false,
        };
        has_none || self.window.excludes_day(entry.name.day())
    }

    /// Forgets a file that has another content now.
    pub(super) fn forget(&mut self, id: FileId) {
        self.last.remove(&id);
    }

    /// Returns the range of a plain file that is read. Both places are starts of lines or the end of the file.
    pub(super) fn range(&self, id: FileId, source: &mut Source) -> io::Result<(u64, Option<u64>)> {
        let length = source.file().metadata()?.len();
        let start = match self.window.search_from {
            Some(time) => narrow(source, length, time)?.before,
            None => 0,
        };
        let end = match self.window.search_to {
            Some(time) => Some(narrow(source, length, time)?.after).filter(|after| *after < length),
            None => None,
        };
        let last = match self.last.get(&id) {
            Some(Start::Line(start)) => *start,
            Some(Start::End) => last_line_end(source, length)?,
            Some(Start::Copy) | None => 0,
        };
        Ok((start.max(last).min(length), end))
    }

    /// Searches a file for the last lines, and reduces their number by those that it has.
    pub(super) fn search(
        &mut self,
        entry: &Entry,
        source: &mut Source,
        last: &mut Last<'_>,
        growing: bool,
    ) -> io::Result<()> {
        // Lines of a copy do not count again.
        let head = head_of(source);
        let content = (entry.name.day().to_owned(), head);
        if last.lines == 0 {
            let is_copy = self.seen.contains(&content);
            self.last.insert(entry.id, if is_copy { Start::Copy } else { Start::End });
            return Ok(());
        }
        if self.seen.contains(&content) {
            return Ok(());
        }
        self.seen.push(content);
        match source.is_gzip() {
            true => self.search_packed(entry, source, last),
            false => self.search_plain(entry, source, last, growing),
        }
    }

    /// Looks at the lines of a file that are in the window. Returns whether `look` wants to go on.
    pub(super) fn look_back(
        &mut self,
        entry: &Entry,
        source: &mut Source,
        look: &mut dyn FnMut(Look<'_>) -> bool,
    ) -> io::Result<bool> {
        // Lines of a copy do not count again.
        let content = (entry.name.day().to_owned(), head_of(source));
        if self.seen.contains(&content) {
            return Ok(true);
        }
        self.seen.push(content);
        if source.is_gzip() {
            let goes_on = packed_lines(source, &mut |line| look(Look::Packed(line)), &mut |_| Ok(()))?;
            return Ok(goes_on && look(Look::PackedEnd));
        }
        let (from, to) = self.range(entry.id, source)?;
        let to = match to {
            Some(to) => to,
            // A line that is being written is none yet.
            None => {
                let length = source.file().metadata()?.len();
                last_line_end(source, length)?
            }
        };
        let mut goes_on = true;
        let mut backwards = Backwards::new(source, from, to);
        while goes_on
            && backwards.block(|_, line| {
                goes_on = look(Look::Line(line));
                goes_on
            })? > 0
        {}
        Ok(goes_on)
    }

    fn search_plain(
        &mut self,
        entry: &Entry,
        source: &mut Source,
        last: &mut Last<'_>,
        growing: bool,
    ) -> io::Result<()> {
        let (from, to) = self.range(entry.id, source)?;
        let length = source.file().metadata()?.len();
        let to = match to {
            Some(to) => to,
            None if growing => last_line_end(source, length)?,
            None => length,
        };
        let (mut first, mut context) = (Start::End, 0);
        let mut backwards = Backwards::new(source, from, to);
        loop {
            let passed = backwards.block(|start, line| {
                if last.lines > 0 && (last.counts)(line) {
                    last.lines -= 1;
                    (first, context) = (Start::Line(start), last.context);
                } else if context > 0 {
                    context -= 1;
                    first = Start::Line(start);
                }
                last.lines > 0 || context > 0
            })?;
            (last.passed)(passed)?;
            if passed == 0 {
                break;
            }
        }
        self.last.insert(entry.id, first);
        Ok(())
    }

    /// Searches a compressed file. It has no end to begin at, so that it is read as a whole or not at all.
    fn search_packed(&mut self, entry: &Entry, source: &mut Source, last: &mut Last<'_>) -> io::Result<()> {
        let (mut found, counts) = (0_usize, &mut *last.counts);
        let visit = &mut |line: &[u8]| {
            found += usize::from(counts(line));
            true
        };
        packed_lines(source, visit, last.passed)?;
        last.lines -= found.min(last.lines);
        if found == 0 {
            self.last.insert(entry.id, Start::End);
        }
        Ok(())
    }
}

/// Part of a look at the lines from the newest back.
///
/// ```
/// use obs_log::reader::{Look, Reader};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("2026-05-26.log"), "one\ntwo\nthree\n")?;
/// let mut lines = Vec::new();
/// Reader::new(folder.path()).look_back(|look| {
///     if let Look::Line(line) = look {
///         lines.push(String::from_utf8_lossy(line).into_owned());
///     }
///     lines.len() < 2
/// })?;
/// assert_eq!(lines, ["three", "two"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<'a> {
    /// Line before those that were seen so far, without its newline.
    Line(&'a [u8]),
    /// Line of a compressed file. It has no end to begin at, so its lines come in their order.
    Packed(&'a [u8]),
    /// End of a compressed file, all of whose lines were seen.
    PackedEnd,
}

/// Visits the lines of a compressed file until `visit` returns `false`, and tells `passed` the bytes of the file that were
/// read. A damaged rest is left out: it is reported when the file is read.
fn packed_lines(
    source: &mut Source,
    visit: &mut dyn FnMut(&[u8]) -> bool,
    passed: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<bool> {
    let (mut line, mut place) = (Vec::new(), 0);
    source.go_to(0)?;
    loop {
        let mut reader = io::BufReader::with_capacity(BLOCK, &mut *source);
        let mut is_whole = true;
        while let Ok(1..) = reader.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', &mut line) {
            let is_end = line.last() == Some(&b'\n');
            if is_whole && !visit(line.strip_suffix(b"\n").unwrap_or(&line)) {
                return Ok(false);
            }
            is_whole = is_end || line.len() < LONGEST_LINE;
            line.clear();
            let now = reader.get_ref().place();
            if now > place {
                passed(now - std::mem::replace(&mut place, now))?;
            }
        }
        drop(reader);
        if !source.next_member().unwrap_or(false) {
            return Ok(true);
        }
    }
}

/// Returns the end of the last line with a newline.
fn last_line_end(source: &mut Source, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut buffer = vec![0; BLOCK];
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let part = &mut buffer[..(end - start) as usize];
        source.go_to(start)?;
        let read = source.read_full(part)?;
        if let Some(newline) = memchr::memrchr(b'\n', &part[..read]) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
