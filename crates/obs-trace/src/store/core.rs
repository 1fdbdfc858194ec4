//! The store itself.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock, Weak};

use smol_str::SmolStr;

use super::active::ActiveTrace;
use super::observer::{Observer, Observers};
#[cfg(feature = "otlp")]
use super::outlet::Outlet;
use super::query::{self, Query};
use super::retained::{MAX_RESERVED, Retained};
use super::ring::Ring;
use super::shards::{Mark, Shards};
use super::stats::{Counts, Stats};
use crate::clock;
use crate::propagation::remote::Remote;
use crate::record::{Beginning, End, Limits, MAX_CAPABILITY_BYTES, PeerNumber, Sink, set_global};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};
use crate::{Config, Error, TraceRecord, text};

/// The ring, the retained traces, and the running traces.
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

// Each trace changes the counts of the `Arc`, which lie in front of this structure. The alignment keeps them on cache lines
// of their own: a neighbour that another thread writes to made a trace cost a quarter more. Processors fetch two lines of 64
// bytes at a time.
#[repr(align(128))]
pub(super) struct Inner {
    shards: Shards,
    counts: Counts,
    #[cfg(feature = "otlp")]
    outlet: Outlet,
    observers: Observers,
    /// Observers of the traces that failed or have a mark.
    broken: Observers,
    /// Read by every trace that begins, so outside the lock of `config`.
    max_spans: AtomicUsize,
    max_field_bytes: AtomicUsize,
    blocked_worker_ms: AtomicUsize,
    config: Mutex<Config>,
    /// Reserved capabilities, for a later configuration to reserve again.
    reserved: Mutex<Reserved>,
    companion: std::sync::OnceLock<AssertUnwindSafe<Companion>>,
}

/// Capabilities with a place of their own.
#[derive(Default)]
struct Reserved {
    names: BTreeSet<SmolStr>,
    /// Whether no other capability gets a place.
    only: bool,
}

