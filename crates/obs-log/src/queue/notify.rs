//! How callers and the writer of a queue wait for each other.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::queue::Batch;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// What a writer is told. A caller pays one load a line: it wakes the writer only out of idleness or for a full
/// chunk; in between, the writer gathers for a moment and then comes by itself.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    idle: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    woken: bool,
    hurry: bool,
    stop: bool,
    /// Flushes asked for, tried, and come to a good end, counted.
    wanted: u64,
    tried: u64,
    done: u64,
    /// A turn is under way.
    in_turn: bool,
    /// The last one did not write everything.
    left_over: bool,
}

/// A turn of the writer: what it was asked for before it took the lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    wanted: u64,
    /// Somebody waits for this turn.
    pub(crate) asked: bool,
    /// It is the last one.
    pub(crate) stop: bool,
}

impl Wake {
    /// After a line has been staged.
    #[inline]
    pub(crate) fn staged(&self, chunk_filled: bool) {
        // Relaxed is enough: a line staged before the writer's look into the shards is seen there, and one staged
        // after it has taken the shard's lock after the writer, whose `idle` it therefore sees.
        if chunk_filled || self.idle.load(Ordering::Relaxed) {
            self.rouse(chunk_filled);
        }
    }

    /// A caller waits for room.
    pub(crate) fn hurry(&self) {
        self.rouse(true);
    }

    #[cold]
    fn rouse(&self, hurry: bool) {
        let mut state = lock(&self.state);
        state.woken = true;
        state.hurry |= hurry;
        self.idle.store(false, Ordering::Relaxed);
        drop(state);
        self.changed.notify_all();
    }

    /// Asks for one more turn and waits until one has written everything; `false` at `deadline`, unless there was nothing
    /// to write.
    pub(crate) fn flush(&self, batch: &Batch, deadline: Instant) -> bool {
        // Looked at first, because the turn that is asked for begins at once.
        let had_nothing = self.has_nothing(batch);
        self.wait_for_turn(deadline, |_, _| false) || had_nothing
    }

    /// Whether everything that was staged before is written. During a turn nobody knows.
    fn has_nothing(&self, batch: &Batch) -> bool {
        // In this order: what a turn takes away in between is seen as that turn, or as what came of it.
        batch.is_empty() && {
            let state = lock(&self.state);
            !state.in_turn && !state.left_over
        }
    }

    /// The same for who has better things to do than to wait for the disk: one turn that fails is enough.
    pub(crate) fn flush_once(&self, deadline: Instant) -> bool {
        self.wait_for_turn(deadline, |state, mine| state.tried >= mine)
    }

    /// Asks for one more turn, at once, and waits for nothing.
    pub(crate) fn ask(&self) {
        lock(&self.state).wanted += 1;
        self.changed.notify_all();
    }

    fn wait_for_turn(&self, deadline: Instant, enough: impl Fn(&State, u64) -> bool) -> bool {
        let mut state = lock(&self.state);
        state.wanted += 1;
        let mine = state.wanted;
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

    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.changed.notify_all();
    }

    /// The writer's wait while lines are likely: it comes by itself after `gather`, and no caller has to wake it.
    pub(crate) fn likely_turn(&self, gather: Duration) -> Turn {
        let state = lock(&self.state);
        self.wait_while(state, gather, |state| !state.urgent()).take_turn()
    }

    /// The writer's wait when there was nothing to write for a while. Returns when there is something, after `gather`
    /// for more of it, or when `idle` has passed without anything.
    pub(crate) fn next_turn(&self, batch: &Batch, gather: Duration, idle: Duration) -> Turn {
        self.idle.store(true, Ordering::Relaxed);
        let empty = batch.is_empty();
        let mut state = lock(&self.state);
        if empty {
            state = self.wait_while(state, idle, |state| !state.woken && !state.urgent());
        }
        self.idle.store(false, Ordering::Relaxed);
        if !empty || state.woken {
            state = self.wait_while(state, gather, |state| !state.urgent());
        }
        state.take_turn()
    }

    /// The writer's wait when it could not write: `pause`, or until a flush asks for another try.
    pub(crate) fn retry_turn(&self, pause: Duration) -> Turn {
        let state = lock(&self.state);
        let mut state = self.wait_while(state, pause, |state| !state.stop && state.wanted == state.tried);
        state.take_turn()
    }

    /// Ends a turn: `written` if nothing is left over from it.
    pub(crate) fn end_turn(&self, turn: Turn, written: bool) {
        let mut state = lock(&self.state);
        let before = (state.tried, state.done);
        state.tried = turn.wanted;
        state.in_turn = false;
        state.left_over = !written;
        if written {
            state.done = turn.wanted;
        }
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
    use log::Level;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    /// L13: a flush without time says what is the case.
    #[test]
    fn l13_a_flush_without_time_knows_whether_anything_is_left() {
        let batch = Batch::new(Arena::in_memory(1 << 20).unwrap());
        let is_flushed = || batch.wake.flush(&batch, Instant::now());
        let begin = || batch.wake.next_turn(&batch, Duration::ZERO, Duration::ZERO);
        assert!(is_flushed());
        assert!(batch.append(0, Level::Info, 0, b"x\n", Duration::ZERO));
        assert!(!is_flushed(), "it is staged");
        let turn = begin();
        batch.drain(|_, chunk| batch.recycle(chunk));
        assert!(!is_flushed(), "it is being written");
        batch.wake.end_turn(turn, false);
        assert!(!is_flushed(), "it could not be written");
        let turn = begin();
        assert!(!is_flushed(), "it is tried again");
        batch.wake.end_turn(turn, true);
        assert!(is_flushed());
    }

    /// R1: callers that stage single lines and wait for each, against a writer that would sleep for a minute: a wake-up
    /// that gets lost shows as a line that nobody fetches.
    #[test]
    fn r1_no_line_is_slept_over() {
        const CALLERS: usize = 3;
        const LINES: usize = if cfg!(miri) { 20 } else { 3_000 };
        let batch = Batch::new(Arena::in_memory(8 << 20).unwrap());
        let fetched: [AtomicUsize; CALLERS] = Default::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    let turn = batch.wake.next_turn(&batch, Duration::ZERO, Duration::from_secs(60));
                    batch.drain(|shard, chunk| {
                        fetched[shard].fetch_add(chunk.lines(), Ordering::Release);
                        batch.recycle(chunk);
                    });
                    batch.wake.end_turn(turn, true);
                    if turn.stop {
                        return;
                    }
                }
            });
            let call = |caller: usize| {
                let patience = Instant::now() + Duration::from_secs(40);
                for line in 1..=LINES {
                    assert!(batch.append(caller, Level::Error, 0, b"x\n", Duration::ZERO));
                    while fetched[caller].load(Ordering::Acquire) < line {
                        assert!(Instant::now() < patience, "line {line} of caller {caller} is slept over");
                        thread::yield_now();
                    }
                }
            };
            let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(move || call(caller))).collect();
            let ends: Vec<_> = callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            batch.wake.stop();
            assert!(ends.iter().all(Result::is_ok));
        });
    }
}
