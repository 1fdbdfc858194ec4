//! Lines of several shards in the order of their time.

use std::collections::VecDeque;

use crate::batch::{Batch, Chunk, SHARDS};
use crate::clock::day_of;

/// Most bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// What the writer has taken and not yet written.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    shards: [VecDeque<Reading>; SHARDS],
}

/// A chunk and the number of its lines that are done.
#[derive(Debug)]
struct Reading {
    chunk: Chunk,
    next: usize,
}

/// Lines of one day, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: u64,
    pub(crate) day: i32,
}

impl Backlog {
    /// Takes over what is staged in `batch`.
    pub(crate) fn take_from(&mut self, batch: &Batch) {
        batch.drain(|shard, chunk| self.shards[shard].push_back(Reading { chunk, next: 0 }));
    }

    /// Fills `run` with the oldest lines; `false` when there are none. Chunks that are through go back to `batch`.
    ///
    /// Of each shard the order stays, and between shards the earlier line goes first.
    pub(crate) fn next_run(&mut self, run: &mut Run, batch: &Batch) -> bool {
        run.bytes.clear();
        run.lines = 0;
        while let Some((shard, rival)) = self.earliest() {
            let queue = &mut self.shards[shard];
            let Some(reading) = queue.front_mut() else { break };
            let day = day_of(reading.time());
            if run.lines > 0 && (day != run.day || run.bytes.len() + reading.size() > WRITE_BYTES) {
                break;
            }
            run.day = day;
            if reading.copy_before(rival, run)
                && let Some(done) = queue.pop_front()
            {
                batch.recycle(done.chunk);
            }
        }
        run.lines > 0
    }

    /// The shard with the earliest line, and the time of the earliest line of another.
    fn earliest(&self) -> Option<(usize, i64)> {
        let mut first = None;
        let mut rival = i64::MAX;
        for (at, queue) in self.shards.iter().enumerate() {
            let Some(time) = queue.front().map(Reading::time) else { continue };
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
}

impl Reading {
    fn time(&self) -> i64 {
        self.chunk.lines[self.next].nanos
    }

    fn start(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |last| self.chunk.lines[last].end)
    }

    fn size(&self) -> usize {
        self.chunk.lines[self.next].end - self.start()
    }

    /// Copies lines up to the time of `rival`, of the run's day and while there is room; `true` when the chunk is
    /// through.
    fn copy_before(&mut self, rival: i64, run: &mut Run) -> bool {
        let start = self.start();
        let room = start + WRITE_BYTES.saturating_sub(run.bytes.len());
        let first = self.next;
        let fits = |at: usize| {
            let line = self.chunk.lines[at];
            at == first || (line.nanos <= rival && line.end <= room && day_of(line.nanos) == run.day)
        };
        let end = (first..self.chunk.lines.len()).find(|&at| !fits(at)).unwrap_or(self.chunk.lines.len());
        run.bytes.extend_from_slice(&self.chunk.bytes[start..self.chunk.lines[end - 1].end]);
        run.lines += (end - first) as u64;
        self.next = end;
        end == self.chunk.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY_NANOS;
    use log::Level;
    use std::time::Duration;

    #[test]
    fn earlier_lines_go_first_and_a_run_has_one_day() {
        let batch = Batch::new(8 << 20);
        let put = |thread, nanos: i64| {
            let line = format!("{thread}@{nanos}\n");
            batch.append(thread, Level::Info, nanos, line.as_bytes(), Duration::ZERO);
        };
        [1, 4, 5, DAY_NANOS].iter().for_each(|at| put(0, *at));
        [2, 3, 6, 1, DAY_NANOS - 1].iter().for_each(|at| put(1, *at));
        let mut backlog = Backlog::default();
        backlog.take_from(&batch);
        let mut run = Run::default();
        let mut runs = Vec::new();
        while backlog.next_run(&mut run, &batch) {
            runs.push((run.day, run.lines, String::from_utf8(run.bytes.clone()).unwrap()));
        }
        let first = "0@1\n1@2\n1@3\n0@4\n0@5\n1@6\n1@1\n1@86399999999999\n".to_owned();
        assert_eq!(runs, [(0, 8, first), (1, 1, "0@86400000000000\n".to_owned())]);
    }
}