/// Function that opens scopes of other crates beside a store's.
pub(super) type Companion = Box<dyn Fn() -> Box<dyn Any> + Send + Sync>;

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
            observers: Observers::default(),
            broken: Observers::default(),
            max_spans: AtomicUsize::new(config.max_spans),
            max_field_bytes: AtomicUsize::new(config.max_field_bytes),
            blocked_worker_ms: AtomicUsize::new(config.blocked_worker_ms),
            config: Mutex::new(config),
            reserved: Mutex::default(),
            companion: std::sync::OnceLock::new(),
        }))
    }

    /// Applies other limits while traces run. The newest traces stay, as many as fit. The same configuration again
    /// changes nothing.
    ///
    /// # Errors
    /// A limit is out of its range. The store is unchanged.
    pub fn configure(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        clock::prepare();
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
            retained.reserve(&reserved.names.iter().cloned().collect::<Vec<_>>(), reserved.only);
            inner.shards.reconfigure((!is_same_ring).then_some(bounds), retained);
        }
        // Relaxed: a trace that begins meanwhile may have the old limits.
        inner.max_spans.store(config.max_spans, Ordering::Relaxed);
        inner.max_field_bytes.store(config.max_field_bytes, Ordering::Relaxed);
        inner.blocked_worker_ms.store(config.blocked_worker_ms, Ordering::Relaxed);
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
        self.give_places(capabilities, true);
    }

    /// Keeps errors and slowest traces of each of these capabilities separately, and leaves the other places to the names
    /// that occur, as long as [`reserve`](Store::reserve) is not called.
    ///
    /// Pass only names that the program vouches for, such as the templates of its routes. They share the 1 024 places of
    /// [`reserve`](Store::reserve).
    pub fn trust(&self, capabilities: &[&str]) {
        self.give_places(capabilities, false);
    }

    fn give_places(&self, capabilities: &[&str], only: bool) {
        let mut reserved = lock(&self.0.reserved);
        let names: Vec<SmolStr> =
            capabilities.iter().map(|name| text::bounded(name, MAX_CAPABILITY_BYTES)).collect();
        self.0.shards.retained().reserve(&names, only);
        reserved.only |= only;
        for name in names {
            if reserved.names.len() < MAX_RESERVED {
                reserved.names.insert(name);
            }
        }
    }

    /// Returns the last `n` completed traces, newest first.
    pub fn get_recent(&self, n: usize) -> Vec<Arc<TraceRecord>> {
        self.0.shards.newest_first().take(n).collect()
    }

    /// Returns the completed traces that match `query`, newest first. Searches the ring and the retained traces:
    /// errors and slowest of each capability, the last that failed, and those that other nodes marked.
    pub fn query(&self, query: &Query) -> Vec<Arc<TraceRecord>> {
        let retained = self.0.shards.retained().all();
        query::run(query, self.0.shards.newest_first(), retained)
    }

    /// Returns the retained traces, oldest first: errors and slowest of each capability, the last that failed, and those that
    /// other nodes marked.
    pub fn retained(&self) -> Vec<Arc<TraceRecord>> {
        let mut retained = self.0.shards.retained().all();
        // Relaxed: written before the trace was kept.
        retained.sort_by_key(|record| record.ticket().load(Ordering::Relaxed));
        retained.dedup_by(|one, other| Arc::ptr_eq(one, other));
        retained
    }

    /// Puts the traces of an earlier run into the store, oldest first and before all that have ended in it. `None` is a
    /// trace that could not be read. The limits of the store hold for them too.
    ///
    /// They are not counted in [`Stats::completed`], not exported, not observed, and have no line `done`. Returns how many
    /// are kept.
    ///
    /// ```
    /// use obs_trace::{NameNumbers, Store, TraceRecord};
    ///
    /// let packed = {
    ///     let earlier = Store::default();
    ///     let _scope = earlier.enter();
    ///     let record = obs_trace::new_trace("llm.chat").finish().unwrap();
    ///     let mut packed = Vec::new();
    ///     record.pack(&NameNumbers::new(|_| 1), &mut packed);
    ///     packed
    /// };
    /// let store = Store::default();
    /// assert_eq!(store.restore([TraceRecord::unpack(&packed, |_| None)].into_iter()), 1);
    /// assert!(store.get_recent(1)[0].is_restored());
    /// assert_eq!(store.stats().completed, 0);
    /// ```
    pub fn restore(&self, traces: impl ExactSizeIterator<Item = Option<TraceRecord>>) -> usize {
        self.0.shards.restore(traces)
    }

    /// Calls `observer` for each trace that ends in the store from now on, until the store is gone. Returns `false` if the
    /// store has 16 observers already.
    pub fn observe(&self, observer: Arc<dyn Observer>) -> bool {
        self.0.observers.add(observer)
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
        let Inner { max_spans, max_field_bytes, blocked_worker_ms, .. } = &*self.0;
        // Relaxed: as in `configure`. `Config::check` has made sure that they fit.
        Limits {
            spans: max_spans.load(Ordering::Relaxed) as u16,
            field_bytes: max_field_bytes.load(Ordering::Relaxed) as u16,
            blocked_ms: blocked_worker_ms.load(Ordering::Relaxed) as u16,
        }
    }

    /// Returns the store as its records hold it. Weak, because the store holds the records.
    pub(crate) fn sink(&self) -> Weak<dyn Sink> {
        let weak: Weak<Inner> = Arc::downgrade(&self.0);
        weak
    }

    /// Begins a trace whose record has `sink`.
    pub(crate) fn begin(
        &self,
        remote: Option<Remote>,
        capability: &str,
        sink: Option<Weak<dyn Sink>>,
    ) -> Arc<TraceRecord> {
        self.0.shards.begin(Beginning::now(remote, capability, self.limits(), sink))
    }

    pub(super) fn shards(&self) -> &Shards {
        &self.0.shards
    }

    pub(super) fn broken_observers(&self) -> &Observers {
        &self.0.broken
    }

    /// Marks a trace of the store in the share of `owner`. Returns `false` if it is kept already.
    pub(super) fn mark_for(&self, record: &Arc<TraceRecord>, owner: PeerNumber) -> bool {
        self.0.mark(record, owner)
    }

    pub(super) fn set_companion(&self, companion: Companion) {
        _ = self.0.companion.set(AssertUnwindSafe(companion));
    }

    pub(super) fn companion(&self) -> Option<&Companion> {
        self.0.companion.get().map(|companion| &companion.0)
    }

    pub(super) fn of(inner: Arc<Inner>) -> Store {
        Store(inner)
    }

    pub(super) fn weak(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }
}

impl Sink for Inner {
    fn complete(&self, record: &Arc<TraceRecord>, end: End) {
        if let Some(adopter) = Store::adopter(record) {
            self.shards.give_up(record);
            adopter.0.shards.adopt(record);
            return adopter.0.keep(record, end);
        }
        self.keep(record, end);
    }

    fn mark(&self, record: &Arc<TraceRecord>, peer: PeerNumber) -> bool {
        // A trace that failed here is among the failed ones, which no mark changes.
        if record.has_broken_here() {
            return false;
        }
        match self.shards.mark(record, peer, &self.counts) {
            Mark::Known => return false,
            // Its end tells the observers.
            Mark::Running => {}
            Mark::Ended => self.broken.completed(record),
        }
        self.counts.marked.add(1);
        true
    }

    fn count_late_span(&self) {
        self.counts.late_spans.add(1);
    }

    fn count_dropped_field(&self) {
        self.counts.dropped_fields.add(1);
    }

    #[cfg(feature = "rt")]
    fn count_blocked_poll(&self) {
        self.counts.blocked_polls.add(1);
    }

    #[cfg(feature = "otlp")]
    fn is_exporting(&self) -> bool {
        self.outlet.is_open()
    }

    #[cfg(not(feature = "otlp"))]
    fn is_exporting(&self) -> bool {
        false
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

impl Inner {
    /// Moves a trace of this store from the running ones to the completed ones.
    fn keep(&self, record: &Arc<TraceRecord>, end: End) {
        self.counts.note_dropped(end.dropped_spans);
        let is_broken = self.shards.complete(record, end.outcome, &self.counts);
        #[cfg(feature = "otlp")]
        self.outlet.offer(record, end.root);
        self.observers.completed(record);
        if is_broken {
            self.broken.completed(record);
        }
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
