//! State that callers and the writer share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use crate::clock::Clock;
use crate::files::DayFiles;
use crate::journal::arena::Arena;
use crate::queue::Queue;
use crate::writer::recovery::Recovered;

/// Queue, clock, settings and numbers of one pipeline.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    /// Day files that the writer changes over to before its next turn.
    pub(crate) next_files: Mutex<Option<DayFiles>>,
    pub(crate) counts: Counts,
    pub(crate) queue_bytes: AtomicUsize,
    max_wait_ms: AtomicU64,
    /// A message has said that lines are only in memory.
    pub(crate) warned_of_memory: AtomicBool,
    /// The process is ending. Callers wait for each further line.
    pub(crate) ended: AtomicBool,
    held_back: OnceLock<HeldBack>,
}

/// Lines that a rate limit holds back, as far as the writer has to know them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldBack {
    /// Returns whether numbers of such lines are still to be reported.
    pub(crate) is_any: fn() -> bool,
    /// Reports the numbers that are due.
    pub(crate) report: fn(),
}

/// Numbers that the writer keeps. They are independent of each other, so all accesses are relaxed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) recovered: AtomicU64,
    pub(crate) torn: AtomicU64,
    pub(crate) crash_safe: AtomicBool,
}

impl Shared {
    pub(crate) fn new(arena: Arena, clock: Clock, queue_bytes: usize, max_wait: Duration) -> Shared {
        let in_memory = arena.file().is_none();
        Shared {
            queue: Queue::new(arena),
            clock,
            next_files: Mutex::default(),
            counts: Counts { crash_safe: AtomicBool::new(!in_memory), ..Counts::default() },
            queue_bytes: AtomicUsize::new(queue_bytes),
            max_wait_ms: AtomicU64::new(millis(max_wait)),
            warned_of_memory: AtomicBool::new(in_memory),
            ended: AtomicBool::new(false),
            held_back: OnceLock::new(),
        }
    }

    /// Sets what the writer reports. The first call counts.
    pub(crate) fn set_held_back(&self, held_back: HeldBack) {
        let _ = self.held_back.set(held_back);
    }

    /// Returns what the writer has to report; `None` if no line is held back.
    pub(crate) fn held_back(&self) -> Option<HeldBack> {
        self.held_back.get().copied().filter(|held_back| (held_back.is_any)())
    }

    /// Time that a caller waits for room in the queue.
    #[inline]
    pub(crate) fn max_wait(&self) -> Duration {
        Duration::from_millis(self.max_wait_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn set_max_wait(&self, wait: Duration) {
        self.max_wait_ms.store(millis(wait), Ordering::Relaxed);
    }
}

impl Counts {
    pub(crate) fn add_recovered(&self, recovered: Recovered) {
        self.recovered.fetch_add(recovered.lines, Ordering::Relaxed);
        self.torn.fetch_add(recovered.torn, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
