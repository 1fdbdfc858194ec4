//! Where traces are while they run and after they have ended.

pub(crate) mod active;
pub(crate) mod global;
mod lane_number;
#[cfg(feature = "otlp")]
mod outlet;
pub(crate) mod query;
mod retained;
mod ring;
mod shards;
pub(crate) mod stats;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Weak};

use smol_str::SmolStr;

use crate::record::{End, Limits, MAX_CAPABILITY_BYTES};
use crate::store::active::ActiveTrace;
use crate::store::query::Query;
use crate::store::retained::{MOST_RESERVED, Retained};
use crate::store::ring::Ring;
use crate::store::shards::Lanes;
use crate::store::stats::{Counts, Stats};
use crate::{Config, Error, TraceRecord, text};

/// The ring, the kept errors and slowest traces, and the running ones.
///
/// A process has one that everything uses by itself ([`configure`](crate::configure),
/// [`get_recent`](crate::get_recent)). A test makes its own and [enters](Store::enter) it, so that
/// tests that run side by side do not see each other's traces.
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
    lanes: Lanes,
    counts: Counts,
    #[cfg(feature = "otlp")]
    outlet: outlet::Outlet,
    max_spans: AtomicUsize,
    max_field_bytes: AtomicUsize,
    config: Mutex<Config>,
    /// Capabilities with a place beside the ring, for a configuration that comes later.
    reserved: Mutex<BTreeSet<SmolStr>>,
}

impl Store {
    /// A store of its own.
    ///
    /// # Errors
    /// A bound is out of its range.
    pub fn new(config: Config) -> Result<Store, Error> {
        config.check()?;
        Ok(Store::with(config))
    }

    fn with(config: Config) -> Store {
        Store(Arc::new(Inner {
            lanes: Lanes::new(Ring::new(config.ring_capacity, config.ring_bytes), Retained::new(&config)),
            counts: Counts::default(),
            #[cfg(feature = "otlp")]
            outlet: outlet::Outlet::default(),
            max_spans: AtomicUsize::new(config.max_spans),
            max_field_bytes: AtomicUsize::new(config.max_field_bytes),
            config: Mutex::new(config),
            reserved: Mutex::default(),
        }))
    }

    /// Applies other bounds to the live store: the newest traces stay, as many as fit. The same
    /// configuration again changes nothing.
    ///
    /// # Errors
    /// A bound is out of its range; the store is unchanged.
    pub fn configure(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        let inner = &*self.0;
        let mut current = inner.config.lock().unwrap_or_else(|poison| poison.into_inner());
        if *current == *config {
            return Ok(());
        }
        let bounds = (config.ring_capacity, config.ring_bytes);
        let is_same_ring = bounds == (current.ring_capacity, current.ring_bytes);
        let retained = Retained::new(config);
        {
            let reserved = inner.reserved.lock().unwrap_or_else(|poison| poison.into_inner());
            retained.reserve(&reserved.iter().cloned().collect::<Vec<_>>());
            inner.lanes.reconfigure((!is_same_ring).then_some(bounds), retained);
        }
        inner.max_spans.store(config.max_spans, Ordering::Relaxed);
        inner.max_field_bytes.store(config.max_field_bytes, Ordering::Relaxed);
        *current = config.clone();
        Ok(())
    }

    /// Keeps errors and slowest traces of each of these capabilities by themselves, from the first call on. The first
    /// such call also ends that other names get a place when they are seen: all of them share one from then on, so that
    /// names which callers make up take no place.
    ///
    /// Only names that the program or its owner vouches for belong here. At most 1 024 are taken; those that come
    /// later are kept with the others.
    pub fn reserve(&self, capabilities: &[&str]) {
        let mut reserved = self.0.reserved.lock().unwrap_or_else(|poison| poison.into_inner());
        let names: Vec<SmolStr> =
            capabilities.iter().map(|name| text::bounded(name, MAX_CAPABILITY_BYTES)).collect();
        self.0.lanes.retained().reserve(&names);
        for name in names {
            if reserved.len() < MOST_RESERVED {
                reserved.insert(name);
            }
        }
    }

