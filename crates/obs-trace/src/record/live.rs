//! A trace as it is stored: written while it runs, fixed when it ends.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};
use smol_str::SmolStr;

use crate::clock::{self, AtomicInstant, Instant};
use crate::propagation::remote::{Caller, Remote};
use crate::record::fields::Fields;
use crate::record::slots::{Begun, Slots, SpanIndex};
use crate::record::span_ids::SpanIds;
use crate::record::status::{ErrorCode, Status};
use crate::store::{Store, WeakStore};
use crate::{SpanRecord, Trace, TraceId, Value, propagation, text};

/// A trace that has ended, as the ring keeps it (spec §5.1).
///
/// It never changes. Serialises to
/// `{"trace_id", "capability", "started_at", "duration_ms", "status", "spans", "dropped_spans"}`;
/// see [`SpanRecord`] for a span.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// let record = trace.finish().expect("nobody else has ended it");
/// assert_eq!(record.capability(), "llm.chat");
/// assert!(record.status().is_ok() && record.spans().is_empty());
/// ```
pub struct TraceRecord {
    id: TraceId,
    span_ids: SpanIds,
    caller: Option<Box<Caller>>,
    /// The flags of `traceparent`: as the caller set them, or those of an ID that was made here.
    flags: u8,
    capability: SmolStr,
    began: Instant,
    began_unix_ns: u64,
    /// Zero while the trace runs.
    ended: AtomicInstant,
    /// [`RUNNING`], and then an [`Outcome`], written last of all by whoever ended the trace.
    outcome: AtomicU8,
    failure: OnceLock<ErrorCode>,
    /// The spans that were closed when the trace ended, a bit each.
    kept: [AtomicU64; 2],
    slots: Slots,
    fields: Mutex<Fields>,
    /// Where in the order of completed traces of its store.
    ticket: AtomicU64,
    /// Where in the list of running traces of its store.
    active_key: AtomicU32,
    bytes: AtomicU32,
    limits: Limits,
    /// `None` for the store of the process, so that nobody counts references to that one.
    store: Option<WeakStore>,
}

/// What the store allowed when the trace began.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) spans: u16,
    pub(crate) field_bytes: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outcome {
    Ok,
    Failed,
    Cancelled,
    Panic,
}

/// In the place of an [`Outcome`] until the record is fixed.
const RUNNING: u8 = u8::MAX;

/// What whoever ended a trace is told.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// Spans that had begun by then and are not in the record.
    pub(crate) dropped_spans: u64,
}

impl Outcome {
    /// How many there are.
    pub(crate) const ALL: usize = Outcome::Panic as usize + 1;

    /// Of a trace that is dropped before its end.
    pub(crate) fn of_drop() -> Outcome {
        if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled }
    }
}

/// Capability names come from peers.
pub(crate) const MAX_CAPABILITY_BYTES: usize = 128;
const MAX_CODE_BYTES: usize = 64;

impl TraceRecord {
    pub(crate) fn begin(
        remote: Option<Remote>,
        capability: &str,
        limits: Limits,
        store: Option<WeakStore>,
    ) -> TraceRecord {
        let began = clock::now();
        let began_unix_ns = clock::unix_ns(began);
        let remote = remote.unwrap_or_else(|| {
            Remote::new(TraceId::at_unix_ns(began_unix_ns)).flags(propagation::SAMPLED | propagation::RANDOM)
        });
        let Remote { id, flags, caller } = remote;
        TraceRecord {
            id,
            span_ids: SpanIds::random(),
            caller,
            flags,
            capability: text::bounded(capability, MAX_CAPABILITY_BYTES),
            began,
            began_unix_ns,
            ended: AtomicInstant::new(Instant::ZERO),
            outcome: AtomicU8::new(RUNNING),
            failure: OnceLock::new(),
            kept: [const { AtomicU64::new(0) }; 2],
            slots: Slots::new(),
            fields: Mutex::new(Fields::default()),
            ticket: AtomicU64::new(0),
            active_key: AtomicU32::new(0),
            bytes: AtomicU32::new(0),
            limits,
            store,
        }
    }
}

/// What the trace's own life needs; see [`crate::Trace`] for what users call.
impl TraceRecord {
    /// Calls `f` with the store that the trace belongs to, unless that is gone.
    #[inline]
    pub(crate) fn with_store(&self, f: impl FnOnce(&Store)) {
        match &self.store {
            None => f(Store::global()),
            Some(store) => {
                if let Some(store) = store.upgrade() {
                    f(&store);
                }
            }
        }
    }

    /// Counts one more span, and keeps it if it has a place and the trace still runs.
    #[inline]
    pub(crate) fn begin_span(&self, name: &'static str, parent: Option<SpanIndex>) -> Option<SpanIndex> {
        match self.slots.begin(usize::from(self.limits.spans), name, parent) {
            Begun::Kept(span) => Some(span),
            Begun::Unkept => None,
            Begun::Late => {
                self.with_store(|store| store.counts().late_spans.add(1));
                None
            }
        }
    }

