//! Thread that restores the traces of earlier runs, writes new ones to the disk, and copies the retained ones before the ring
//! writes over them.

use std::fs;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use obs_trace::{Store, TraceRecord};

use super::disk::Refused;
use super::file::{Opened, Place};
use super::flush::{Flush, Turn};
use super::handover::Handover;
use super::recorder::{Recorder, WAKE_BYTES};
use super::ring::Ring;
use super::scan::{Earlier, in_order};

/// Target of the lines of the history.
pub(super) const TARGET: &str = "hearthnet.history";

/// Time between two attempts to open the file. The first is short, because the process before this one may just be ending.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(60);

/// Traces by which the order of the store and that of the hand-over file may differ, because several threads end traces at once.
const OUT_OF_ORDER: usize = 100;

/// State that the handle and the thread share.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) place: Place,
    pub(super) recorder: Arc<Recorder>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Traces of earlier runs in the store. `None` until they are read.
    restored: Option<usize>,
    has_ended: bool,
}

impl Shared {
    pub(super) fn new(store: Store, place: Place) -> Shared {
        let recorder = Arc::new(Recorder::default());
        Shared { store, place, recorder, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn restored(&self) -> Option<usize> {
        self.lock().restored
    }

    fn note_restored(&self, traces: usize) {
        self.lock().restored = Some(traces);
        self.changed.notify_all();
    }

    /// Waits until the traces of earlier runs are in the store, or will not be before a fault is gone.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let mut state = self.lock();
        while state.restored.is_none() && !state.has_ended {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Tells the thread to end.
    pub(super) fn end(&self) {
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    fn has_ended(&self) -> bool {
        self.lock().has_ended
    }
}

/// The thread.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    opened: Result<Opened, Refused>,
    flush: Option<Flush>,
    /// Hand-over file of this run.
    handover: Option<Handover>,
    /// Position at which the retained traces are copied, before the ring writes over them.
    next_copy: u64,
    /// Position from which on the whole ring is provided. A process without traces does not take its memory.
    provide_from: u64,
    /// Whether the file was made again, and lacks the traces that the store alone has.
    lacks_older: bool,
}

impl Keeper {
    /// Opens the file, so that traces are recorded from here on, if that takes a few milliseconds.
    pub(super) fn new(shared: Arc<Shared>) -> Keeper {
        let opened = shared.place.open(false);
        Keeper {
            shared,
            opened,
            flush: None,
            handover: None,
            next_copy: 0,
            provide_from: 0,
            lacks_older: false,
        }
    }

    /// Begins to record where the file could be opened.
    pub(super) fn begin(&mut self, thread: Option<thread::Thread>) {
        if let Ok(opened) = &mut self.opened
            && let Some(ring) = opened.ring.take()
        {
            self.shared.recorder.open(ring, thread);
        }
    }

    pub(super) fn run(mut self) {
        let lock = match mem::replace(&mut self.opened, Err(Refused::InUse)) {
            Ok(opened) => self.restore(opened),
            Err(refused) => match self.retry(refused) {
                Some(mut opened) => {
                    if let Some(ring) = opened.ring.take() {
                        self.shared.recorder.open(ring, Some(thread::current()));
                    }
                    self.restore(opened)
                }
                None => return,
            },
        };
        self.keep();
        if let Some(handover) = self.finish() {
            // The file of the history has all of it. Noted first, so that a kill in between does no harm.
            self.flush.iter().for_each(Flush::note_end);
            let _ = fs::remove_file(&handover.path);
        }
        // The mapping stays as long as the store, and would hold the lock.
        let _ = lock.unlock();
    }

    /// Writes the records to the file, until the history ends.
    fn keep(&mut self) {
        while !self.shared.has_ended() {
            let (Some(ring), Some(flush)) = (self.shared.recorder.ring(), &mut self.flush) else {
                // Woken by the end of the history.
                thread::park();
                continue;
            };
            let turn = flush.run_if_due(ring);
            self.lacks_older |= matches!(turn, Some(Turn::MadeAgain));
            say(turn, &self.shared);
            if mem::take(&mut self.lacks_older) {
                self.copy_older();
                continue;
            }
            let (due_at, wait) = (flush.due_at(), flush.wait());
            self.shared.recorder.note_skipped_bytes(flush.skipped_bytes());
            if ring.cursor() >= self.next_copy {
                self.copy_retained();
                continue;
            }
            if ring.cursor() > self.provide_from {
                ring.provide(u64::MAX);
                self.provide_from = u64::MAX;
            }
            let wake_at = due_at.min(self.next_copy).min(self.provide_from.saturating_add(1));
            self.shared.recorder.wake_at(wake_at);
            // Checked again, because a thread that went beyond it before woke nobody.
            if ring.cursor() < wake_at {
                thread::park_timeout(wait);
            }
        }
    }

    /// Writes what is left. Returns the hand-over file if it is not needed any more.
    fn finish(&mut self) -> Option<Handover> {
        let shared = Arc::clone(&self.shared);
        let ring = shared.recorder.ring()?;
        let turn = self.flush.as_mut()?.finish(ring);
        self.lacks_older |= matches!(turn, Some(Turn::MadeAgain));
        say(turn, &shared);
        if mem::take(&mut self.lacks_older) {
            self.copy_older();
            say(self.flush.as_mut()?.run(ring), &shared);
        }
        let is_written = self.flush.as_ref()?.is_written(ring);
        if is_written { self.handover.take() } else { None }
    }

    /// Tries again until the file can be opened. `None` if it never can, or if the history ends.
    fn retry(&self, mut refused: Refused) -> Option<Opened> {
        let mut delay = FIRST_RETRY;
        let mut has_said = false;
        loop {
            let path = self.shared.place.path();
            match refused {
                Refused::NeedsWriting => delay = Duration::ZERO,
                Refused::Newer => {
                    log::warn!(
                        target: TARGET,
                        "traces are not kept over a restart: {} is of a later version and is left alone",
                        path.display()
                    );
                    self.shared.note_restored(0);
                    return None;
                }
                // Said at the second time: a process that has just been replaced ends within a second.
                Refused::InUse if delay > FIRST_RETRY && !mem::replace(&mut has_said, true) => log::warn!(
                    target: TARGET,
                    "traces are not kept over a restart: another process uses {}; give this one a folder of its own",
                    path.display()
                ),
                Refused::Io(error) if !mem::replace(&mut has_said, true) => {
                    log::warn!(
                        target: TARGET,
                        "traces are not kept over a restart: {}: {error}; tried again every minute",
                        path.display()
                    );
                    self.shared.note_restored(0);
                }
                _ => {}
            }
            if self.sleep(delay) {
                return None;
            }
            refused = match self.shared.place.open(true) {
                Ok(opened) => {
                    if has_said {
                        log::info!(target: TARGET, "traces are kept over a restart again");
                    }
                    return Some(opened);
                }
                Err(refused) => refused,
            };
            delay = RETRY;
        }
    }

    /// Sleeps. Returns whether the history has ended.
    fn sleep(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if self.shared.has_ended() || left.is_zero() {
                return self.shared.has_ended();
            }
            thread::park_timeout(left);
        }
    }

    /// Puts the traces of earlier runs into the store. Returns the lock of the file.
    fn restore(&mut self, opened: Opened) -> fs::File {
        let Opened { mut earlier, is_memory_gone, remark, lock, flush, handover, former, .. } = opened;
        (self.flush, self.handover) = (flush, handover);
        if let Some(remark) = remark {
            log::warn!(target: TARGET, "{remark}; the traces in it are lost");
        }
        let shared = Arc::clone(&self.shared);
        if is_memory_gone {
            log::warn!(
                target: TARGET,
                "the last traces of the run before may be missing: it did not end in order, and the file in memory that had them beside {} is gone",
                shared.place.path().display()
            );
        }
        // Those that ended in this run before the file was open.
        let before = shared.store.get_recent(usize::MAX);
        let restored = match read(&mut earlier, &shared.store) {
            Ok(restored) => restored,
            Err(error) => {
                let path = shared.place.path();
                log::warn!(target: TARGET, "{} cannot be read: {error}; its traces are left out", path.display());
                0
            }
        };
        if let Some(ring) = shared.recorder.ring() {
            // Enough until a trace wakes this thread.
            ring.provide(2 * WAKE_BYTES);
            self.provide_from = ring.cursor();
            self.note_copied(ring);
            let first = ring.cursor();
            let missing: Vec<_> = before.into_iter().rev().filter(|record| !record.is_restored()).collect();
            for (number, record) in missing.iter().enumerate() {
                shared.recorder.copy(ring, record, first.saturating_sub((missing.len() - number) as u64));
            }
            if !former.is_empty() {
                self.move_restored(ring);
                former.iter().for_each(|path| drop(fs::remove_file(path)));
            }
        }
        shared.note_restored(restored);
        if shared.recorder.ring().is_none() {
            let path = shared.place.path();
            log::warn!(target: TARGET, "traces of this run are not kept: {} cannot be written", path.display());
        }
        lock
    }

    /// Copies restored traces into a file of another size, as many as fit into half of it.
    fn move_restored(&mut self, ring: &Ring) {
        let records = self.shared.store.get_recent(usize::MAX);
        let restored = records.iter().filter(|record| record.is_restored());
        self.copy_all(ring, restored, ring.cursor(), self.file_ring_bytes() / 2);
        self.copy_retained();
    }

    /// Copies what the store alone has into a file that was made again with the records of the hand-over file, as many as fit
    /// into half of what is left.
    fn copy_older(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (Some(ring), Some(flush), Some(handover)) = (shared.recorder.ring(), &self.flush, &self.handover)
        else {
            return;
        };
        let oldest = flush.oldest(ring);
        let in_memory = handover.file.try_clone().and_then(|file| {
            Earlier::new(file, flush.layout().of_handover(), u64::MAX)?.originals_from(oldest)
        });
        // A fault here makes copies of records that the file has. They are told by their IDs and do not count.
        let in_memory = in_memory.unwrap_or(0).saturating_sub(OUT_OF_ORDER);
        let spare = flush.layout().ring_bytes - flush.layout().of_handover().ring_bytes;
        let records = shared.store.get_recent(usize::MAX);
        self.copy_all(ring, records.iter().skip(in_memory), oldest, spare / 2);
        self.copy_retained();
    }

    /// Copies traces that are older than the position `end`, the newest first, because not all may fit. At most about
    /// `max_bytes` of them.
    fn copy_all<'a>(
        &mut self,
        ring: &Ring,
        records: impl Iterator<Item = &'a Arc<TraceRecord>>,
        end: u64,
        max_bytes: u64,
    ) {
        let begin = ring.cursor();
        for (at, record) in records.enumerate() {
            if ring.cursor() - begin > max_bytes {
                break;
            }
            // Numbers below all from the position on, in the order of the traces.
            self.copy(ring, record, end.saturating_sub(at as u64 + 1));
        }
    }

    /// Copies the errors and slowest traces, which are older than the ring, to its newest end. At most a quarter of it.
    fn copy_retained(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(ring) = shared.recorder.ring() else { return };
        let begin = ring.cursor();
        let retained = shared.store.retained();
        // Older than all that the ring still has. A trace that it has is told by its IDs, and its copy does not count.
        let oldest = begin.saturating_sub(self.file_ring_bytes());
        for (at, record) in retained.iter().rev().enumerate() {
            if ring.cursor().saturating_sub(begin) > self.file_ring_bytes() / 4 {
                break;
            }
            self.copy(ring, record, oldest.saturating_sub(at as u64 + 1));
        }
        self.note_copied(ring);
    }

    /// Appends a copy of a trace, with the `number` of an original.
    fn copy(&mut self, ring: &Ring, record: &TraceRecord, number: u64) {
        self.shared.recorder.copy(ring, record, number);
        // All copies together may be larger than the hand-over file.
        let turn = self.flush.as_mut().and_then(|flush| flush.run_if_due(ring));
        self.lacks_older |= matches!(turn, Some(Turn::MadeAgain));
        say(turn, &self.shared);
    }

    /// Notes that the retained traces are in the ring. They are copied again after a quarter of it.
    fn note_copied(&mut self, ring: &Ring) {
        self.next_copy = ring.cursor().saturating_add(self.file_ring_bytes() / 4);
    }

    fn file_ring_bytes(&self) -> u64 {
        self.flush.as_ref().map_or(0, |flush| flush.layout().ring_bytes)
    }
}

/// Logs that the disk fails or works again, or that the file was gone.
fn say(turn: Option<Turn>, shared: &Shared) {
    let path = shared.place.path();
    match turn {
        None => {}
        Some(Turn::Failed(error)) => {
            shared.recorder.note_disk(false);
            log::warn!(
                target: TARGET,
                "traces are not written to {}: {error}; the last ones stay in memory, and it is tried again every minute",
                path.display()
            );
        }
        Some(Turn::Recovered) => {
            shared.recorder.note_disk(true);
            log::info!(target: TARGET, "traces are written to {} again", path.display());
        }
        Some(Turn::MadeAgain) => {
            shared.recorder.note_disk(true);
            log::warn!(
                target: TARGET,
                "{} was removed or replaced while this process used it; it is made again with the traces that are in memory",
                path.display()
            );
        }
    }
}

/// Puts the records of files into a store.
pub(super) fn read(earlier: &mut [Earlier], store: &Store) -> io::Result<usize> {
    let mut entries = Vec::new();
    for (number, file) in earlier.iter_mut().enumerate() {
        entries.extend(file.entries(number)?);
    }
    let entries = in_order(entries);
    Ok(store.restore(entries.iter().map(|entry| earlier.get_mut(entry.file)?.unpack(entry))))
}
