//! The way of a line to the day file: the callers' side.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use log::Record;

use crate::api::secret::Redactor;
use crate::backtrace::{self, Unresolved};
use crate::clock::Clock;
use crate::dispatch::thread::Caller;
use crate::files::DayFiles;
use crate::journal::arena::Arena;
use crate::journal::file::{self, File};
use crate::json::cache::names::Found;
use crate::process::at_exit;
use crate::process::stderr;
use crate::queue::Batch;
use crate::sync::lock;
use crate::ticks;
use crate::writer::Writer;
use crate::writer::recovery::{self, Recovered};

/// A queue and its writer thread.
#[derive(Debug)]
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What callers and the writer have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) batch: Batch,
    pub(crate) clock: Clock,
    /// A folder to change over to.
    pub(crate) next_files: Mutex<Option<DayFiles>>,
    pub(crate) counts: Counts,
    pub(crate) queue_bytes: AtomicUsize,
    max_wait_ms: AtomicU64,
    /// It has been said that lines wait in memory.
    pub(crate) told_of_memory: AtomicBool,
    /// The process is ending: lines that are still made are waited for one by one.
    pub(crate) ended: AtomicBool,
}

/// What the writer has done so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) recovered: AtomicU64,
    pub(crate) torn: AtomicU64,
    pub(crate) crash_safe: AtomicBool,
}

impl Counts {
    pub(crate) fn add_recovered(&self, recovered: Recovered) {
        self.recovered.fetch_add(recovered.lines, Ordering::Relaxed);
        self.torn.fetch_add(recovered.torn, Ordering::Relaxed);
    }
}