    /// The last `n` completed traces, newest first (spec §5.1).
    pub fn get_recent(&self, n: usize) -> Vec<Arc<TraceRecord>> {
        self.0.lanes.newest_first().take(n).collect()
    }

    /// The completed traces that `query` asks for, newest first; the kept errors and slowest traces
    /// of each capability are searched along with the ring (T6).
    pub fn query(&self, query: &Query) -> Vec<Arc<TraceRecord>> {
        let retained = self.0.lanes.retained().all();
        query::run(query, self.0.lanes.newest_first(), retained)
    }

    /// The traces that have begun and not ended, oldest first.
    pub fn active(&self) -> Vec<ActiveTrace> {
        self.0.lanes.running().into_iter().map(ActiveTrace::new).collect()
    }

    /// What the store has seen and holds.
    pub fn stats(&self) -> Stats {
        self.0.counts.stats(&self.0.lanes.totals())
    }

    /// Makes this the store of every trace that this thread begins, until the scope is dropped.
    ///
    /// The free functions of the crate, called on this thread, read it too. A trace stays with the
    /// store that it began in, wherever it ends; if the store is gone by then, it is not recorded.
    pub fn enter(&self) -> StoreScope {
        static SCOPES: AtomicUsize = AtomicUsize::new(1);
        let number = SCOPES.fetch_add(1, Ordering::Relaxed);
        ENTERED.with_borrow_mut(|entered| entered.push((number, self.clone())));
        ENTERED_COUNT.fetch_add(1, Ordering::Relaxed);
        StoreScope { number, not_send: PhantomData }
    }

    pub(crate) fn global() -> &'static Store {
        static GLOBAL: LazyLock<Store> = LazyLock::new(|| Store::with(Config::default()));
        &GLOBAL
    }

    /// The store that this thread has entered, if any.
    #[inline]
    pub(crate) fn entered() -> Option<Store> {
        if ENTERED_COUNT.load(Ordering::Relaxed) == 0 {
            return None;
        }
        ENTERED.try_with(|entered| entered.borrow().last().map(|(_, store)| store.clone())).ok().flatten()
    }

    pub(crate) fn current() -> Store {
        Store::entered().unwrap_or_else(|| Store::global().clone())
    }

    #[inline]
    pub(crate) fn limits(&self) -> Limits {
        let Inner { max_spans, max_field_bytes, .. } = &*self.0;
        Limits {
            spans: max_spans.load(Ordering::Relaxed) as u16,
            field_bytes: max_field_bytes.load(Ordering::Relaxed) as u16,
        }
    }

    pub(crate) fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.0))
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn outlet(&self) -> &outlet::Outlet {
        &self.0.outlet
    }

    pub(crate) fn begin(&self, record: &Arc<TraceRecord>) {
        self.0.lanes.begin(record);
    }

    pub(crate) fn complete(&self, record: &Arc<TraceRecord>, end: End) {
        self.0.counts.note_dropped(end.dropped_spans);
        self.0.lanes.complete(record, end.outcome);
        #[cfg(feature = "otlp")]
        self.0.outlet.offer(record);
    }
}

/// What a trace holds of its store, which may hold the trace.
pub(crate) struct WeakStore(Weak<Inner>);

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

static ENTERED_COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static ENTERED: RefCell<Vec<(usize, Store)>> = const { RefCell::new(Vec::new()) };
}

/// See [`Store::enter`].
///
/// ```
/// let store = obs_trace::Store::default();
/// let scope = store.enter();
/// obs_trace::new_trace("inside").finish();
/// drop(scope);
/// obs_trace::new_trace("outside").finish();
/// assert_eq!(store.get_recent(10).len(), 1);
/// ```
#[derive(Debug)]
#[must_use = "the store is left when the scope is dropped"]
pub struct StoreScope {
    number: usize,
    not_send: PhantomData<*const ()>,
}

impl Drop for StoreScope {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let place = entered.iter().position(|(number, _)| *number == self.number);
            place.map(|place| entered.remove(place))
        });
        drop(left);
        ENTERED_COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}