    #[inline]
    pub(crate) fn close_span(&self, span: SpanIndex) {
        self.slots.close(span);
    }

    pub(crate) fn set_field(&self, span: SpanIndex, key: &'static str, mut value: Value) {
        value.bound(usize::from(self.limits.field_bytes));
        let mut fields = self.fields.lock().unwrap_or_else(|poison| poison.into_inner());
        // Checked under the lock, so that a record is fixed once it has ended.
        if self.is_ended() || !fields.set(span, key, value) {
            self.with_store(|store| store.counts().dropped_fields.add(1));
        }
    }

    /// The first code counts: it is the one nearest to the cause.
    pub(crate) fn fail(&self, code: &str) {
        if !self.is_ended() {
            self.failure.get_or_init(|| ErrorCode(text::bounded(code, MAX_CODE_BYTES)));
        }
    }

    /// Ends the trace, unless somebody has: the one atomic change of T4.
    ///
    /// Gives how it ended to whoever ended it.
    pub(crate) fn end(&self, outcome: Outcome) -> Option<End> {
        let begun = self.slots.end()?;
        let outcome = match outcome {
            Outcome::Ok if self.failure.get().is_some() => Outcome::Failed,
            outcome => outcome,
        };
        // After this lock is free again, no field changes.
        let field_bytes = self.fields.lock().unwrap_or_else(|poison| poison.into_inner()).heap_bytes();
        let capability_bytes = if self.capability.is_heap_allocated() { self.capability.len() } else { 0 };
        let caller_bytes = self.caller.as_ref().map_or(0, |caller| caller.heap_bytes());
        let bytes = size_of::<TraceRecord>()
            + self.slots.heap_bytes()
            + field_bytes
            + capability_bytes
            + caller_bytes;
        self.bytes.store(bytes as u32, Ordering::Relaxed);
        let kept = self.slots.closed();
        self.kept[0].store(kept as u64, Ordering::Relaxed);
        self.kept[1].store((kept >> 64) as u64, Ordering::Relaxed);
        self.ended.store(clock::now(), Ordering::Relaxed);
        self.outcome.store(outcome as u8, Ordering::Release);
        Some(End { outcome, dropped_spans: begun - u64::from(kept.count_ones()) })
    }

    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.slots.has_ended()
    }

    /// Whether whoever ended the trace has written down all of it.
    fn is_fixed(&self) -> bool {
        self.outcome.load(Ordering::Acquire) != RUNNING
    }

    /// A record that has ended after so long.
    #[cfg(test)]
    pub(crate) fn ended_after(nanos: u64, capability: &str, outcome: Outcome) -> Arc<TraceRecord> {
        let record = TraceRecord::begin(None, capability, Limits { spans: 0, field_bytes: 0 }, None);
        record.end(outcome);
        record.ended.store(record.began + Duration::from_nanos(nanos), Ordering::Relaxed);
        Arc::new(record)
    }

    /// A record that has ended, to leave in the place of one that is moved out.
    pub(crate) fn vacant() -> TraceRecord {
        let vacant = TraceRecord::begin(None, "", Limits { spans: 0, field_bytes: 0 }, None);
        vacant.slots.end();
        vacant
    }

    pub(crate) fn span_ids(&self) -> SpanIds {
        self.span_ids
    }

    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// Whether the caller said that it did not record the trace.
    pub(crate) fn is_unsampled(&self) -> bool {
        self.flags & propagation::SAMPLED == 0
    }

    /// The flags that a server which is called for this trace is told.
    pub(crate) fn outgoing_flags(&self) -> u8 {
        if self.is_unsampled() && self.leaves_unsampled() {
            return self.flags;
        }
        self.flags | propagation::SAMPLED
    }

    #[cfg(feature = "otlp")]
    fn leaves_unsampled(&self) -> bool {
        let mut leaves = false;
        self.with_store(|store| leaves = store.outlet().only_sampled());
        leaves
    }

    #[cfg(not(feature = "otlp"))]
    fn leaves_unsampled(&self) -> bool {
        false
    }

    pub(crate) fn mark_client(&self, span: SpanIndex) {
        self.slots.mark_client(span);
    }

    pub(crate) fn ticket(&self) -> &AtomicU64 {
        &self.ticket
    }

    pub(crate) fn active_key(&self) -> &AtomicU32 {
        &self.active_key
    }

    /// Bytes of memory that the record takes, known once it has ended.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.outcome.load(Ordering::Acquire) != Outcome::Ok as u8
    }

    fn kept(&self) -> u128 {
        u128::from(self.kept[1].load(Ordering::Relaxed)) << 64
            | u128::from(self.kept[0].load(Ordering::Relaxed))
    }
}

