//! The record of a trace: one structure for its whole life.

use std::sync::{Arc, PoisonError, Weak};

use smol_str::SmolStr;

use super::fields::Fields;
use super::marks::Marks;
#[cfg(feature = "otlp")]
use super::root_span::RootSpan;
use super::sink::Sink;
use super::slots::Slots;
use super::span_ids::SpanIds;
use super::status::{ErrorCode, Outcome, RUNNING};
use crate::clock::{self, Instant};
use crate::propagation::remote::{Caller, Remote};
use crate::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use crate::sync::{AtomicInstant, Mutex, OnceLock};
use crate::{TraceId, propagation, text};

/// A trace that has ended, as the ring keeps it.
///
/// A record never changes. It serialises to
/// `{"trace_id", "capability", "started_at", "duration_ms", "status", "spans", "dropped_spans"}`, and `"restored": true` if
/// an earlier run of the program made it. `"blocked_ms"` is there if polls [held their workers](crate#blocked-workers).
/// See [`SpanRecord`](crate::SpanRecord) for the form of a span.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// let record = trace.finish().expect("the trace has not ended yet");
/// assert_eq!(record.capability(), "llm.chat");
/// assert!(record.status().is_ok() && record.spans().is_empty());
/// ```
pub struct TraceRecord {
    pub(super) id: TraceId,
    pub(super) span_ids: SpanIds,
    /// Boxed, because most traces have no caller.
    pub(super) caller: Option<Box<Caller>>,
    /// Flags of `traceparent`: the caller's, or those of an ID that was made here.
    pub(super) flags: u8,
    pub(super) capability: SmolStr,
    pub(super) began: Instant,
    pub(super) began_unix_ns: u64,
    /// Zero while the trace runs.
    pub(super) ended: AtomicInstant,
    /// [`RUNNING`] until the trace has ended, then its [`Outcome`]. Written last, with `Release`.
    pub(super) outcome: AtomicU8,
    pub(super) failure: OnceLock<ErrorCode>,
    /// One bit for each span that was closed when the trace ended.
    pub(super) kept: [AtomicU64; 2],
    pub(super) slots: Slots,
    pub(super) fields: Mutex<Fields>,
    /// Position in the order of the store's completed traces.
    pub(super) ticket: AtomicU64,
    /// Position among the store's running traces.
    pub(super) active_key: AtomicU32,
    /// Bytes of memory, known once the trace has ended.
    pub(super) bytes: AtomicU32,
    /// Microseconds for which polls have held their workers. Changes under the lock of `fields` only.
    pub(super) blocked_us: AtomicU32,
    pub(super) limits: Limits,
    pub(super) marks: Marks,
    /// Whether an earlier run of the program made it.
    pub(super) is_restored: bool,
    /// `None` for the store of the process. That store is never dropped, so its references need no count, which all
    /// threads would change.
    pub(super) sink: Option<Weak<dyn Sink>>,
}

/// Limits of the store when the trace began.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) spans: u16,
    pub(crate) field_bytes: u16,
    /// Milliseconds for which a poll may hold its worker. 0 if polls are not measured.
    pub(crate) blocked_ms: u16,
}

impl Limits {
    /// Limits of a record that keeps nothing.
    pub(super) const NOTHING: Limits = Limits { spans: 0, field_bytes: 0, blocked_ms: 0 };
}

/// Beginning of a trace, made before its shard is locked: the first reading of the clock may take some milliseconds.
pub(crate) struct Beginning<'a> {
    remote: Remote,
    capability: &'a str,
    began: Instant,
    began_unix_ns: u64,
    limits: Limits,
    sink: Option<Weak<dyn Sink>>,
}

impl<'a> Beginning<'a> {
    /// Returns a beginning at this moment. `sink` is `None` for the store of the process.
    #[inline]
    pub(crate) fn now(
        remote: Option<Remote>,
        capability: &'a str,
        limits: Limits,
        sink: Option<Weak<dyn Sink>>,
    ) -> Beginning<'a> {
        let began = clock::now();
        let began_unix_ns = clock::unix_ns(began);
        let remote = remote.unwrap_or_else(|| {
            Remote::new(TraceId::at_unix_ns(began_unix_ns)).flags(propagation::SAMPLED | propagation::RANDOM)
        });
        Beginning { remote, capability, began, began_unix_ns, limits, sink }
    }
}

