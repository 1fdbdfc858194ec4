//! The way of a line to the day file: the callers' side.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use log::Record;

use crate::batch::{Batch, lock};
use crate::clock::Clock;
use crate::day_file::DayFiles;
use crate::encode::Encoder;
use crate::exit;
use crate::local;
use crate::redact::Redactor;
use crate::writer::Writer;

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
    max_wait_ms: AtomicU64,
}

/// What the writer has done so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) write_errors: AtomicU64,
}

impl Pipeline {
    /// Starts the writer of `files`.
    pub(crate) fn start(
        files: DayFiles,
        clock: Clock,
        queue_bytes: usize,
        max_wait: Duration,
    ) -> io::Result<Pipeline> {
        let shared = Arc::new(Shared {
            batch: Batch::new(queue_bytes),
            clock,
            next_files: Mutex::default(),
            counts: Counts::default(),
            max_wait_ms: AtomicU64::new(millis(max_wait)),
        });
        let writer = Writer::new(Arc::clone(&shared), files);
        let thread = thread::Builder::new().name("obs-log".to_owned()).spawn(move || writer.run())?;
        Ok(Pipeline { shared, thread: Some(thread) })
    }

    /// Changes what can be changed while lines go on, after writing those that were made until now.
    pub(crate) fn change(&self, files: Option<DayFiles>, queue_bytes: usize, max_wait: Duration) {
        if let Some(files) = files {
            self.flush(Instant::now() + Duration::from_secs(1));
            *lock(&self.shared.next_files) = Some(files);
        }
        self.shared.batch.set_limit(queue_bytes);
        self.shared.max_wait_ms.store(millis(max_wait), Ordering::Relaxed);
    }

    /// Encodes `record` and queues its line.
    pub(crate) fn accept(&self, record: &Record<'_>, redact: &Redactor) {
        local::with(|local| {
            let nanos = self.shared.clock.now();
            self.queue(local.number, nanos, record, &mut local.encoder, redact);
        });
    }

    fn queue(
        &self,
        thread: usize,
        nanos: i64,
        record: &Record<'_>,
        encoder: &mut Encoder,
        redact: &Redactor,
    ) {
        let batch = &self.shared.batch;
        let level = record.level();
        let line = encoder.encode(nanos, record, redact).filter(|_| !exit::in_forked_child());
        let Some(line) = line else { return batch.count_dropped(level, 1) };
        let wait = Duration::from_millis(self.shared.max_wait_ms.load(Ordering::Relaxed));
        batch.append(thread, level, nanos, line, wait);
    }

    /// Waits until all lines made before are in their file; `false` at `deadline`.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        let own_thread =
            self.thread.as_ref().is_some_and(|writer| writer.thread().id() == thread::current().id());
        !own_thread && !exit::in_forked_child() && self.shared.batch.wake.flush(deadline)
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
