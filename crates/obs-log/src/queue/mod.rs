//! Bounded queue from callers to the writer.
//!
//! Lines are staged in chunks. Each of a few shards has one open chunk, which its threads append to under a lock that is
//! rarely contended. A full chunk waits in the shard for the writer. Chunks come from one [`Arena`], which is bounded in
//! bytes. When no chunk is left, callers wait briefly. After that, lines are dropped and counted, the least important
//! levels first.

pub(crate) mod backlog;
#[cfg(all(test, obs_loom))]
mod models;
mod notify;

use std::array;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use log::Level;

use self::notify::Notify;
pub(crate) use self::notify::Turn;
use crate::backtrace::Draft;
use crate::journal::arena::Arena;
use crate::journal::chunk::{Chunk, SHORT_BYTES};
use crate::limits::CHUNK_BYTES;
use crate::record::site;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, lock};

/// Number of shards: enough that threads of a home server's few cores rarely share one. A loom model has fewer, because
/// each lock multiplies the orders that it has to try.
pub(crate) const SHARDS: usize = if cfg!(obs_loom) { 2 } else { 8 };

/// Bytes of lines from which a chunk counts as well filled. A quiet process logs less between two turns of the writer.
pub(crate) const WELL_FILLED_BYTES: usize = CHUNK_BYTES / 4;

/// Number of other chunks that are taken before a well filled one is taken again. They hold 2 MiB together: more than the
/// cache of a processor, and a quarter of the queue, whose other pages take no memory.
const TURNS: usize = 8;

/// Queue of one writer.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Each on cache lines of its own, so that threads of different shards do not slow each other down.
    shards: [CachePadded<Mutex<Shard>>; SHARDS],
    pool: Mutex<Pool>,
    freed: Condvar,
    /// A caller has waited in vain. No other caller waits until the writer frees a chunk.
    stalled: AtomicBool,
    dropped: [AtomicU64; 5],
    notify: Notify,
}

#[derive(Debug, Default)]
struct Shard {
    /// Never empty: it is added together with its first line.
    open: Option<OpenChunk>,
    full: VecDeque<Chunk>,
}

/// Chunk that lines are appended to.
#[derive(Debug)]
struct OpenChunk {
    chunk: Chunk,
    /// Least important level that this chunk takes.
    max_level: Level,
}

#[derive(Debug)]
struct Pool {
    /// The front is the next to be taken.
    spare: VecDeque<Chunk>,
    arena: Arc<Arena>,
    /// Number of chunks in the arena.
    limit: usize,
    /// Number of chunks that are in a shard or with the writer.
    used: usize,
    /// Number of chunks that have been taken so far.
    sequence: u64,
}

impl Queue {
    pub(crate) fn new(arena: Arena) -> Queue {
        Queue {
            shards: array::from_fn(|_| CachePadded::default()),
            pool: Mutex::new(Pool::new(arena)),
            freed: Condvar::new(),
            stalled: AtomicBool::new(false),
            dropped: Default::default(),
            notify: Notify::default(),
        }
    }

    /// Takes the memory of further lines from `arena`. The former arena is freed with the last of its lines.
    pub(crate) fn change_arena(&self, arena: Arena) {
        let new = Pool::new(arena);
        let mut pool = lock(&self.pool);
        let sequence = pool.sequence;
        let before = std::mem::replace(&mut *pool, Pool { sequence, ..new });
        // Unmapping takes long enough that callers should not wait for it under the lock.
        drop(pool);
        drop(before);
        self.freed.notify_all();
    }

    pub(crate) fn arena(&self) -> Arc<Arena> {
        Arc::clone(&lock(&self.pool).arena)
    }

    /// Stages `line`, which is no longer than a chunk, for the thread with this number. Returns `false` and counts the
    /// line as dropped when there is no room for it within `wait`.
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

    /// Stages a line of at most [`SHORT_BYTES`], the first `length` of these bytes. Returns `false` if it is not staged.
    #[inline]
    pub(crate) fn append_short(
        &self,
        thread: usize,
        level: Level,
        nanos: i64,
        line: &[u8; SHORT_BYTES],
        length: usize,
    ) -> bool {
        let mut shard = lock(&self.shards[thread % SHARDS]);
        let open = shard.open.as_mut().filter(|open| level <= open.max_level);
        let pushed = open.is_some_and(|open| open.chunk.push_short(nanos, line, length));
        drop(shard);
        if pushed {
            self.notify.staged(false);
        }
        pushed
    }