/// End of a trace, as its store counts it.
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// Spans that had begun by then and are not in the record.
    pub(crate) dropped_spans: u64,
    /// Name and fields of the root span, for the exporter.
    #[cfg(feature = "otlp")]
    pub(crate) root: Option<Box<RootSpan>>,
}

/// Maximum length of a capability's name. Peers choose these names, so they may be of any length.
pub(crate) const MAX_CAPABILITY_BYTES: usize = 128;

impl TraceRecord {
    /// Begins a record, in the memory of a `spare` one that has ended if nothing else refers to it.
    ///
    /// A spare record saves an allocation, and moving the new one there: a third of the time that a trace takes.
    pub(crate) fn begin(spare: Option<Arc<TraceRecord>>, beginning: Beginning<'_>) -> Arc<TraceRecord> {
        if let Some(mut record) = spare
            && let Some(unshared) = Arc::get_mut(&mut record)
        {
            unshared.renew(beginning);
            return record;
        }
        let mut record = TraceRecord::blank();
        record.renew(beginning);
        Arc::new(record)
    }

    /// Returns a record of no trace, which has ended.
    pub(super) fn blank() -> TraceRecord {
        TraceRecord {
            id: TraceId::LEAST,
            span_ids: SpanIds::from_seed(0),
            caller: None,
            flags: 0,
            capability: SmolStr::default(),
            began: Instant::ZERO,
            began_unix_ns: 0,
            ended: AtomicInstant::new(Instant::ZERO),
            outcome: AtomicU8::new(RUNNING),
            failure: OnceLock::new(),
            kept: std::array::from_fn(|_| AtomicU64::new(0)),
            slots: Slots::restored(0),
            fields: Mutex::new(Fields::default()),
            ticket: AtomicU64::new(0),
            active_key: AtomicU32::new(0),
            bytes: AtomicU32::new(0),
            blocked_us: AtomicU32::new(0),
            limits: Limits::NOTHING,
            marks: Marks::default(),
            is_restored: false,
            sink: None,
        }
    }

    /// Asks for the fields of a record that the next trace takes over. To be called some time after the record itself was
    /// asked for.
    pub(crate) fn prefetch_fields(&mut self) {
        self.fields.get_mut().unwrap_or_else(PoisonError::into_inner).prefetch();
    }

    /// Makes this the record of another trace.
    fn renew(&mut self, beginning: Beginning<'_>) {
        // Each member by its name, so that none of the trace before stays.
        let TraceRecord {
            id,
            span_ids,
            caller,
            flags,
            capability,
            began,
            began_unix_ns,
            ended,
            outcome,
            failure,
            kept,
            slots,
            fields,
            ticket,
            active_key,
            bytes,
            blocked_us,
            limits,
            marks,
            is_restored,
            sink,
        } = self;
        (*id, *flags, *caller) = (beginning.remote.id, beginning.remote.flags, beginning.remote.caller);
        *span_ids = SpanIds::random();
        // Most traces of a shard have one of a few capabilities.
        if capability != beginning.capability {
            *capability = text::bounded(beginning.capability, MAX_CAPABILITY_BYTES);
        }
        (*began, *began_unix_ns) = (beginning.began, beginning.began_unix_ns);
        *ended = AtomicInstant::new(Instant::ZERO);
        *outcome = AtomicU8::new(RUNNING);
        *failure = OnceLock::new();
        *kept = std::array::from_fn(|_| AtomicU64::new(0));
        slots.clear();
        fields.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        *ticket = AtomicU64::new(0);
        *active_key = AtomicU32::new(0);
        *bytes = AtomicU32::new(0);
        *blocked_us = AtomicU32::new(0);
        *limits = beginning.limits;
        *marks = Marks::default();
        *is_restored = false;
        *sink = beginning.sink;
    }

    /// Returns the ID of the trace.
    pub fn trace_id(&self) -> TraceId {
        self.id
    }

    /// Returns the name of the requested capability, such as `llm.chat`; at most 128 bytes. Untrusted text.
    pub fn capability(&self) -> &str {
        &self.capability
    }
}
