//! Where a store hands its completed traces on, if anybody exports them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use crate::TraceRecord;
use crate::otlp::queue::Queue;

#[derive(Default)]
pub(crate) struct Outlet {
    /// Read first: most nodes export nothing.
    is_open: AtomicBool,
    only_sampled: AtomicBool,
    queue: RwLock<Option<Arc<Queue>>>,
}

impl Outlet {
    #[inline]
    pub(crate) fn offer(&self, record: &Arc<TraceRecord>) {
        if self.is_open.load(Ordering::Relaxed)
            && let Some(queue) = &*self.queue.read().unwrap_or_else(|poison| poison.into_inner())
        {
            queue.offer(record);
        }
    }

    /// Whether traces that their caller did not record are not exported.
    pub(crate) fn only_sampled(&self) -> bool {
        self.only_sampled.load(Ordering::Relaxed)
    }

    /// From here on traces go into `queue`, and not where they went before.
    pub(crate) fn connect(&self, queue: &Arc<Queue>) {
        let mut connected = self.queue.write().unwrap_or_else(|poison| poison.into_inner());
        *connected = Some(Arc::clone(queue));
        self.only_sampled.store(queue.only_sampled(), Ordering::Relaxed);
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// From here on traces go nowhere, unless they go elsewhere than into `queue` already.
    pub(crate) fn disconnect(&self, queue: &Arc<Queue>) {
        let mut connected = self.queue.write().unwrap_or_else(|poison| poison.into_inner());
        if connected.as_ref().is_some_and(|connected| Arc::ptr_eq(connected, queue)) {
            *connected = None;
            self.is_open.store(false, Ordering::Relaxed);
            self.only_sampled.store(false, Ordering::Relaxed);
        }
    }
}
