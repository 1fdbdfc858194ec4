//! The store itself.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Weak};

use smol_str::SmolStr;

use super::active::ActiveTrace;
#[cfg(feature = "otlp")]
use super::outlet::Outlet;
use super::query::{self, Query};
use super::retained::{MAX_RESERVED, Retained};
use super::ring::Ring;
use super::shards::Shards;
use super::stats::{Counts, Stats};
use crate::record::{End, Limits, MAX_CAPABILITY_BYTES, Sink, set_global};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};
use crate::{Config, Error, TraceRecord, text};

/// The ring, the kept errors and slowest traces, and the running traces.
///
/// The process has one that everything uses by default ([`configure`](crate::configure),
/// [`get_recent`](crate::get_recent)). A test makes its own and [enters](Store::enter) it, so that tests that run side by
/// side do not see each other's traces.
///
/// ```
/// use obs_trace::{Config, Store};
///
/// let store = Store::new(Config::default().ring_capacity(2))?;
/// let _scope = store.enter();
/// for capability in ["a", "b", "c"] {
///     obs_trace::new_trace(capability).finish();
/// }
/// let recent = store.get_recent(10);
/// assert_eq!(recent.iter().map(|record| record.capability()).collect::<Vec<_>>(), ["c", "b"]);
/// # Ok::<(), obs_trace::Error>(())
/// ```
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shards: Shards,
    counts: Counts,
    #[cfg(feature = "otlp")]
    outlet: Outlet,
    /// Read by every trace that begins, so outside the lock of `config`.
    max_spans: AtomicUsize,
    max_field_bytes: AtomicUsize,
    config: Mutex<Config>,
    /// Reserved capabilities, for a later configuration to reserve again.
    reserved: Mutex<BTreeSet<SmolStr>>,
}

impl Store {
    /// Makes a store that nothing else uses.
    ///
    /// # Errors
    /// A limit is out of its range.
    pub fn new(config: Config) -> Result<Store, Error> {
        config.check()?;
        Ok(Store::with(config))
    }

    fn with(config: Config) -> Store {
        Store(Arc::new(Inner {
            shards: Shards::new(Ring::new(config.ring_capacity, config.ring_bytes), Retained::new(&config)),
            counts: Counts::default(),
            #[cfg(feature = "otlp")]
            outlet: Outlet::default(),
            max_spans: AtomicUsize::new(config.max_spans),
            max_field_bytes: AtomicUsize::new(config.max_field_bytes),
            config: Mutex::new(config),
            reserved: Mutex::default(),
        }))
    }

    /// Applies other limits while traces run. The newest traces stay, as many as fit. The same configuration again
    /// changes nothing.
    ///
    /// # Errors
    /// A limit is out of its range. The store is unchanged.
    pub fn configure(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        let inner = &*self.0;
        let mut current = lock(&inner.config);
        if *current == *config {
            return Ok(());
        }
        let bounds = (config.ring_capacity, config.ring_bytes);
        let is_same_ring = bounds == (current.ring_capacity, current.ring_bytes);
        let retained = Retained::new(config);
        {
            // Held over both steps, so that a reservation made meanwhile reaches the new `Retained`.
            let reserved = lock(&inner.reserved);
            retained.reserve(&reserved.iter().cloned().collect::<Vec<_>>());
            inner.shards.reconfigure((!is_same_ring).then_some(bounds), retained);
        }
        // Relaxed: a trace that begins meanwhile may have the old limits.
        inner.max_spans.store(config.max_spans, Ordering::Relaxed);
        inner.max_field_bytes.store(config.max_field_bytes, Ordering::Relaxed);
        *current = config.clone();
        Ok(())
    }