/// The last handle is gone: the trace is over, whether or not somebody ended it.
impl Drop for TraceRecord {
    fn drop(&mut self) {
        if !self.is_ended() {
            Trace(Arc::new(std::mem::replace(self, TraceRecord::vacant()))).cancel();
        }
    }
}

/// What readers see.
impl TraceRecord {
    /// The ID of the trace.
    pub fn trace_id(&self) -> TraceId {
        self.id
    }

    /// What was asked for, such as `llm.chat`; at most 128 bytes. Untrusted text.
    pub fn capability(&self) -> &str {
        &self.capability
    }

    /// The ID that the trace has as a span, the root of its own: eight bytes, as other systems know it.
    pub fn span_id(&self) -> [u8; 8] {
        self.span_ids.of(None)
    }

    /// The span of another node that the trace is a child of, if its request named one.
    pub fn parent_span_id(&self) -> Option<[u8; 8]> {
        self.caller.as_ref().map(|caller| caller.span_id)
    }

    /// When the trace began, by the wall clock.
    pub fn started_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.began_unix_ns)
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn started_unix_ns(&self) -> u64 {
        self.began_unix_ns
    }

    pub(crate) fn started_at_text(&self) -> String {
        clock::rfc3339_ms(self.began_unix_ns)
    }

    /// From the beginning of the trace to its end.
    pub fn duration(&self) -> Duration {
        match self.ended.load(Ordering::Relaxed) {
            Instant::ZERO => clock::between(self.began, clock::now()),
            ended => clock::between(self.began, ended),
        }
    }

    /// How the trace ended.
    pub fn status(&self) -> Status {
        let outcome = self.outcome.load(Ordering::Acquire);
        let failed = outcome == Outcome::Failed as u8 || outcome == RUNNING;
        match self.failure.get() {
            Some(code) if failed => Status::Failed(code.clone()),
            _ if outcome == Outcome::Cancelled as u8 => Status::Cancelled,
            _ if outcome == Outcome::Panic as u8 => Status::Panic,
            _ => Status::Ok,
        }
    }

    /// The spans that had ended before the trace did, in the order in which they began.
    ///
    /// Of a trace that still runs, those that have ended so far.
    pub fn spans(&self) -> Vec<SpanRecord> {
        let kept = if self.is_fixed() { self.kept() } else { self.slots.closed() };
        let fields = self.fields.lock().unwrap_or_else(|poison| poison.into_inner());
        ones(kept)
            .filter_map(|index| {
                let span = self.slots.read(index)?;
                Some(SpanRecord {
                    id: self.span_ids.of(SpanIndex::of_slot(index as u64)),
                    is_client: span.is_client,
                    name: span.name.name(),
                    parent: self
                        .kept_ancestor(span.parent, kept)
                        .map(|index| (kept & ((1 << index) - 1)).count_ones() as usize),
                    start: clock::between(self.began, span.begin),
                    duration: clock::between(span.begin, span.end),
                    fields: fields.of(index).map(|(key, value)| (key, value.clone())).collect(),
                })
            })
            .collect()
    }

    /// The nearest enclosing span that is in the record.
    fn kept_ancestor(&self, mut span: Option<SpanIndex>, kept: u128) -> Option<usize> {
        while let Some(index) = span {
            if kept >> index.get() & 1 == 1 {
                return Some(index.get());
            }
            span = self.slots.parent(index);
        }
        None
    }

    /// How many spans the record holds.
    pub fn span_count(&self) -> usize {
        self.kept().count_ones() as usize
    }

    /// How many spans began and are not in the record: there was no place for them, or they were
    /// not over when the trace was. Exact; grows when a span begins after the end.
    pub fn dropped_spans(&self) -> u64 {
        self.slots.begun() - self.kept().count_ones() as u64
    }
}

/// The places of the bits that are set, from the lowest.
fn ones(mut bits: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(place)
    })
}

impl fmt::Debug for TraceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceRecord")
            .field("trace_id", &self.id)
            .field("capability", &self.capability)
            .field("status", &self.status())
            .field("duration", &self.duration())
            .field("spans", &self.spans())
            .field("dropped_spans", &self.dropped_spans())
            .finish_non_exhaustive()
    }
}

impl Serialize for TraceRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("TraceRecord", 7)?;
        record.serialize_field("trace_id", &self.id)?;
        record.serialize_field("capability", self.capability())?;
        record.serialize_field("started_at", &self.started_at_text())?;
        record.serialize_field("duration_ms", &clock::ms(self.duration()))?;
        record.serialize_field("status", &self.status())?;
        record.serialize_field("spans", &self.spans())?;
        record.serialize_field("dropped_spans", &self.dropped_spans())?;
        record.end()
    }
}
