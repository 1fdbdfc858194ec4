//! The bounded hand-over from callers to the writer (L8).
//!
//! Lines are staged in chunks. Each of a few shards has one chunk that its threads append to under a lock that they
//! rarely share; a full chunk waits in the shard for the writer. Chunks come from one [`Arena`] that is bounded in
//! bytes: when they run out, callers wait briefly and then lines are dropped and counted, the least important levels
//! first.

pub(crate) mod backlog;
#[cfg(all(test, obs_loom))]
mod models;
pub(crate) mod notify;

use std::array;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

use crate::backtrace::Draft;
use crate::journal::arena::{Arena, CHUNK_BYTES, Chunk};
use crate::queue::notify::Wake;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, lock};

/// A model has fewer, because each of their locks multiplies the orders that it has to try.
pub(crate) const SHARDS: usize = if cfg!(obs_loom) { 2 } else { 8 };
/// More than a quiet process logs between two turns of the writer.
const MUCH: usize = CHUNK_BYTES / 4;

/// The hand-over of one writer.
#[derive(Debug)]
pub(crate) struct Batch {
    shards: [Padded; SHARDS],
    pool: Mutex<Pool>,
    freed: Condvar,
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
    open: Option<Open>,
    full: VecDeque<Chunk>,
}

/// A chunk that lines are put into.
#[derive(Debug)]
struct Open {
    chunk: Chunk,
    /// The least important level that may be put in here.
    grade: Level,
}

#[derive(Debug)]
struct Pool {
    /// The next to be taken comes first.
    spare: VecDeque<Chunk>,
    arena: Arc<Arena>,
    /// Chunks of the arena, and those of them that are out, in a shard or with the writer.
    limit: usize,
    used: usize,
    /// Chunks that have ever been taken.
    sequence: u64,
}

impl Batch {
    pub(crate) fn new(arena: Arena) -> Batch {
        Batch {
            shards: array::from_fn(|_| Padded::default()),
            pool: Mutex::new(Pool::new(arena)),
            freed: Condvar::new(),
            stalled: AtomicBool::new(false),
            dropped: Default::default(),
            wake: Wake::default(),
        }
    }

    /// Takes the memory of further lines from `arena`; the one before ends with the last of its lines.
    pub(crate) fn change_arena(&self, arena: Arena) {
        let mut pool = lock(&self.pool);
        let sequence = pool.sequence;
        let before = std::mem::replace(&mut *pool, Pool { sequence, ..Pool::new(arena) });
        drop(pool);
        drop(before);
        self.freed.notify_all();
    }

    pub(crate) fn arena(&self) -> Arc<Arena> {
        Arc::clone(&lock(&self.pool).arena)
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
        self.append_and(thread, level, nanos, line, wait, |_| {})
    }

    /// The same for a line that is a draft.
    pub(crate) fn append_draft(
        &self,
        thread: usize,
        level: Level,
        nanos: i64,
        line: &[u8],
        draft: Option<Draft>,
        wait: Duration,
    ) -> bool {
        // Under the lock of the shard, so that the writer knows the draft when it sees the line.
        self.append_and(thread, level, nanos, line, wait, |chunk| chunk.note_draft(draft.clone()))
    }

