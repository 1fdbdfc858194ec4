//! Backlog of the writer: lines of all shards, planned into writes in the order of their time.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::backtrace::Draft;
use crate::clock::{DAY_NANOS, day_of};
use crate::journal::arena::Arena;
use crate::journal::chunk::Chunk;
use crate::journal::format::{MAX_PIECES, Piece};
use crate::json::text::line_buf::LineBuf;
use crate::limits::MAX_LINE_BYTES;
use crate::queue::{Queue, SHARDS, WELL_FILLED_BYTES};
use crate::record::is_record;
use crate::record::render::Renderer;

/// Maximum number of staged bytes in one write. A longer line is written alone.
const WRITE_BYTES: usize = 256 << 10;

/// Maximum number of lines in one write. More would be planned than one write renders, and planned again for the next one.
const WRITE_LINES: usize = 2 << 10;

/// Number of bytes of rendered lines that are enough for one write. A line more fits into 192 KiB, unless it is long.
const RENDERED_BYTES: usize = 188 << 10;

/// Maximum number of bytes in one write.
pub(crate) const MAX_WRITE_BYTES: usize = WRITE_BYTES + RENDERED_BYTES + MAX_LINE_BYTES;

/// Chunks that the writer has taken and not yet written.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    shards: [VecDeque<Chunk>; SHARDS],
}

/// Lines of one day and one arena, to be written in one go.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) day: i32,
    segments: Vec<Segment>,
    /// Number of staged bytes. A draft is written with another length.
    pub(crate) bytes: usize,
    lines: usize,
}

/// Consecutive lines of a chunk.
#[derive(Debug)]
struct Segment {
    shard: usize,
    /// Number of the chunk in its shard.
    chunk: usize,
    lines: Range<usize>,
    bytes: Range<usize>,
}

/// Lines of a run as they are written.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rendered: LineBuf,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// Bytes of a chunk, by its shard and its number there.
    Staged { place: (usize, usize), bytes: Range<usize> },
    /// Bytes of `rendered`.
    Rendered(Range<usize>),
}

/// Next line of a shard while a run is planned.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    chunk: usize,
    line: usize,
    /// Time of the line. `None` at the end.
    nanos: Option<i64>,
}

impl Backlog {
    /// Takes everything that is staged in `queue`.
    pub(crate) fn take_from(&mut self, queue: &Queue) {
        queue.drain(|shard, chunk| self.push(shard, chunk));
    }

    pub(crate) fn push(&mut self, shard: usize, chunk: Chunk) {
        self.shards[shard % SHARDS].push_back(chunk);
    }

    /// Plans the write of the oldest lines. Returns `false` when there are none.
    ///
    /// The lines of a shard keep their order. Between shards, the earlier line goes first.
    pub(crate) fn next_run(&self, run: &mut Run) -> bool {
        run.segments.clear();
        (run.bytes, run.lines) = (0, 0);
        // A merge of the shards: each step takes lines of the earliest shard up to the time of the next one.
        let mut cursors: [Cursor; SHARDS] = std::array::from_fn(|shard| self.start(shard));
        while run.segments.len() < MAX_PIECES {
            let Some((shard, rival)) = earliest(&cursors) else { break };
            if !self.extend(run, shard, &mut cursors[shard], rival) {
                break;
            }
        }
        !run.segments.is_empty()
    }

    fn start(&self, shard: usize) -> Cursor {
        let line = self.shards[shard].front().map_or(0, Chunk::drained);
        self.settled(shard, Cursor { chunk: 0, line, nanos: None })
    }

    /// Moves `cursor` to the next line that may be written.
    fn settled(&self, shard: usize, mut cursor: Cursor) -> Cursor {
        while let Some(chunk) = self.shards[shard].get(cursor.chunk) {
            let lines = chunk.lines();
            while cursor.line < lines && !chunk.is_whole(cursor.line) {
                cursor.line += 1;
            }
            if cursor.line < lines {
                cursor.nanos = Some(chunk.nanos(cursor.line));
                return cursor;
            }
            cursor.chunk += 1;
            cursor.line = self.shards[shard].get(cursor.chunk).map_or(0, Chunk::drained);
        }
        Cursor { nanos: None, ..cursor }
    }

