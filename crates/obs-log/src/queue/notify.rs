//! Wake-ups between callers and the writer of a queue.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// Requests to the writer, and the turns that answer them.
///
/// A caller pays one load a line. It wakes the writer only when the writer is idle or a chunk is full. Otherwise the
/// writer gathers lines for a moment and then comes by itself.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    idle: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    woken: bool,
    hurry: bool,
    stop: bool,
    /// Flushes asked for so far. Each gets the number that it raises this to.
    wanted: u64,
    /// Number of the last flush that a turn has tried.
    tried: u64,
    /// Number of the last flush after which everything was written.
    done: u64,
    /// A turn is under way.
    in_turn: bool,
    /// The last turn did not write everything.
    left_over: bool,
}

/// Turn of the writer, with the requests that were made before it took the lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    wanted: u64,
    /// A flush waits for this turn.
    pub(crate) asked: bool,
    /// It is the last turn.
    pub(crate) stop: bool,
}

impl Notify {
    /// Notes that a line was staged.
    #[inline]
    pub(crate) fn staged(&self, chunk_filled: bool) {
        // Relaxed is enough: a line staged before the writer looks into the shards is seen there. A line staged after
        // it has taken the shard's lock after the writer, and therefore sees the writer's store to `idle`.
        if chunk_filled || self.idle.load(Ordering::Relaxed) {
            self.rouse(chunk_filled);
        }
    }

    /// Wakes the writer at once, because a caller waits for room.
    pub(crate) fn hurry(&self) {
        self.rouse(true);
    }

    #[cold]
    fn rouse(&self, hurry: bool) {
        let mut state = lock(&self.state);
        state.woken = true;
        state.hurry |= hurry;
        // Under the lock, so that callers after this one do not take the lock again for the same wake-up. Relaxed is
        // enough, because the writer reads `woken` under the lock.
        self.idle.store(false, Ordering::Relaxed);
        drop(state);
        self.changed.notify_all();
    }