impl Pipeline {
    /// Writes what dead processes have left in the folder of `files`, and starts the writer.
    pub(crate) fn start(
        files: DayFiles,
        clock: Clock,
        queue_bytes: usize,
        max_wait: Duration,
    ) -> io::Result<Pipeline> {
        let mut files = files;
        ticks::prepare();
        let counts = Counts::default();
        // What cannot be written yet is tried again by the writer.
        let (recovered, _) = recovery::recover(&mut files);
        counts.add_recovered(recovered);
        let arena = arena_in(files.dir(), queue_bytes)?;
        let in_memory = arena.file().is_none();
        counts.crash_safe.store(!in_memory, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            batch: Batch::new(arena),
            clock,
            next_files: Mutex::default(),
            counts,
            queue_bytes: AtomicUsize::new(queue_bytes),
            max_wait_ms: AtomicU64::new(millis(max_wait)),
            told_of_memory: AtomicBool::new(in_memory),
            ended: AtomicBool::new(false),
        });
        let writer = Writer::new(Arc::clone(&shared), files);
        let thread = thread::Builder::new().name("obs-log".to_owned()).spawn(move || writer.run())?;
        Ok(Pipeline { shared, thread: Some(thread) })
    }

    /// Changes what can be changed while lines go on, after writing those that were made until now.
    pub(crate) fn change(
        &self,
        files: Option<DayFiles>,
        dir: &Path,
        queue_bytes: usize,
        max_wait: Duration,
    ) -> io::Result<()> {
        let changed = files.is_some() || queue_bytes != self.shared.queue_bytes.load(Ordering::Relaxed);
        // First, because it can fail, and nothing has changed then.
        let arena = if changed { Some(arena_in(dir, queue_bytes)?) } else { None };
        self.shared.queue_bytes.store(queue_bytes, Ordering::Relaxed);
        if let Some(mut files) = files {
            let (recovered, _) = recovery::recover(&mut files);
            self.shared.counts.add_recovered(recovered);
            self.flush(Instant::now() + Duration::from_secs(1));
            *lock(&self.shared.next_files) = Some(files);
        }
        if let Some(arena) = arena {
            self.shared.told_of_memory.store(arena.file().is_none(), Ordering::Relaxed);
            self.shared.batch.change_arena(arena);
        }
        self.shared.max_wait_ms.store(millis(max_wait), Ordering::Relaxed);
        Ok(())
    }

    /// Encodes `record` and queues its line, for this thread.
    pub(crate) fn accept(&self, caller: Caller<'_>, name: Found, record: &Record<'_>, redact: &Redactor) {
        let batch = &self.shared.batch;
        let level = record.level();
        let nanos = self.shared.clock.now_after(caller.last_look);
        // A user's code that runs while the line is encoded may fork.
        let line =
            caller.encoder.encode_as(name, nanos, record, redact).filter(|_| !at_exit::in_forked_child());
        let Some(line) = line else { return batch.count_dropped(level, 1) };
        let wait = Duration::from_millis(self.shared.max_wait_ms.load(Ordering::Relaxed));
        batch.append(caller.number, level, nanos, line, wait);
        if self.shared.ended.load(Ordering::Relaxed) {
            self.flush_once(Instant::now() + wait);
        }
    }

    /// Queues the draft of a line whose backtrace has no symbols yet.
    pub(crate) fn accept_unresolved(
        &self,
        caller: Caller<'_>,
        name: Found,
        record: &Record<'_>,
        redact: &Redactor,
        trace: &Arc<Unresolved>,
    ) {
        let batch = &self.shared.batch;
        let level = record.level();
        let nanos = self.shared.clock.now_after(caller.last_look);
        let encoded = backtrace::encode(caller.encoder, name, nanos, record, redact, trace);
        let Some((line, draft)) = encoded.filter(|_| !at_exit::in_forked_child()) else {
            return batch.count_dropped(level, 1);
        };
        let wait = Duration::from_millis(self.shared.max_wait_ms.load(Ordering::Relaxed));
        batch.append_draft(caller.number, level, nanos, &line, draft, wait);
        if self.shared.ended.load(Ordering::Relaxed) {
            self.flush_once(Instant::now() + wait);
        }
    }

    /// Writes what is queued for the last time and removes the hand-over file. What cannot be written stays in it, and
    /// is counted on stderr.
    pub(crate) fn end(&self, deadline: Instant) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if at_exit::in_forked_child() || self.flush(deadline) {
            let arena = self.shared.batch.arena();
            return arena.file().filter(|_| arena.undrained() == 0).map_or((), File::remove);
        }
        let arena = self.shared.batch.arena();
        let lines = arena.undrained();
        stderr::say(match arena.file().filter(|file| file.is_in_place()) {
            Some(file) => {
                let path = file.path().display();
                format!("{lines} lines are not written; the next start will, from {path}")
            }
            None => format!("{lines} lines are lost: they could not be written"),
        });
    }

    /// Takes [`end`](Pipeline::end) back: the writer makes a new hand-over file within a second or so.
    pub(crate) fn resume(&self) {
        self.shared.ended.store(false, Ordering::SeqCst);
        self.shared.batch.wake.hurry();
    }

    /// Waits until all lines made before are in their file; `false` at `deadline`.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        self.can_wait() && self.shared.batch.wake.flush(&self.shared.batch, deadline)
    }

    /// The same, but no longer than the writer needs to see that it cannot write now.
    pub(crate) fn flush_once(&self, deadline: Instant) -> bool {
        self.can_wait() && self.shared.batch.wake.flush_once(deadline)
    }

    /// There is a writer, and this is not its thread.
    fn can_wait(&self) -> bool {
        let own_thread =
            self.thread.as_ref().is_some_and(|writer| writer.thread().id() == thread::current().id());
        !own_thread && !at_exit::in_forked_child()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.batch.wake.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Memory for lines: a hand-over file in `dir`, or else plain memory, and a word on stderr about it.
fn arena_in(dir: &Path, bytes: usize) -> io::Result<Arena> {
    file::create(dir, bytes).or_else(|error| {
        file::warn_of_memory(dir, &error);
        Arena::in_memory(bytes)
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