    /// Adds lines of the cursor's chunk up to the time of `rival`, of the run's day, and while there is room. Returns `false`
    /// when the run is complete.
    fn extend(&self, run: &mut Run, shard: usize, cursor: &mut Cursor, rival: i64) -> bool {
        let (Some(chunk), Some(nanos)) = (self.shards[shard].get(cursor.chunk), cursor.nanos) else {
            return false;
        };
        let first = cursor.line;
        let bytes = chunk.range(first);
        let day = day_of(nanos);
        let next_draft = chunk.next_draft(first).map_or(usize::MAX, |(line, _)| *line);
        // A draft is a run of its own, because it is not written as it is staged.
        let is_draft = next_draft == first;
        if is_draft && !run.segments.is_empty() {
            return false;
        }
        if let Some(segment) = run.segments.first() {
            let arena = self.arena_of(segment);
            let fits = day == run.day && run.bytes + bytes.len() <= WRITE_BYTES && run.lines < WRITE_LINES;
            if !fits || !arena.is_some_and(|arena| Arc::ptr_eq(arena, chunk.arena())) {
                return false;
            }
        }
        run.day = day;
        // Saturating: a single line may be longer than a write.
        let room = bytes.start + WRITE_BYTES.saturating_sub(run.bytes);
        let (mut line, mut end) = (first + 1, bytes.end);
        let most = first + WRITE_LINES.saturating_sub(run.lines);
        let limit = if is_draft { line } else { next_draft.min(chunk.lines()).min(most) };
        // Compared with the ends of the day, because a division for each line would cost as much as all else here.
        let midnight = i64::from(day).saturating_mul(DAY_NANOS);
        let times = midnight..=rival.min(midnight.saturating_add(DAY_NANOS - 1));
        while line < limit && chunk.is_whole(line) {
            let next_end = chunk.end(line);
            if next_end > room || !times.contains(&chunk.nanos(line)) {
                break;
            }
            (line, end) = (line + 1, next_end);
        }
        run.bytes += end.saturating_sub(bytes.start);
        run.lines += line - first;
        run.segments.push(Segment {
            shard,
            chunk: cursor.chunk,
            lines: first..line,
            bytes: bytes.start..end,
        });
        *cursor = self.settled(shard, Cursor { line, ..*cursor });
        !is_draft
    }

    /// Returns the draft that `run` consists of, with its line.
    pub(crate) fn draft(&self, run: &Run) -> Option<(&Draft, &[u8])> {
        let segment = run.segments.first()?;
        let chunk = self.shards[segment.shard].get(segment.chunk)?;
        let (line, draft) = chunk.next_draft(segment.lines.start)?;
        (*line == segment.lines.start).then(|| (draft, chunk.bytes(segment.bytes.clone())))
    }

    fn arena_of(&self, segment: &Segment) -> Option<&Arc<Arena>> {
        self.shards[segment.shard].get(segment.chunk).map(Chunk::arena)
    }

    /// Returns the arena of the lines of `run`.
    pub(crate) fn arena(&self, run: &Run) -> Option<Arc<Arena>> {
        run.segments.first().and_then(|segment| self.arena_of(segment)).cloned()
    }

    /// Returns the bytes of `run` without copying them.
    pub(crate) fn bytes<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = &'a [u8]> {
        let bytes = |segment: &Segment| {
            self.shards[segment.shard]
                .get(segment.chunk)
                .map_or(&[][..], |chunk| chunk.bytes(segment.bytes.clone()))
        };
        run.segments.iter().map(bytes)
    }

    /// Renders the records of `run` into `lines`. Cuts `run` where a write has enough of them.
    pub(crate) fn render(&self, run: &mut Run, renderer: &mut Renderer, lines: &mut Lines) {
        let Lines { rendered, parts } = lines;
        rendered.clear();
        parts.clear();
        for (at, segment) in run.segments.iter_mut().enumerate() {
            let Some(chunk) = self.shards[segment.shard].get(segment.chunk) else { continue };
            let is_line = |line: usize| !is_record(chunk.bytes(chunk.range(line)));
            // Lines at the beginning are written from where they are, which are all lines of a process without records.
            let first = segment.lines.clone().find(|line| !is_line(*line)).unwrap_or(segment.lines.end);
            let mut start =
                if first < segment.lines.end { chunk.range(first).start } else { segment.bytes.end };
            if start > segment.bytes.start {
                let place = (segment.shard, segment.chunk);
                parts.push(Part::Staged { place, bytes: segment.bytes.start..start });
            }
            let before = rendered.len();
            for line in first..segment.lines.end {
                let end = chunk.end(line);
                renderer.append(chunk.nanos(line), chunk.bytes(start..end), rendered);
                start = end;
                if rendered.len() >= RENDERED_BYTES {
                    segment.lines.end = line + 1;
                    segment.bytes.end = end;
                    break;
                }
            }
            if rendered.len() > before {
                parts.push(Part::Rendered(before..rendered.len()));
            }
            if rendered.len() >= RENDERED_BYTES {
                run.segments.truncate(at + 1);
                return;
            }
        }
    }

    /// Returns the bytes of `lines` without copying them.
    pub(crate) fn written<'a>(&'a self, lines: &'a Lines) -> impl Iterator<Item = &'a [u8]> {
        lines.parts.iter().map(|part| match part {
            Part::Rendered(bytes) => &lines.rendered[bytes.clone()],
            Part::Staged { place: (shard, chunk), bytes } => {
                self.shards[*shard].get(*chunk).map_or(&[][..], |chunk| chunk.bytes(bytes.clone()))
            }
        })
    }

    /// Returns the lines of `run` as its arena names them.
    pub(crate) fn pieces<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = Piece> {
        let piece = |segment: &Segment| {
            let chunk = self.shards[segment.shard].get(segment.chunk)?;
            Some(Piece { chunk: chunk.index(), lines: segment.lines.clone() })
        };
        run.segments.iter().filter_map(piece)
    }

    /// Notes that the first `written` lines of `run` are in a day file. Returns their number.
    pub(crate) fn retire(&self, run: &Run, written: usize) -> u64 {
        let mut left = written;
        let mut lines = 0;
        for segment in &run.segments {
            let Some(chunk) = self.shards[segment.shard].get(segment.chunk) else { break };
            let count = segment.lines.len().min(left);
            // The order of segments is that of the write, so the lines before these are drained as well.
            chunk.set_drained(segment.lines.start + count);
            lines += count as u64;
            if count < segment.lines.len() {
                break;
            }
            left -= count;
        }
        lines
    }

    /// Removes all lines.
    pub(crate) fn clear(&mut self) {
        self.shards.iter_mut().flat_map(|shard| shard.drain(..)).for_each(|mut chunk| chunk.clear());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(VecDeque::is_empty)
    }

    /// Whether a chunk is well filled, so that its process logs more than one of a home does when it is quiet.
    pub(crate) fn is_busy(&self) -> bool {
        self.shards.iter().flatten().any(|chunk| chunk.line_bytes() >= WELL_FILLED_BYTES)
    }

    /// Gives chunks back to `queue` whose lines are all written.
    pub(crate) fn recycle(&mut self, queue: &Queue) {
        for shard in &mut self.shards {
            while shard.front().is_some_and(|chunk| chunk.drained() == chunk.lines())
                && let Some(chunk) = shard.pop_front()
            {
                queue.recycle(chunk);
            }
        }
    }
}

