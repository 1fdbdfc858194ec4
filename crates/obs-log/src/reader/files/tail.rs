//! Search for the last lines of a plain file, from its end.

use std::io;

use super::open_file::{BLOCK, LONGEST_LINE};
use super::source::Source;

/// Reader of the lines of a file, last line first.
pub(super) struct Backwards<'a> {
    source: &'a mut Source,
    /// Place at which the search ends.
    start: u64,
    /// End of the lines that were not read yet.
    end: u64,
    buffer: Vec<u8>,
}

impl<'a> Backwards<'a> {
    /// Creates a reader of the lines between the two places, which are starts of lines. The last line may have no
    /// newline.
    pub(super) fn new(source: &'a mut Source, start: u64, end: u64) -> Backwards<'a> {
        Backwards { source, start, end, buffer: Vec::new() }
    }

    /// Calls `visit` with the start of each line of the next block and with its bytes, last line first, until it
    /// returns `false`. Returns the number of bytes of the block, which is 0 at the end of the search.
    pub(super) fn block(&mut self, mut visit: impl FnMut(u64, &[u8]) -> bool) -> io::Result<u64> {
        let mut size = BLOCK as u64;
        while self.end > self.start {
            let from = self.end.saturating_sub(size).max(self.start);
            self.buffer.resize((self.end - from) as usize, 0);
            self.source.go_to(from)?;
            let read = self.source.read_full(&mut self.buffer)?;
            if read < self.buffer.len() {
                // The file was truncated. What is left is read in order later.
                self.end = self.start;
                return Ok(0);
            }
            // The first line of the block begins before it, unless the block is the first one.
            let skipped = match from == self.start {
                true => Some(0),
                false => memchr::memchr(b'\n', &self.buffer[..read - 1]).map(|newline| newline + 1),
            };
            let Some(skipped) = skipped else {
                if size as usize > LONGEST_LINE {
                    // The line is too long to be shown.
                    self.end = from;
                    return Ok(read as u64);
                }
                size *= 2;
                continue;
            };
            let (lines, passed) = (&self.buffer[skipped..], (read - skipped) as u64);
            self.end = from + skipped as u64;
            let mut end = lines.len() - usize::from(lines.ends_with(b"\n"));
            loop {
                let start = memchr::memrchr(b'\n', &lines[..end]).map_or(0, |newline| newline + 1);
                if !visit(self.end + start as u64, &lines[start..end]) {
                    self.end = self.start;
                    return Ok(passed);
                }
                if start == 0 {
                    return Ok(passed);
                }
                end = start - 1;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn check(text: &str, start: usize) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut source = Source::plain(file);
        let mut lines = Vec::new();
        let mut backwards = Backwards::new(&mut source, start as u64, text.len() as u64);
        while backwards
            .block(|at, line| {
                assert!(text.as_bytes()[at as usize..].starts_with(line));
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                true
            })
            .unwrap()
            > 0
        {}
        lines.reverse();
        assert!(lines.iter().eq(text[start..].lines()), "{}", text.len());
    }

    #[test]
    fn all_lines_are_read_in_reverse() {
        check("", 0);
        check("\n", 0);
        check("a", 0);
        check("a\nb", 0);
        check("a\n\nb\n", 2);
        let long = "y".repeat(BLOCK * 3);
        let text: String = (0..50_000).map(|at| format!("line {at}\n")).collect();
        check(&text, 0);
        check(&format!("{long}\n{text}{long}\n\n{text}end"), BLOCK * 3 + 1);
    }

    /// Such a line is shown as damaged. Its beginning counts for all of it.
    #[test]
    fn a_line_that_is_too_long_counts_once() {
        let text = format!("a\n{}\nb\n", "z".repeat(LONGEST_LINE * 4));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut source = Source::plain(file);
        let mut starts = Vec::new();
        let mut backwards = Backwards::new(&mut source, 0, text.len() as u64);
        let mut visit = |at: u64, _: &[u8]| {
            starts.push(at);
            true
        };
        while backwards.block(&mut visit).unwrap() > 0 {}
        assert_eq!(starts, [text.len() as u64 - 2, 2, 0]);
    }

    #[test]
    fn the_search_ends_when_enough_was_found() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\ntwo\nthree\n").unwrap();
        let mut source = Source::plain(file);
        let mut found = Vec::new();
        let mut backwards = Backwards::new(&mut source, 0, 14);
        let visit = |at: u64, _: &[u8]| {
            found.push(at);
            found.len() < 2
        };
        assert_eq!(backwards.block(visit).unwrap(), 14);
        assert_eq!(backwards.block(|_, _| panic!("no more")).unwrap(), 0);
        assert_eq!(found, [8, 4]);
    }
}