    /// Keeps errors and slowest traces of each of these capabilities separately, from the first call on.
    ///
    /// After the first call no other capability gets its own place. All of them share one, so that names which callers
    /// make up take no memory.
    ///
    /// Pass only names that the program or its owner vouches for. At most 1 024 are taken. Later ones share the common
    /// place.
    pub fn reserve(&self, capabilities: &[&str]) {
        let mut reserved = lock(&self.0.reserved);
        let names: Vec<SmolStr> =
            capabilities.iter().map(|name| text::bounded(name, MAX_CAPABILITY_BYTES)).collect();
        self.0.shards.retained().reserve(&names);
        for name in names {
            if reserved.len() < MAX_RESERVED {
                reserved.insert(name);
            }
        }
    }

    /// Returns the last `n` completed traces, newest first.
    pub fn get_recent(&self, n: usize) -> Vec<Arc<TraceRecord>> {
        self.0.shards.newest_first().take(n).collect()
    }

    /// Returns the completed traces that match `query`, newest first. Searches the ring and the kept errors and slowest
    /// traces of each capability.
    pub fn query(&self, query: &Query) -> Vec<Arc<TraceRecord>> {
        let retained = self.0.shards.retained().all();
        query::run(query, self.0.shards.newest_first(), retained)
    }

    /// Returns the traces that have begun and not ended, oldest first.
    pub fn active(&self) -> Vec<ActiveTrace> {
        self.0.shards.running().into_iter().map(ActiveTrace::new).collect()
    }

    /// Returns counts since the store was made, and its size now.
    pub fn stats(&self) -> Stats {
        self.0.counts.stats(&self.0.shards.totals())
    }

    pub(crate) fn global() -> &'static Store {
        static GLOBAL: LazyLock<Store> = LazyLock::new(|| {
            let store = Store::with(Config::default());
            // Records reach the store of the process by a plain reference. It lives as long as the process anyway.
            let leaked: &'static Arc<Inner> = Box::leak(Box::new(Arc::clone(&store.0)));
            set_global(&**leaked);
            store
        });
        &GLOBAL
    }

    #[inline]
    pub(crate) fn limits(&self) -> Limits {
        let Inner { max_spans, max_field_bytes, .. } = &*self.0;
        // Relaxed: as in `configure`. `Config::check` has made sure that both fit.
        Limits {
            spans: max_spans.load(Ordering::Relaxed) as u16,
            field_bytes: max_field_bytes.load(Ordering::Relaxed) as u16,
        }
    }

    /// Returns the store as its records hold it. Weak, because the store holds the records.
    pub(crate) fn sink(&self) -> Weak<dyn Sink> {
        let weak: Weak<Inner> = Arc::downgrade(&self.0);
        weak
    }

    pub(crate) fn begin(&self, record: &Arc<TraceRecord>) {
        self.0.shards.begin(record);
    }
}

impl Sink for Inner {
    fn complete(&self, record: &Arc<TraceRecord>, end: End) {
        self.counts.note_dropped(end.dropped_spans);
        self.shards.complete(record, end.outcome);
        #[cfg(feature = "otlp")]
        self.outlet.offer(record);
    }

    fn count_late_span(&self) {
        self.counts.late_spans.add(1);
    }

    fn count_dropped_field(&self) {
        self.counts.dropped_fields.add(1);
    }

    #[cfg(feature = "otlp")]
    fn exports_only_sampled(&self) -> bool {
        self.outlet.only_sampled()
    }

    #[cfg(not(feature = "otlp"))]
    fn exports_only_sampled(&self) -> bool {
        false
    }
}

#[cfg(feature = "otlp")]
impl Store {
    pub(crate) fn outlet(&self) -> &Outlet {
        &self.0.outlet
    }

    pub(crate) fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.0))
    }
}

/// Handle of a store for an exporter, which must not keep the store alive.
#[cfg(feature = "otlp")]
pub(crate) struct WeakStore(Weak<Inner>);

#[cfg(feature = "otlp")]
impl WeakStore {
    pub(crate) fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(Store)
    }
}

impl Default for Store {
    fn default() -> Store {
        Store::with(Config::default())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.stats()).finish()
    }
}
