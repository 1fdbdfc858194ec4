//! The bounded hand-over from callers to the writer (L8).
//!
//! Lines are staged in chunks. Each of a few shards has one chunk that its threads append to under a lock that they
//! rarely share; a full chunk waits in the shard for the writer. Chunks come from one pool that is bounded in bytes:
//! when it runs out, callers wait briefly and then lines are dropped and counted, the least important levels first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{array, iter};

use log::Level;

use crate::wake::Wake;

/// Bytes of lines in a chunk: large enough for large writes, small enough for a processor's cache.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

pub(crate) const SHARDS: usize = 8;

/// The hand-over of one writer.
#[derive(Debug)]
pub(crate) struct Batch {
    shards: [Padded; SHARDS],
    pool: Mutex<Pool>,
    freed: Condvar,
    limit: AtomicUsize,
    /// A caller has waited in vain; nobody waits again until the writer frees a chunk.
    stalled: AtomicBool,
    dropped: [AtomicU64; 5],
    pub(crate) wake: Wake,
}

/// A shard on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

#[derive(Debug, Default)]
struct Shard {
    /// Never empty: it comes with its first line.
    open: Option<Chunk>,
    full: VecDeque<Chunk>,
}

#[derive(Debug, Default)]
struct Pool {
    spare: Vec<Chunk>,
    /// Chunks that are out, in a shard or with the writer.
    used: usize,
}

/// Lines of one shard, in the order they were made.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lines: Vec<Mark>,
    /// The least important level that may be put in here.
    grade: Level,
}

/// Where a line ends, and when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) nanos: i64,
    pub(crate) end: usize,
}

impl Batch {
    pub(crate) fn new(bytes: usize) -> Batch {
        Batch {
            shards: array::from_fn(|_| Padded::default()),
            // As many as `trim` leaves: memory that nothing has touched costs no page.
            pool: Mutex::new(Pool { spare: iter::repeat_with(Chunk::new).take(SHARDS).collect(), used: 0 }),
            freed: Condvar::new(),
            limit: AtomicUsize::new(bytes / CHUNK_BYTES),
            stalled: AtomicBool::new(false),
            dropped: Default::default(),
            wake: Wake::default(),
        }
    }

    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes / CHUNK_BYTES, Ordering::Relaxed);
    }

    /// Stages `line`, which is no longer than a chunk, for the thread with this number. `false` when there is no
    /// room for it within `wait`; it is counted then.
    pub(crate) fn append(
        &self,
        thread: usize,
        level: Level,
        nanos: i64,
        line: &[u8],
        wait: Duration,
    ) -> bool {
        let shard = &self.shards[thread % SHARDS].0;
        let Some(filled) = push_into_open(shard, level, nanos, line)
            .then_some(false)
            .or_else(|| self.append_in_new_chunk(shard, level, nanos, line, wait))
        else {
            self.count_dropped(level, 1);
            return false;
        };
        self.wake.staged(filled);
        true
    }

    /// Whether a full chunk is ready now; `None` when there is no room.
    #[cold]
    fn append_in_new_chunk(
        &self,
        shard: &Mutex<Shard>,
        level: Level,
        nanos: i64,
        line: &[u8],
        wait: Duration,
    ) -> Option<bool> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(filled) = self.open_chunk(&mut lock(shard), level, nanos, line) {
                return Some(filled);
            }
            self.wake.hurry();
            if !self.wait_for_chunk(level, deadline) {
                return None;
            }
            // Another thread of the shard may have brought a chunk meanwhile.
            if push_into_open(shard, level, nanos, line) {
                return Some(false);
            }
        }
    }

    fn open_chunk(&self, shard: &mut Shard, level: Level, nanos: i64, line: &[u8]) -> Option<bool> {
        let mut chunk = self.take_chunk(level)?;
        chunk.push(nanos, line);
        let full = shard.open.replace(chunk);
        let filled = full.is_some();
        shard.full.extend(full);
        Some(filled)
    }

    fn take_chunk(&self, level: Level) -> Option<Chunk> {
        let mut pool = lock(&self.pool);
        let limit = self.limit.load(Ordering::Relaxed);
        let grade = grade(pool.used, limit)?;
        if level > grade {
            return None;
        }
        pool.used += 1;
        let mut chunk = pool.spare.pop().unwrap_or_else(Chunk::new);
        chunk.grade = grade;
        Some(chunk)
    }

    /// Waits until there may be a chunk for `level`; `false` when there is none by `deadline` or during a stall.
    fn wait_for_chunk(&self, level: Level, deadline: Instant) -> bool {
        let mut pool = lock(&self.pool);
        loop {
            if grade(pool.used, self.limit.load(Ordering::Relaxed)).is_some_and(|grade| level <= grade) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stalled.load(Ordering::Relaxed) {
                self.stalled.store(true, Ordering::Relaxed);
                return false;
            }
            pool = self.freed.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes all that is staged: calls `take` with the number of a shard and each of its chunks, oldest first.
    pub(crate) fn drain(&self, mut take: impl FnMut(usize, Chunk)) {
        for (at, shard) in self.shards.iter().enumerate() {
            let mut shard = lock(&shard.0);
            let open = shard.open.take();
            shard.full.drain(..).chain(open).for_each(|chunk| take(at, chunk));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| {
            let shard = lock(&shard.0);
            shard.full.is_empty() && shard.open.is_none()
        })
    }

    /// Gives a chunk back whose lines are written.
    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        chunk.bytes.clear();
        chunk.lines.clear();
        let mut pool = lock(&self.pool);
        pool.used -= 1;
        pool.spare.push(chunk);
        drop(pool);
        self.stalled.store(false, Ordering::Relaxed);
        self.freed.notify_all();
    }

    /// Frees memory that a burst has left behind.
    pub(crate) fn trim(&self) {
        lock(&self.pool).spare.truncate(SHARDS);
    }

    pub(crate) fn count_dropped(&self, level: Level, lines: u64) {
        self.dropped[level as usize - 1].fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines dropped so far: errors, warnings, info, debug, trace.
    pub(crate) fn dropped(&self) -> [u64; 5] {
        array::from_fn(|at| self.dropped[at].load(Ordering::Relaxed))
    }
}

fn push_into_open(shard: &Mutex<Shard>, level: Level, nanos: i64, line: &[u8]) -> bool {
    match &mut lock(shard).open {
        Some(open) if open.takes(level, line.len()) => open.push(nanos, line),
        _ => return false,
    }
    true
}

/// The least important level that gets a chunk when `used` of `limit` are out; `None` when all are.
fn grade(used: usize, limit: usize) -> Option<Level> {
    let left = limit.checked_sub(used).filter(|left| *left > 0)?;
    // The last eighth is for errors, the one before for warnings too, the quarter before for info too.
    Some(if left <= (limit / 8).max(1) {
        Level::Error
    } else if left <= (limit / 4).max(2) {
        Level::Warn
    } else if left <= limit / 2 {
        Level::Info
    } else {
        Level::Trace
    })
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { bytes: Vec::with_capacity(CHUNK_BYTES), lines: Vec::with_capacity(2048), grade: Level::Trace }
    }

    #[inline]
    fn takes(&self, level: Level, bytes: usize) -> bool {
        self.bytes.len() + bytes <= CHUNK_BYTES && level <= self.grade
    }

    #[inline]
    fn push(&mut self, nanos: i64, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.lines.push(Mark { nanos, end: self.bytes.len() });
    }
}

