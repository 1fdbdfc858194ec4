//! Tail of the log.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use obs_console::api::TailLines;
use obs_console::{Failure, Tail};
use obs_log::reader::{Last, Piece, Reader};

use super::filter::Filter;
use super::line;
use super::unreadable::unreadable;

/// Maximum number of lines from before the tail.
const MAX_FIRST: usize = 1_000;
/// Maximum bytes of the lines of one reading. One line may have a backtrace.
const MAX_BYTES: usize = 2 << 20;

/// Tail of one viewer.
///
/// It counts every line from the place on where it began, which is that of the oldest line that it shows. Each of them is
/// shown, filtered or skipped.
pub(super) struct LogTail {
    dir: PathBuf,
    filter: Filter,
    reader: Reader,
    written: u64,
    /// Lines of the first look, until they are asked for.
    first: Option<TailLines>,
}

impl LogTail {
    /// Begins with the last `first` lines that match.
    pub(super) fn begin(dir: &Path, filter: Filter, first: usize) -> Result<LogTail, Failure> {
        let mut reader = Reader::of(dir, filter.window.clone());
        let counts = &mut |line: &[u8]| filter.admits(line).is_some();
        let last = Last { lines: first.min(MAX_FIRST), context: 0, counts, passed: &mut |_| Ok(()) };
        reader.begin_at(last, true).map_err(|error| unreadable(dir, &error))?;
        let mut tail = LogTail { dir: dir.to_owned(), filter, reader, written: 0, first: None };
        // The reader takes its place at its first look, and lines may be written before the viewer asks.
        tail.first = Some(tail.look(MAX_FIRST)?);
        Ok(tail)
    }

    /// Returns the lines since the last look.
    fn look(&mut self, most: usize) -> Result<TailLines, Failure> {
        let (mut kept, mut spare, mut bytes) = (VecDeque::<Vec<u8>>::new(), Vec::new(), 0);
        let mut found = TailLines::default();
        let (filter, written) = (&self.filter, &mut self.written);
        let read = self.reader.read_new(true, |_, piece| {
            let line = match piece {
                Piece::Line(line) => line,
                // Its beginning counts for all of it.
                Piece::TooLong(_) => {
                    *written += 1;
                    found.filtered += 1;
                    return Ok(());
                }
                _ => return Ok(()),
            };
            *written += 1;
            if filter.admits(line).is_none() {
                found.filtered += 1;
                return Ok(());
            }
            bytes += line.len();
            // Most lines of a flood are left out again, so that the memory of the last one serves the next one.
            let mut copy = std::mem::take(&mut spare);
            copy.clear();
            copy.extend_from_slice(line);
            kept.push_back(copy);
            // The newest lines are those that a viewer waits for.
            while kept.len() > most || bytes > MAX_BYTES && kept.len() > 1 {
                let Some(left_out) = kept.pop_front() else { break };
                bytes -= left_out.len();
                found.skipped += 1;
                spare = left_out;
            }
            Ok(())
        });
        read.map_err(|error| unreadable(&self.dir, &error))?;
        for bytes in &kept {
            match line::shown(bytes) {
                Some(line) => found.lines.push(line),
                // The filter takes whole lines only. Each line counts somewhere all the same.
                None => found.filtered += 1,
            }
        }
        found.written = self.written;
        Ok(found)
    }
}

impl Tail for LogTail {
    fn read(&mut self, most: usize) -> Result<TailLines, Failure> {
        let Some(mut first) = self.first.take() else { return self.look(most) };
        let extra = first.lines.len().saturating_sub(most);
        first.lines.drain(..extra);
        first.skipped += extra as u64;
        Ok(first)
    }
}