    /// Stages a line whose backtrace is a draft.
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
        // The lock is released before the slow path takes it again.
        let pushed = lock(&self.shards[shard]).push(level, nanos, line, &then);
        let filled = if pushed {
            Some(false)
        } else {
            self.append_in_new_chunk(shard, level, nanos, line, wait, &then)
        };
        let Some(filled) = filled else {
            self.count_dropped(level, 1);
            return false;
        };
        self.notify.staged(filled);
        true
    }

    /// Returns whether a full chunk is ready now, or `None` when there is no room.
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
            self.notify.hurry();
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
        let mut shard = lock(&self.shards[number]);
        // Another thread of the shard may have opened a chunk meanwhile.
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

    /// Takes a chunk from the pool. The caller holds the shard's lock: the order is shard, then pool.
    fn take_chunk(&self, shard: usize, level: Level) -> Option<OpenChunk> {
        let mut pool = lock(&self.pool);
        let max_level = max_level(pool.used, pool.limit)?;
        if level > max_level {
            return None;
        }
        let mut chunk = pool.spare.pop_front()?;
        pool.used += 1;
        // Numbers the chunks of a shard in the order of their lines, for recovery.
        pool.sequence += 1;
        chunk.open(pool.sequence, shard);
        Some(OpenChunk { chunk, max_level })
    }

    /// Waits until there may be a chunk for `level`. Returns `false` when there is none by `deadline` or during a stall.
    fn wait_for_chunk(&self, level: Level, deadline: Instant) -> bool {
        let mut pool = lock(&self.pool);
        loop {
            if max_level(pool.used, pool.limit).is_some_and(|max_level| level <= max_level) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // Relaxed: the flag guards no other data, and a caller that reads it late waits once more.
            if left.is_zero() || self.stalled.load(Ordering::Relaxed) {
                self.stalled.store(true, Ordering::Relaxed);
                return false;
            }
            pool = self.freed.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes everything that is staged. Calls `take` with the number of a shard and each of its chunks, oldest first.
    pub(crate) fn drain(&self, mut take: impl FnMut(usize, Chunk)) {
        for (at, shard) in self.shards.iter().enumerate() {
            let mut shard = lock(shard);
            let open = shard.open.take();
            shard.full.drain(..).chain(open.map(|open| open.chunk)).for_each(|chunk| take(at, chunk));
        }
    }

    fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| {
            let shard = lock(shard);
            shard.full.is_empty() && shard.open.is_none()
        })
    }

    /// Gives back a chunk whose lines are written.
    ///
    /// A well filled chunk waits for some turns of others. When its own comes, it has left the cache of the writer's
    /// processor, from which a caller would have to fetch it line by line. Any other chunk is the next to be taken, so
    /// that a quiet process dirties few pages that the system writes to the disk.
    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        let well_filled = chunk.line_bytes() >= WELL_FILLED_BYTES;
        chunk.clear();
        let mut pool = lock(&self.pool);
        // A chunk of a former arena is dropped, and with the last of them its memory.
        if Arc::ptr_eq(chunk.arena(), &pool.arena) {
            pool.used -= 1;
            let turns = if well_filled { TURNS.min(pool.spare.len()) } else { 0 };
            pool.spare.insert(turns, chunk);
        }
        drop(pool);
        // After the pool has the chunk. Relaxed: a caller that reads the flag late drops one more line, which is counted.
        self.stalled.store(false, Ordering::Relaxed);
        self.freed.notify_all();
    }

    /// Counts lines of `level` as dropped.
    pub(crate) fn count_dropped(&self, level: Level, lines: u64) {
        // Relaxed: each level is a number of its own.
        self.dropped[level as usize - 1].fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines dropped so far: errors, warnings, info, debug, trace.
    pub(crate) fn dropped(&self) -> [u64; 5] {
        array::from_fn(|at| self.dropped[at].load(Ordering::Relaxed))
    }

    /// Asks for a turn and waits until one has written everything. Returns `false` at `deadline`, unless there was
    /// nothing to write.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        self.notify.flush(|| self.is_empty(), deadline)
    }

    /// Asks for a turn and waits for it, even if it fails. Returns whether it has written everything.
    pub(crate) fn flush_once(&self, deadline: Instant) -> bool {
        self.notify.flush_once(deadline)
    }

    /// Asks for a turn without waiting for it.
    pub(crate) fn ask(&self) {
        self.notify.ask();
    }

    /// Wakes the writer at once.
    pub(crate) fn hurry(&self) {
        self.notify.hurry();
    }

    /// Asks for the last turn.
    pub(crate) fn stop(&self) {
        self.notify.stop();
    }

    /// Waits, as the writer, for `gather` while lines are likely.
    pub(crate) fn likely_turn(&self, gather: Duration) -> Turn {
        self.notify.likely_turn(gather)
    }

    /// Waits, as the writer, after a while without lines. Returns `gather` after the first line, or when `idle` has
    /// passed without one.
    pub(crate) fn next_turn(&self, gather: Duration, idle: Duration) -> Turn {
        self.next_turn_within(gather, || idle)
    }

    /// Does the same. `idle` is called under the lock that [`notice`](Queue::notice) takes.
    pub(crate) fn next_turn_within(&self, gather: Duration, idle: impl FnOnce() -> Duration) -> Turn {
        self.notify.next_turn(|| self.is_empty(), gather, idle)
    }

    /// Has a sleeping writer determine anew how long it may sleep. A writer that is awake does so before it sleeps.
    pub(crate) fn notice(&self) {
        self.notify.notice();
    }

    /// Waits, as the writer, after a failed turn: for `pause`, or until a flush asks for another try.
    pub(crate) fn retry_turn(&self, pause: Duration) -> Turn {
        self.notify.retry_turn(pause)
    }

    /// Ends a turn of the writer. `written` tells whether nothing is left over from it.
    pub(crate) fn end_turn(&self, turn: Turn, written: bool) {
        self.notify.end_turn(turn, written);
    }
}