    /// Wakes the writer if it sleeps, because its time to sleep has changed.
    pub(crate) fn notice(&self) {
        let mut state = lock(&self.state);
        // Relaxed: the writer stores `idle` before it takes the lock. If it took the lock before this thread, the store is
        // visible here. If it takes it later, it sees what has changed when it determines its time to sleep.
        if self.idle.load(Ordering::Relaxed) {
            state.woken = true;
            self.idle.store(false, Ordering::Relaxed);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Asks for a turn and waits until one has written everything. Returns `false` at `deadline`, unless there was
    /// nothing to write. `is_empty` tells whether no line is staged.
    pub(crate) fn flush(&self, is_empty: impl FnOnce() -> bool, deadline: Instant) -> bool {
        // Before the request, because the turn that it asks for begins at once.
        let had_nothing = self.had_nothing(is_empty);
        self.wait_for_turn(deadline, |_, _| false) || had_nothing
    }

    /// Whether everything that was staged before is written. The answer is `false` during a turn.
    fn had_nothing(&self, is_empty: impl FnOnce() -> bool) -> bool {
        // The shards first, then the state: lines that a turn takes in between show as that turn, or as its outcome.
        is_empty() && {
            let state = lock(&self.state);
            !state.in_turn && !state.left_over
        }
    }

    /// Asks for a turn and waits for it, even if it fails. Returns whether it has written everything.
    pub(crate) fn flush_once(&self, deadline: Instant) -> bool {
        self.wait_for_turn(deadline, |state, mine| state.tried >= mine)
    }

    /// Asks for a turn without waiting for it.
    pub(crate) fn ask(&self) {
        lock(&self.state).wanted += 1;
        self.changed.notify_all();
    }

    fn wait_for_turn(&self, deadline: Instant, enough: impl Fn(&State, u64) -> bool) -> bool {
        let mut state = lock(&self.state);
        state.wanted += 1;
        let mine = state.wanted;
        // One condition variable serves the writer and all flushes, so all of them are woken.
        self.changed.notify_all();
        while state.done < mine {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.stop || enough(&state, mine) {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Asks for the last turn.
    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.changed.notify_all();
    }

    /// Waits, as the writer, for `gather` while lines are likely. No caller has to wake it.
    pub(crate) fn likely_turn(&self, gather: Duration) -> Turn {
        let state = lock(&self.state);
        self.wait_while(state, gather, |state| !state.urgent()).take_turn()
    }

    /// Waits, as the writer, after a while without lines. Returns `gather` after the first line, or when `idle` has
    /// passed without one.
    pub(crate) fn next_turn(
        &self,
        is_empty: impl FnOnce() -> bool,
        gather: Duration,
        idle: impl FnOnce() -> Duration,
    ) -> Turn {
        // Before the look into the shards. Their locks order it: see `staged`.
        self.idle.store(true, Ordering::Relaxed);
        let empty = is_empty();
        let mut state = lock(&self.state);
        if empty {
            // Under the lock: see `notice`.
            let idle = idle();
            state = self.wait_while(state, idle, |state| !state.woken && !state.urgent());
        }
        self.idle.store(false, Ordering::Relaxed);
        if !empty || state.woken {
            state = self.wait_while(state, gather, |state| !state.urgent());
        }
        state.take_turn()
    }

    /// Waits, as the writer, after a failed turn: for `pause`, or until a flush asks for another try.
    pub(crate) fn retry_turn(&self, pause: Duration) -> Turn {
        let state = lock(&self.state);
        let mut state = self.wait_while(state, pause, |state| !state.stop && state.wanted == state.tried);
        state.take_turn()
    }

    /// Ends a turn. `written` tells whether nothing is left over from it.
    pub(crate) fn end_turn(&self, turn: Turn, written: bool) {
        let mut state = lock(&self.state);
        let before = (state.tried, state.done);
        state.tried = turn.wanted;
        state.in_turn = false;
        state.left_over = !written;
        if written {
            state.done = turn.wanted;
        }
        // No thread waits for a turn that answers no flush.
        if before != (state.tried, state.done) {
            drop(state);
            self.changed.notify_all();
        }
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        time: Duration,
        wait: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed
            .wait_timeout_while(state, time, |state| wait(state))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

impl State {
    fn urgent(&self) -> bool {
        self.hurry || self.stop || self.wanted > self.tried
    }

    fn take_turn(&mut self) -> Turn {
        self.woken = false;
        self.hurry = false;
        self.in_turn = true;
        Turn { wanted: self.wanted, asked: self.wanted > self.tried, stop: self.stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::arena::Arena;
    use crate::queue::Queue;
    use log::Level;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    #[test]
    fn a_flush_without_time_tells_whether_anything_is_left() {
        let queue = Queue::new(Arena::in_memory(1 << 20).unwrap());
        let is_flushed = || queue.flush(Instant::now());
        let begin = || queue.next_turn(Duration::ZERO, Duration::ZERO);
        assert!(is_flushed());
        assert!(queue.append(0, Level::Info, 0, b"x\n", Duration::ZERO));
        assert!(!is_flushed(), "it is staged");
        let turn = begin();
        queue.drain(|_, chunk| queue.recycle(chunk));
        assert!(!is_flushed(), "it is being written");
        queue.notify.end_turn(turn, false);
        assert!(!is_flushed(), "it could not be written");
        let turn = begin();
        assert!(!is_flushed(), "it is tried again");
        queue.notify.end_turn(turn, true);
        assert!(is_flushed());
    }

    /// Callers stage single lines and wait for each. The writer would sleep for a minute, so a lost wake-up shows as a
    /// line that is never fetched.
    #[test]
    fn no_wake_up_is_lost() {
        const CALLERS: usize = 3;
        const LINES: usize = if cfg!(miri) { 20 } else { 3_000 };
        let queue = Queue::new(Arena::in_memory(8 << 20).unwrap());
        let fetched: [AtomicUsize; CALLERS] = Default::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    let turn = queue.next_turn(Duration::ZERO, Duration::from_secs(60));
                    queue.drain(|shard, chunk| {
                        fetched[shard].fetch_add(chunk.lines(), Ordering::Release);
                        queue.recycle(chunk);
                    });
                    queue.notify.end_turn(turn, true);
                    if turn.stop {
                        return;
                    }
                }
            });
            let call = |caller: usize| {
                let patience = Instant::now() + Duration::from_secs(40);
                for line in 1..=LINES {
                    assert!(queue.append(caller, Level::Error, 0, b"x\n", Duration::ZERO));
                    while fetched[caller].load(Ordering::Acquire) < line {
                        assert!(Instant::now() < patience, "line {line} of caller {caller} is not fetched");
                        thread::yield_now();
                    }
                }
            };
            let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(move || call(caller))).collect();
            let ends: Vec<_> = callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            queue.notify.stop();
            assert!(ends.iter().all(Result::is_ok));
        });
    }
}
