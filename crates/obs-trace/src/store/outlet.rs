//! Connection from a store to its exporter, if there is one.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use crate::TraceRecord;
use crate::record::RootSpan;

/// Queue of an exporter, as the store sees it.
pub(crate) trait Export: Send + Sync {
    /// Takes a trace that has ended, or counts it. Does not wait.
    fn offer(&self, record: &Arc<TraceRecord>, root: Option<Box<RootSpan>>);

    /// Returns whether traces that their caller did not sample are not exported.
    fn only_sampled(&self) -> bool;
}

#[derive(Default)]
pub(crate) struct Outlet {
    /// Whether `queue` is set. Read first, so that a node without an exporter takes no lock.
    is_open: AtomicBool,
    only_sampled: AtomicBool,
    // Both flags are written while this lock is held for writing.
    queue: RwLock<Option<Arc<dyn Export>>>,
}

impl Outlet {
    #[inline]
    pub(crate) fn offer(&self, record: &Arc<TraceRecord>, root: Option<Box<RootSpan>>) {
        // Relaxed: a trace that ends while an exporter connects may go either way. The lock publishes the queue.
        if self.is_open.load(Ordering::Relaxed)
            && let Some(queue) = &*self.queue.read().unwrap_or_else(|poison| poison.into_inner())
        {
            queue.offer(record, root);
        }
    }

    /// Returns whether an exporter is connected.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        // Relaxed: as in `offer`.
        self.is_open.load(Ordering::Relaxed)
    }

    /// Returns whether traces that their caller did not sample are not exported.
    pub(crate) fn only_sampled(&self) -> bool {
        // Relaxed: a flag of its own.
        self.only_sampled.load(Ordering::Relaxed)
    }

    /// Sends traces into `queue` from here on, and no longer into the one before.
    pub(crate) fn connect(&self, queue: Arc<dyn Export>) {
        let mut connected = self.queue.write().unwrap_or_else(|poison| poison.into_inner());
        // Relaxed: written under the lock. A trace that misses the change goes the way that was right just before.
        self.only_sampled.store(queue.only_sampled(), Ordering::Relaxed);
        *connected = Some(queue);
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Sends no more traces into `queue`. Another queue that was connected after it stays.
    pub(crate) fn disconnect(&self, queue: &Arc<dyn Export>) {
        let mut connected = self.queue.write().unwrap_or_else(|poison| poison.into_inner());
        // Addresses alone: the same queue may have two vtables.
        if connected
            .as_ref()
            .is_some_and(|connected| ptr::addr_eq(Arc::as_ptr(connected), Arc::as_ptr(queue)))
        {
            *connected = None;
            // Relaxed: as in `connect`.
            self.is_open.store(false, Ordering::Relaxed);
            self.only_sampled.store(false, Ordering::Relaxed);
        }
    }
}
