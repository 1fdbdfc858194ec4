//! Observer of a store, which records each trace on the thread that ends it.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;

use obs_trace::{Observer, TraceRecord};

use super::format::{HEAD_BYTES, MAX_PACKED};
use super::ring::Ring;

/// Records traces once the file is open, until the history ends.
#[derive(Default)]
pub(super) struct Recorder {
    ring: OnceLock<Ring>,
    is_open: AtomicBool,
    /// Traces that ended while there was no file.
    missed: AtomicU64,
    /// Position from which on the keeper has something to do.
    next_wake: AtomicU64,
    keeper: OnceLock<Thread>,
    /// Whether the last write to the disk failed.
    disk_fails: AtomicBool,
    skipped_bytes: AtomicU64,
}

/// Bytes of the ring after which a busy keeper is woken again.
pub(super) const WAKE_BYTES: u64 = 32 << 10;
/// Bytes at the beginning of each of these parts in which a record wakes the keeper. Most records are shorter.
const MAX_OF_MOST: u64 = 2 << 10;

thread_local! {
    /// Buffer of a thread for the record that it packs. It keeps the size of the thread's largest record.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Recorder {
    /// Begins to record. Returns the ring.
    pub(super) fn open(&self, ring: Ring, keeper: Option<Thread>) -> Option<&Ring> {
        if let Some(keeper) = keeper {
            _ = self.keeper.set(keeper);
        }
        let is_new = self.ring.set(ring).is_ok();
        // Release: who sees it finds the ring. Kept apart from the ring, which stays while the store does.
        self.is_open.store(is_new, Ordering::Release);
        self.ring.get()
    }

    /// Stops to record.
    pub(super) fn close(&self) {
        // Relaxed: a trace that ends at this moment may be recorded or not.
        self.is_open.store(false, Ordering::Relaxed);
    }

    pub(super) fn ring(&self) -> Option<&Ring> {
        self.ring.get()
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Returns the number of traces that ended while there was no file.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Notes whether the disk takes the records.
    pub(super) fn note_disk(&self, works: bool) {
        // Relaxed: for the statistics alone, like the next one.
        self.disk_fails.store(!works, Ordering::Relaxed);
    }

    pub(super) fn note_skipped_bytes(&self, bytes: u64) {
        self.skipped_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn disk_fails(&self) -> bool {
        self.disk_fails.load(Ordering::Relaxed)
    }

    pub(super) fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes.load(Ordering::Relaxed)
    }

    /// Sets the position at which the keeper is woken.
    pub(super) fn wake_at(&self, position: u64) {
        // Relaxed: a hint, as where it is read.
        self.next_wake.store(position, Ordering::Relaxed);
    }

    /// Appends a copy of a trace, with the `number` of an original.
    pub(super) fn copy(&self, ring: &Ring, record: &TraceRecord, number: u64) {
        append(ring, record, Some(number));
    }

    #[cold]
    fn wake(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
    }
}

impl Observer for Recorder {
    #[inline]
    fn completed(&self, record: &TraceRecord) {
        // Acquire: pairs with the store in `open`.
        let ring = if self.is_open.load(Ordering::Acquire) { self.ring.get() } else { None };
        let Some(ring) = ring else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let position = append(ring, record, None);
        // Relaxed: a hint. The keeper looks itself. Once in a few hundred records, because a busy keeper may need a while to
        // set the next position.
        if position >= self.next_wake.load(Ordering::Relaxed) && position % WAKE_BYTES < MAX_OF_MOST {
            self.wake();
        }
    }
}

/// Appends a trace, or with the `number` of an original a copy of it. Returns the position after it.
#[inline]
fn append(ring: &Ring, record: &TraceRecord, number: Option<u64>) -> u64 {
    let with = |buffer: &mut Vec<u8>| {
        buffer.clear();
        buffer.resize(HEAD_BYTES, 0);
        if let Some(number) = number {
            buffer.extend_from_slice(&number.to_ne_bytes());
        }
        let head = buffer.len();
        record.pack(&ring.names, buffer);
        let length = buffer.len() - head;
        if length > MAX_PACKED {
            // No record of today's limits is so large. A reader would refuse it.
            return ring.cursor();
        }
        buffer.resize(buffer.len().next_multiple_of(8), 0);
        ring.append(buffer, length, number.is_some())
    };
    // At the end of a thread its buffer is gone.
    let done = BUFFER.try_with(|buffer| buffer.try_borrow_mut().ok().map(|mut buffer| with(&mut buffer)));
    done.ok().flatten().unwrap_or_else(|| with(&mut Vec::new()))
}