/// Returns the shard with the earliest line, and the time of the earliest line of any other shard.
fn earliest(cursors: &[Cursor; SHARDS]) -> Option<(usize, i64)> {
    let mut first = None;
    let mut rival = i64::MAX;
    for (at, cursor) in cursors.iter().enumerate() {
        let Some(time) = cursor.nanos else { continue };
        match first {
            Some((_, earliest)) if earliest <= time => rival = rival.min(time),
            Some((_, earliest)) => {
                rival = rival.min(earliest);
                first = Some((at, time));
            }
            None => first = Some((at, time)),
        }
    }
    first.map(|(at, _)| (at, rival))
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;
    use std::time::Duration;

    fn rendered(backlog: &Backlog, run: &mut Run) -> Vec<u8> {
        let mut lines = Lines::default();
        backlog.render(run, &mut Renderer::default(), &mut lines);
        backlog.written(&lines).collect::<Vec<_>>().concat()
    }

    #[test]
    fn earlier_lines_go_first_and_a_run_has_one_day() {
        let queue = Queue::new(Arena::in_memory(8 << 20).unwrap());
        let put = |thread, nanos: i64| {
            let line = format!("{thread}@{nanos}\n");
            queue.append(thread, Level::Info, nanos, line.as_bytes(), Duration::ZERO);
        };
        [1, 4, 5, DAY_NANOS].iter().for_each(|at| put(0, *at));
        [2, 3, 6, 1, DAY_NANOS - 1].iter().for_each(|at| put(1, *at));
        let mut backlog = Backlog::default();
        backlog.take_from(&queue);
        let mut run = Run::default();
        let mut runs = Vec::new();
        while backlog.next_run(&mut run) {
            let bytes = rendered(&backlog, &mut run);
            let lines = backlog.retire(&run, usize::MAX);
            backlog.recycle(&queue);
            runs.push((run.day, lines, String::from_utf8(bytes).unwrap()));
        }
        let first = "0@1\n1@2\n1@3\n0@4\n0@5\n1@6\n1@1\n1@86399999999999\n".to_owned();
        assert_eq!(runs, [(0, 8, first), (1, 1, "0@86400000000000\n".to_owned())]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_run_that_was_written_in_part_continues_where_it_ended() {
        let queue = Queue::new(Arena::in_memory(1 << 20).unwrap());
        for at in 0..6 {
            queue.append(at % 2, Level::Info, at as i64, format!("{at}\n").as_bytes(), Duration::ZERO);
        }
        let mut backlog = Backlog::default();
        backlog.take_from(&queue);
        let mut run = Run::default();
        assert!(backlog.next_run(&mut run));
        assert_eq!(backlog.retire(&run, 3), 3);
        assert!(backlog.next_run(&mut run));
        assert_eq!(rendered(&backlog, &mut run), b"3\n4\n5\n");
    }
}
