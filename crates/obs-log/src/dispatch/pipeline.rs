//! Pipeline of a line to the day files: the queue, its writer thread, and the side of the callers.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use log::Record;

use crate::backtrace::{self, Unresolved};
use crate::clock::{self, Clock, LastReading};
use crate::config::redactor::Redactor;
use crate::files::DayFiles;
use crate::journal::{self, file::HandoverFile};
use crate::json::Encoder;
use crate::json::cache::names::NameSlot;
use crate::process::fork::in_forked_child;
use crate::process::stderr;
use crate::record::encode::{RecordEncoder, SiteSlot};
use crate::record::source::Source;
use crate::sync::lock;
use crate::writer::Writer;
use crate::writer::recovery;
use crate::writer::shared::Shared;

/// Queue with its writer thread.
#[derive(Debug)]
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// State of the thread that makes a line.
#[derive(Debug)]
pub(crate) struct Producer<'a> {
    /// Number of the thread.
    pub(crate) number: usize,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) records: &'a mut RecordEncoder,
    pub(crate) last_reading: &'a mut LastReading,
}

impl Pipeline {
    /// Writes the lines that dead processes left in the folder of `files`, and starts the writer.
    pub(crate) fn start(
        files: DayFiles,
        clock: Clock,
        queue_bytes: usize,
        max_wait: Duration,
    ) -> io::Result<Pipeline> {
        let mut files = files;
        clock::prepare();
        // Lines that cannot be written yet are tried again by the writer.
        let (recovered, _) = recovery::recover(&mut files);
        let arena = journal::create_or_fall_back(files.dir(), queue_bytes)?;
        let shared = Arc::new(Shared::new(arena, clock, queue_bytes, max_wait));
        shared.counts.add_recovered(recovered);
        let writer = Writer::new(Arc::clone(&shared), files);
        let thread = thread::Builder::new().name("obs-log".to_owned()).spawn(move || writer.run())?;
        Ok(Pipeline { shared, thread: Some(thread) })
    }

    /// Changes the settings while lines go on. Lines made before are written to the former files.
    pub(crate) fn change(
        &self,
        files: Option<DayFiles>,
        dir: &Path,
        queue_bytes: usize,
        max_wait: Duration,
    ) -> io::Result<()> {
        let changed = files.is_some() || queue_bytes != self.shared.queue_bytes.load(Ordering::Relaxed);
        // First, because it can fail, and nothing must have changed then.
        let arena = if changed { Some(journal::create_or_fall_back(dir, queue_bytes)?) } else { None };
        // Relaxed: the value stands alone. The writer reads it when it makes a new hand-over file.
        self.shared.queue_bytes.store(queue_bytes, Ordering::Relaxed);
        if let Some(mut files) = files {
            let (recovered, _) = recovery::recover(&mut files);
            self.shared.counts.add_recovered(recovered);
            // Bounded, because the former disk may be broken. Lines that are left go to the new folder.
            self.flush(Instant::now() + Duration::from_secs(1));
            *lock(&self.shared.next_files) = Some(files);
        }
        if let Some(arena) = arena {
            self.shared.warned_of_memory.store(arena.file().is_none(), Ordering::Relaxed);
            self.shared.queue.change_arena(arena);
        }
        self.shared.set_max_wait(max_wait);
        Ok(())
    }

    /// Encodes `source` and queues its line.
    pub(crate) fn accept(
        &self,
        producer: Producer<'_>,
        name: NameSlot,
        source: &impl Source,
        redact: &Redactor,
    ) {
        self.accept_within(producer, name, source, redact, self.shared.max_wait());
    }

    /// Encodes `source`, whose site is known, for the writer and queues it. Returns `false` if the line has to be rendered here.
    #[inline]
    pub(crate) fn accept_record(
        &self,
        producer: &mut Producer<'_>,
        site: SiteSlot,
        source: &impl Source,
        redact: &Redactor,
    ) -> bool {
        let nanos = self.shared.clock.now_after(producer.last_reading);
        if !producer.records.encode(site, producer.encoder, source, redact) {
            return false;
        }
        let (queue, level) = (&self.shared.queue, source.level());
        if in_forked_child() {
            queue.count_dropped(level, 1);
            return true;
        }
        let wait = self.shared.max_wait();
        let (short, line) = producer.records.last();
        let length = line.len();
        if !short.is_some_and(|short| queue.append_short(producer.number, level, nanos, short, length)) {
            queue.append(producer.number, level, nanos, line, wait);
        }
        if self.shared.ended.load(Ordering::Relaxed) {
            self.flush_once(Instant::now() + wait);
        }
        true
    }