/// Least important level that gets a chunk when `used` of `limit` are taken. `None` when all are.
fn max_level(used: usize, limit: usize) -> Option<Level> {
    let left = limit.checked_sub(used).filter(|left| *left > 0)?;
    // The last eighth is for errors, the eighth before for warnings too, the quarter before for info too.
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
    /// Appends a line to the open chunk. Returns `false` when there is none that takes it.
    #[inline]
    fn push(&mut self, level: Level, nanos: i64, line: &[u8], then: &impl Fn(&mut Chunk)) -> bool {
        match &mut self.open {
            Some(open) if level <= open.max_level && open.chunk.has_room(line.len()) => {
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
        site::keep_in(&arena);
        Pool { arena, limit: spare.len(), spare, used: 0, sequence: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn queue(chunks: usize) -> Queue {
        Queue::new(Arena::in_memory(chunks * CHUNK_BYTES).unwrap())
    }

    /// A line of which two fill a chunk.
    fn line(letter: u8) -> Vec<u8> {
        let mut line = vec![letter; CHUNK_BYTES / 2 - 2048];
        line.push(b'\n');
        line
    }

    fn append(queue: &Queue, thread: usize, level: Level) -> bool {
        queue.append(thread, level, 0, &line(b'x'), Duration::ZERO)
    }

    #[test]
    fn unimportant_levels_are_dropped_first_and_counted() {
        let queue = queue(8);
        let staged = |level| (0..100).take_while(|_| append(&queue, 0, level)).count();
        assert_eq!([Level::Debug, Level::Info, Level::Warn, Level::Error].map(staged), [8, 4, 2, 2]);
        assert_eq!(queue.dropped(), [1, 1, 1, 1, 0]);
        let mut lines = 0;
        queue.drain(|_, chunk| lines += chunk.lines());
        assert_eq!(lines, 16);
    }

    #[test]
    fn room_returns_with_the_chunks() {
        let queue = queue(4);
        while append(&queue, 3, Level::Info) {}
        queue.drain(|_, chunk| queue.recycle(chunk));
        assert!(queue.is_empty());
        assert!(append(&queue, 3, Level::Trace));
    }

    /// Returns the numbers of the chunks that a thread takes, one after the other, with these lines in each.
    fn chunks_taken(queue: &Queue, lines: &[&[u8]]) -> Vec<usize> {
        let mut taken = Vec::new();
        for _ in 0..100 {
            for line in lines {
                assert!(queue.append(0, Level::Info, 0, line, Duration::ZERO));
            }
            queue.drain(|_, chunk| {
                taken.push(chunk.index());
                queue.recycle(chunk);
            });
        }
        taken
    }

    #[test]
    fn well_filled_chunks_take_turns_and_leave_the_rest_of_the_memory_alone() {
        let queue = queue(32);
        let taken = chunks_taken(&queue, &[&line(b'x')]);
        assert_eq!(taken.len(), 100);
        for turns in taken.windows(TURNS + 1) {
            assert_eq!(turns.iter().collect::<HashSet<_>>().len(), TURNS + 1, "{turns:?}");
        }
        assert!(taken.iter().all(|chunk| *chunk <= TURNS), "{taken:?}");
    }

    #[test]
    fn a_quiet_thread_stays_on_one_chunk() {
        let taken = chunks_taken(&queue(32), &[b"{}\n", b"{}\n"]);
        assert_eq!(taken, [0; 100]);
    }

    #[test]
    fn a_waiting_caller_gets_the_chunk_that_is_freed() {
        let queue = queue(4);
        while append(&queue, 0, Level::Info) {}
        queue.stalled.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let waiter =
                scope.spawn(|| queue.append(0, Level::Info, 0, &line(b'y'), Duration::from_secs(60)));
            queue.drain(|_, chunk| queue.recycle(chunk));
            assert!(waiter.join().unwrap());
        });
    }
}