/// A lock whose holder cannot have panicked half way: no code of a user runs inside.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(letter: u8) -> Vec<u8> {
        let mut line = vec![letter; CHUNK_BYTES / 2 - 1];
        line.push(b'\n');
        line
    }

    fn append(batch: &Batch, thread: usize, level: Level) -> bool {
        batch.append(thread, level, 0, &line(b'x'), Duration::ZERO)
    }

    #[test]
    fn l8_drops_unimportant_levels_first_and_counts_them() {
        let batch = Batch::new(8 * CHUNK_BYTES);
        let staged = |level| (0..100).take_while(|_| append(&batch, 0, level)).count();
        assert_eq!([Level::Debug, Level::Info, Level::Warn, Level::Error].map(staged), [8, 4, 2, 2]);
        assert_eq!(batch.dropped(), [1, 1, 1, 1, 0]);
        let mut lines = 0;
        batch.drain(|_, chunk| lines += chunk.lines.len());
        assert_eq!(lines, 16);
    }

    #[test]
    fn room_returns_with_the_chunks() {
        let batch = Batch::new(4 * CHUNK_BYTES);
        while append(&batch, 3, Level::Info) {}
        batch.drain(|_, chunk| batch.recycle(chunk));
        assert!(batch.is_empty());
        assert!(append(&batch, 3, Level::Trace));
    }

    #[test]
    fn a_waiting_caller_gets_the_chunk_that_is_freed() {
        let batch = Batch::new(4 * CHUNK_BYTES);
        while append(&batch, 0, Level::Info) {}
        batch.stalled.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let waiter =
                scope.spawn(|| batch.append(0, Level::Info, 0, &line(b'y'), Duration::from_secs(60)));
            batch.drain(|_, chunk| batch.recycle(chunk));
            assert!(waiter.join().unwrap());
        });
    }
}