    /// Encodes `source` and queues its line, for which it waits at most `wait`.
    // Inlined, so that the usual way has no further call.
    #[inline]
    pub(crate) fn accept_within(
        &self,
        producer: Producer<'_>,
        name: NameSlot,
        source: &impl Source,
        redact: &Redactor,
        wait: Duration,
    ) {
        let queue = &self.shared.queue;
        let level = source.level();
        let nanos = self.shared.clock.now_after(producer.last_reading);
        // Asked after the encoding, because a user's code that runs during it may fork.
        let line = source.encode(producer.encoder, name, nanos, redact).filter(|_| !in_forked_child());
        let Some(line) = line else { return queue.count_dropped(level, 1) };
        queue.append(producer.number, level, nanos, line, wait);
        // After the end, nothing else writes the line. Relaxed: a line made at the same moment belongs to the end's own flush.
        if self.shared.ended.load(Ordering::Relaxed) {
            self.flush_once(Instant::now() + wait);
        }
    }

    /// Queues the draft of a line whose backtrace has no symbols yet.
    pub(crate) fn accept_unresolved(
        &self,
        producer: Producer<'_>,
        name: NameSlot,
        record: &Record<'_>,
        redact: &Redactor,
        trace: &Arc<Unresolved>,
    ) {
        let queue = &self.shared.queue;
        let level = record.level();
        let nanos = self.shared.clock.now_after(producer.last_reading);
        let encoded = backtrace::encode(producer.encoder, name, nanos, record, redact, trace);
        let Some((line, draft)) = encoded.filter(|_| !in_forked_child()) else {
            return queue.count_dropped(level, 1);
        };
        let wait = self.shared.max_wait();
        queue.append_draft(producer.number, level, nanos, &line, draft, wait);
        if self.shared.ended.load(Ordering::Relaxed) {
            self.flush_once(Instant::now() + wait);
        }
    }

    /// Writes what is queued for the last time and removes the hand-over file. If lines cannot be written, the file stays, and
    /// a message on stderr says how many.
    pub(crate) fn end(&self, deadline: Instant) {
        // SeqCst: the writer must not make a new hand-over file after the check of the old one below.
        self.shared.ended.store(true, Ordering::SeqCst);
        if in_forked_child() || self.flush(deadline) {
            let arena = self.shared.queue.arena();
            return arena.file().filter(|_| arena.undrained() == 0).map_or((), HandoverFile::remove);
        }
        let arena = self.shared.queue.arena();
        let lines = arena.undrained();
        stderr::say(match arena.file().filter(|file| file.is_in_place()) {
            Some(file) => {
                let path = file.path().display();
                format!("{lines} lines are not written; the next start will, from {path}")
            }
            None => format!("{lines} lines are lost: they could not be written"),
        });
    }

    /// Continues after an [`end`](Pipeline::end). The writer makes a new hand-over file within about a second.
    pub(crate) fn resume(&self) {
        self.shared.ended.store(false, Ordering::SeqCst);
        self.shared.queue.hurry();
    }

    /// Waits until all lines made before are in their file. Returns `false` at `deadline`.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        self.can_wait() && self.shared.queue.flush(deadline)
    }

    /// Waits until all lines made before are in their file, or the writer has seen that it cannot write now.
    pub(crate) fn flush_once(&self, deadline: Instant) -> bool {
        self.can_wait() && self.shared.queue.flush_once(deadline)
    }

    /// Whether this process has a writer and this is not its thread.
    fn can_wait(&self) -> bool {
        let own_thread =
            self.thread.as_ref().is_some_and(|writer| writer.thread().id() == thread::current().id());
        !own_thread && !in_forked_child()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.queue.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