    #[inline]
    fn append_and(
        &self,
        thread: usize,
        level: Level,
        nanos: i64,
        line: &[u8],
        wait: Duration,
        then: impl Fn(&mut Chunk),
    ) -> bool {
        let shard = thread % SHARDS;
        let pushed = lock(&self.shards[shard].0).push(level, nanos, line, &then);
        let filled = if pushed {
            Some(false)
        } else {
            self.append_in_new_chunk(shard, level, nanos, line, wait, &then)
        };
        let Some(filled) = filled else {
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
        shard: usize,
        level: Level,
        nanos: i64,
        line: &[u8],
        wait: Duration,
        then: &impl Fn(&mut Chunk),
    ) -> Option<bool> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(filled) = self.open_chunk(shard, level, nanos, line, then) {
                return Some(filled);
            }
            self.wake.hurry();
            if !self.wait_for_chunk(level, deadline) {
                return None;
            }
        }
    }

    fn open_chunk(
        &self,
        number: usize,
        level: Level,
        nanos: i64,
        line: &[u8],
        then: &impl Fn(&mut Chunk),
    ) -> Option<bool> {
        let mut shard = lock(&self.shards[number].0);
        // Another thread of the shard may have brought a chunk meanwhile.
        if shard.push(level, nanos, line, then) {
            return Some(false);
        }
        let mut open = self.take_chunk(number, level)?;
        open.chunk.push(nanos, line);
        then(&mut open.chunk);
        let full = shard.open.replace(open);
        let filled = full.is_some();
        shard.full.extend(full.map(|full| full.chunk));
        Some(filled)
    }

    fn take_chunk(&self, shard: usize, level: Level) -> Option<Open> {
        let mut pool = lock(&self.pool);
        let grade = grade(pool.used, pool.limit)?;
        if level > grade {
            return None;
        }
        let mut chunk = pool.spare.pop_front()?;
        pool.used += 1;
        pool.sequence += 1;
        chunk.open(pool.sequence, shard);
        Some(Open { chunk, grade })
    }

    /// Waits until there may be a chunk for `level`; `false` when there is none by `deadline` or during a stall.
    fn wait_for_chunk(&self, level: Level, deadline: Instant) -> bool {
        let mut pool = lock(&self.pool);
        loop {
            if grade(pool.used, pool.limit).is_some_and(|grade| level <= grade) {
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
            shard.full.drain(..).chain(open.map(|open| open.chunk)).for_each(|chunk| take(at, chunk));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| {
            let shard = lock(&shard.0);
            shard.full.is_empty() && shard.open.is_none()
        })
    }

    /// Gives a chunk back whose lines are written.
    ///
    /// One that held much waits for its turn: by then it has left the cache of the writer's processor, from which a
    /// caller would have to get it back line by line. One that held little is the next to be taken, so that a quiet
    /// process makes few pages that the system writes to the disk.
    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        let held_much = chunk.line_bytes() >= MUCH;
        chunk.clear();
        let mut pool = lock(&self.pool);
        if Arc::ptr_eq(chunk.arena(), &pool.arena) {
            pool.used -= 1;
            if held_much {
                pool.spare.push_back(chunk);
            } else {
                pool.spare.push_front(chunk);
            }
        }
        drop(pool);
        self.stalled.store(false, Ordering::Relaxed);
        self.freed.notify_all();
    }

    pub(crate) fn count_dropped(&self, level: Level, lines: u64) {
        self.dropped[level as usize - 1].fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines dropped so far: errors, warnings, info, debug, trace.
    pub(crate) fn dropped(&self) -> [u64; 5] {
        array::from_fn(|at| self.dropped[at].load(Ordering::Relaxed))
    }
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

impl Shard {
    /// Adds a line to the open chunk; `false` when there is none that may take it.
    #[inline]
    fn push(&mut self, level: Level, nanos: i64, line: &[u8], then: &impl Fn(&mut Chunk)) -> bool {
        match &mut self.open {
            Some(open) if level <= open.grade && open.chunk.has_room(line.len()) => {
                open.chunk.push(nanos, line);
                then(&mut open.chunk);
                true
            }
            _ => false,
        }
    }
}

impl Pool {
    fn new(arena: Arena) -> Pool {
        let spare: VecDeque<_> = arena.into_chunks().into();
        let arena = Arc::clone(spare[0].arena());
        Pool { arena, limit: spare.len(), spare, used: 0, sequence: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(chunks: usize) -> Batch {
        Batch::new(Arena::in_memory(chunks * CHUNK_BYTES).unwrap())
    }

    /// Two of them fill a chunk.
    fn line(letter: u8) -> Vec<u8> {
        let mut line = vec![letter; CHUNK_BYTES / 2 - 2048];
        line.push(b'\n');
        line
    }

    fn append(batch: &Batch, thread: usize, level: Level) -> bool {
        batch.append(thread, level, 0, &line(b'x'), Duration::ZERO)
    }

    #[test]
    fn l8_drops_unimportant_levels_first_and_counts_them() {
        let batch = batch(8);
        let staged = |level| (0..100).take_while(|_| append(&batch, 0, level)).count();
        assert_eq!([Level::Debug, Level::Info, Level::Warn, Level::Error].map(staged), [8, 4, 2, 2]);
        assert_eq!(batch.dropped(), [1, 1, 1, 1, 0]);
        let mut lines = 0;
        batch.drain(|_, chunk| lines += chunk.lines());
        assert_eq!(lines, 16);
    }

    #[test]
    fn room_returns_with_the_chunks() {
        let batch = batch(4);
        while append(&batch, 3, Level::Info) {}
        batch.drain(|_, chunk| batch.recycle(chunk));
        assert!(batch.is_empty());
        assert!(append(&batch, 3, Level::Trace));
    }

    #[test]
    fn a_waiting_caller_gets_the_chunk_that_is_freed() {
        let batch = batch(4);
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
