//! The last completed traces, bounded in number and in bytes (T5).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::TraceRecord;

/// A ring in which each trace takes the next slot. A writer locks its slot alone and a reader one slot
/// at a time, so that a reader of the whole ring holds up nobody.
pub(crate) struct Ring {
    slots: Box<[Mutex<Option<Arc<TraceRecord>>>]>,
    /// The ticket that the next trace gets; tickets count completed traces.
    head: AtomicU64,
    /// No trace with a smaller ticket is left.
    tail: AtomicU64,
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl Ring {
    pub(crate) fn new(capacity: usize, max_bytes: usize) -> Ring {
        Ring {
            slots: (0..capacity).map(|_| Mutex::new(None)).collect(),
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            max_bytes,
        }
    }

    /// A ring of other bounds with the newest of these traces in it.
    pub(crate) fn resized(&self, capacity: usize, max_bytes: usize) -> Ring {
        let resized = Ring::new(capacity, max_bytes);
        let kept: Vec<_> = self.newest_first().take(capacity).collect();
        let next = self.completed();
        resized.head.store(next, Ordering::Relaxed);
        resized.tail.store(next.saturating_sub(capacity as u64), Ordering::Relaxed);
        for record in kept {
            resized.place(record);
        }
        resized.keep_budget();
        resized
    }

    pub(crate) fn push(&self, record: Arc<TraceRecord>) {
        record.ticket().store(self.head.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        self.place(record);
        self.keep_budget();
    }

    fn place(&self, record: Arc<TraceRecord>) {
        let bytes = record.bytes();
        let ticket = ticket(&record);
        let evicted = {
            let mut slot = lock(self.slot(ticket));
            match &*slot {
                // A writer that was held up for a whole round comes too late.
                Some(newer) if self::ticket(newer) > ticket => Some(record),
                _ => {
                    self.bytes.fetch_add(bytes, Ordering::Relaxed);
                    slot.replace(record).inspect(|old| self.forget_bytes(old))
                }
            }
        };
        drop(evicted);
    }

    fn keep_budget(&self) {
        while self.bytes.load(Ordering::Relaxed) > self.max_bytes && self.evict_oldest() {}
    }

    /// `false` if nothing is left to evict.
    fn evict_oldest(&self) -> bool {
        let head = self.completed();
        let tail = self.tail.load(Ordering::Relaxed);
        let oldest = tail.max(head.saturating_sub(self.slots.len() as u64));
        if oldest >= head {
            return false;
        }
        let is_ours = self.tail.compare_exchange(tail, oldest + 1, Ordering::Relaxed, Ordering::Relaxed);
        if is_ours.is_ok() {
            let evicted = lock(self.slot(oldest)).take_if(|record| ticket(record) == oldest);
            if let Some(evicted) = &evicted {
                self.forget_bytes(evicted);
            }
        }
        true
    }

    fn forget_bytes(&self, record: &TraceRecord) {
        self.bytes.fetch_sub(record.bytes(), Ordering::Relaxed);
    }

    /// The traces from the newest to the oldest, each looked up when it is asked for.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Arc<TraceRecord>> {
        let head = self.completed();
        let oldest = head.saturating_sub(self.slots.len() as u64).max(self.tail.load(Ordering::Relaxed));
        // A slot may have been given to a newer trace since; the ones that began after us are not asked for.
        (oldest..head).rev().filter_map(move |wanted| {
            lock(self.slot(wanted)).as_ref().filter(|record| ticket(record) == wanted).cloned()
        })
    }

    /// How many traces have been pushed, ever.
    pub(crate) fn completed(&self) -> u64 {
        self.head.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn slot(&self, ticket: u64) -> &Mutex<Option<Arc<TraceRecord>>> {
        &self.slots[(ticket % self.slots.len() as u64) as usize]
    }
}

fn ticket(record: &TraceRecord) -> u64 {
    record.ticket().load(Ordering::Relaxed)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}
