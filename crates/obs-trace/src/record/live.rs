//! A record while its trace runs: spans, fields, failure, and the end.

use std::sync::Arc;
#[cfg(feature = "rt")]
use std::time::Duration;

use super::done_fields::DoneFields;
use super::slots::Begun;
use super::status::{MAX_CODE_BYTES, Outcome, RUNNING};
use super::{End, ErrorCode, SpanIndex, TraceRecord, Value, done_line};
use crate::clock;
use crate::propagation::{self, remote::Caller};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::lock;
use crate::text;

/// Key of the field that marks a failed span.
pub(crate) const ERROR_FIELD: &str = "error";

/// Value of [`ERROR_FIELD`] for a span whose future was dropped before its end.
pub(crate) const CANCELLED: &str = "cancelled";

/// Key of the field with the text of an error.
pub(crate) const CAUSE_FIELD: &str = "cause";

/// Maximum length of the name of an exported root span. A method is put before the template of a route, which is part of
/// the capability and has at most 128 bytes there.
const MAX_ROOT_NAME_BYTES: usize = 160;

/// Key of the field with the milliseconds for which polls of a span held their workers.
#[cfg(feature = "rt")]
const BLOCKED_FIELD: &str = "blocked_ms";

impl TraceRecord {
    /// Counts one more span. Keeps it if it has a slot and the trace still runs.
    #[inline]
    pub(crate) fn begin_span(&self, name: &'static str, parent: Option<SpanIndex>) -> Option<SpanIndex> {
        match self.slots.begin(usize::from(self.limits.spans), name, parent) {
            Begun::Kept(span) => Some(span),
            Begun::Unkept => None,
            Begun::Late => {
                self.with_sink(|sink| sink.count_late_span());
                None
            }
        }
    }

    #[inline]
    pub(crate) fn close_span(&self, span: SpanIndex) {
        self.slots.close(span);
    }

    /// Returns the parent of a span, open or closed.
    pub(crate) fn parent_of(&self, span: SpanIndex) -> Option<SpanIndex> {
        self.slots.parent(span)
    }

    pub(crate) fn set_field(&self, span: SpanIndex, key: &'static str, mut value: Value) {
        value.bound(usize::from(self.limits.field_bytes));
        let mut fields = lock(&self.fields);
        // Checked under the lock that `end` takes after the trace has ended, so a record does not change afterwards.
        if self.is_ended() || !fields.set(span, key, value) {
            self.with_sink(|sink| sink.count_dropped_field());
        }
    }

    pub(crate) fn field(&self, span: SpanIndex, key: &str) -> Option<Value> {
        let fields = lock(&self.fields);
        fields.of(span.get()).find(|(known, _)| *known == key).map(|(_, value)| value.clone())
    }

    /// Marks a span as failed, unless it is marked already: the first mark is the nearest to the cause.
    pub(crate) fn fail_span(&self, span: SpanIndex, code: &str) {
        let mut value = Value::from(code);
        value.bound(usize::from(self.limits.field_bytes));
        let mut fields = lock(&self.fields);
        // Under the lock, as in `set_field`. A span that ends late has no field to lose.
        if !self.is_ended() && !fields.has(span, ERROR_FIELD) && !fields.set(span, ERROR_FIELD, value) {
            self.with_sink(|sink| sink.count_dropped_field());
        }
    }

    pub(crate) fn set_done_field(&self, key: &'static str, mut value: Value) {
        value.bound(usize::from(self.limits.field_bytes));
        let mut fields = lock(&self.fields);
        // Under the lock, as in `set_field`.
        if self.is_ended() || !fields.set_done(key, value) {
            self.with_sink(|sink| sink.count_dropped_field());
        }
    }

    /// Sets a field of the exported root span. Does nothing while no exporter is connected.
    pub(crate) fn set_root_field(&self, key: &'static str, value: impl FnOnce() -> Value) {
        if !self.is_exported() {
            return;
        }
        let mut value = value();
        value.bound(usize::from(self.limits.field_bytes));
        let mut fields = lock(&self.fields);
        // Under the lock, as in `set_field`.
        if self.is_ended() || !fields.root_mut().fields.set(key, value) {
            self.with_sink(|sink| sink.count_dropped_field());
        }
    }

    /// Names the exported root span. Does nothing while no exporter is connected.
    pub(crate) fn set_root_name(&self, name: &str) {
        if !self.is_exported() {
            return;
        }
        let mut fields = lock(&self.fields);
        // Under the lock, as in `set_field`.
        if !self.is_ended() {
            fields.root_mut().name = Some(text::bounded(name, MAX_ROOT_NAME_BYTES));
        }
    }

    fn is_exported(&self) -> bool {
        let mut is_exported = false;
        self.with_sink(|sink| is_exported = sink.is_exporting());
        is_exported
    }

    /// Returns whether polls in the trace are measured.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        cfg!(feature = "rt") && self.limits.blocked_ms > 0
    }

    /// Sets the error code. The first call counts, because it is the nearest to the cause.
    pub(crate) fn fail(&self, code: &str) {
        if !self.is_ended() {
            self.failure.get_or_init(|| ErrorCode(text::bounded(code, MAX_CODE_BYTES)));
        }
    }

    /// Returns how long a poll may hold its worker. `None` if polls are not measured.
    #[cfg(feature = "rt")]
    pub(crate) fn blocked_threshold(&self) -> Option<Duration> {
        self.is_watched().then(|| Duration::from_millis(self.limits.blocked_ms.into()))
    }

    /// Notes that a poll held its worker, and in which span.
    #[cfg(feature = "rt")]
    pub(crate) fn note_blocked(&self, span: Option<SpanIndex>, held: Duration) {
        self.with_sink(|sink| sink.count_blocked_poll());
        let mut fields = lock(&self.fields);
        // Under the lock, as in `set_field`.
        if self.is_ended() {
            return;
        }
        let us = u32::try_from(held.as_micros()).unwrap_or(u32::MAX);
        // Relaxed: the lock orders the changes. A reader of a running trace may see the sum of before.
        let before = self.blocked_us.load(Ordering::Relaxed);
        self.blocked_us.store(before.saturating_add(us), Ordering::Relaxed);
        if let Some(span) = span
            && !fields.add(span, BLOCKED_FIELD, clock::ms(held))
        {
            self.with_sink(|sink| sink.count_dropped_field());
        }
    }

    /// Returns the name of a span that has begun.
    #[cfg(feature = "rt")]
    pub(crate) fn span_name(&self, span: SpanIndex) -> &'static str {
        self.slots.name(span).name()
    }

    /// Notes that another node was told the span's ID.
    pub(crate) fn mark_client(&self, span: SpanIndex) {
        self.slots.mark_client(span);
    }

    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.slots.has_ended()
    }

    /// Ends the trace, and returns its record. `None` if it has ended already.
    pub(crate) fn finish(self: &Arc<Self>, outcome: Outcome) -> Option<Arc<TraceRecord>> {
        self.finish_once(outcome).then(|| Arc::clone(self))
    }

    /// Ends the trace: hands it to its store and logs `done`. Returns `false` if it has ended already.
    pub(crate) fn finish_once(self: &Arc<Self>, outcome: Outcome) -> bool {
        let Some((end, fields)) = self.end(outcome) else { return false };
        self.with_sink(|sink| sink.complete(self, end));
        done_line::log(self, fields.as_deref());
        if let Some(fields) = fields {
            fields.give_back();
        }
        true
    }

    /// Fixes the record, and returns the fields of the line `done` beside its end. `None` if the trace has ended already.
    fn end(&self, outcome: Outcome) -> Option<(End, Option<Box<DoneFields>>)> {
        // One atomic change decides who ends the trace, and on which side of the end each span is.
        let begun = self.slots.end()?;
        let outcome = match outcome {
            Outcome::Ok if self.failure.get().is_some() => Outcome::Failed,
            outcome => outcome,
        };
        // `set_field` sees the end under this lock, so no field changes after it is free again.
        let mut fields = lock(&self.fields);
        let (field_bytes, done_fields) = (fields.heap_bytes(), fields.take_done());
        #[cfg(feature = "otlp")]
        let root = fields.take_root();
        drop(fields);
        // Relaxed: the stores up to `outcome` are published by its `Release`. Readers that got the record from a store
        // are ordered by the lock of its shard as well.
        self.bytes.store(self.bytes_with(field_bytes), Ordering::Relaxed);
        // Spans that close from here on are not in the record: a bit is decided once.
        let kept = self.slots.closed();
        self.kept[0].store(kept as u64, Ordering::Relaxed);
        self.kept[1].store((kept >> 64) as u64, Ordering::Relaxed);
        // Relaxed: see above. `duration` reads it alone and needs no other data.
        self.ended.store(clock::now(), Ordering::Relaxed);
        // Release: a reader that sees the outcome (`Acquire`) sees the whole record.
        self.outcome.store(outcome as u8, Ordering::Release);
        let end = End {
            outcome,
            dropped_spans: begun - u64::from(kept.count_ones()),
            #[cfg(feature = "otlp")]
            root,
        };
        Some((end, done_fields))
    }

    /// Returns the bytes of memory of the record, given those of its fields.
    pub(super) fn bytes_with(&self, field_bytes: usize) -> u32 {
        let capability_bytes = if self.capability.is_heap_allocated() { self.capability.len() } else { 0 };
        let caller_bytes = self.caller.as_ref().map_or(0, |caller| caller.heap_bytes());
        let bytes = size_of::<TraceRecord>()
            + self.slots.heap_bytes()
            + field_bytes
            + capability_bytes
            + caller_bytes;
        bytes as u32
    }

    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// Returns whether the caller said that it did not record the trace.
    pub(crate) fn is_unsampled(&self) -> bool {
        self.flags & propagation::SAMPLED == 0
    }

    /// Returns the flags for a server that is called on behalf of this trace.
    pub(crate) fn outgoing_flags(&self) -> u8 {
        // This node records every trace, so the flag is set unless the trace is left out of the export.
        if self.is_unsampled() && self.leaves_unsampled() {
            return self.flags;
        }
        self.flags | propagation::SAMPLED
    }

    fn leaves_unsampled(&self) -> bool {
        let mut leaves = false;
        self.with_sink(|sink| leaves = sink.exports_only_sampled());
        leaves
    }

    /// Returns the position in the order of completed traces, for the store to set.
    pub(crate) fn ticket(&self) -> &AtomicU64 {
        &self.ticket
    }

    /// Returns the position among the running traces, for the store to set.
    pub(crate) fn active_key(&self) -> &AtomicU32 {
        &self.active_key
    }

    /// Returns whether all of the record is written.
    pub(crate) fn is_fixed(&self) -> bool {
        // Acquire: pairs with the `Release` in `end`, so `kept` and `ended` are final.
        self.outcome.load(Ordering::Acquire) != RUNNING
    }

    /// Returns a record that ended after this many nanoseconds.
    #[cfg(all(test, not(obs_loom)))]
    pub(crate) fn ended_after(nanos: u64, capability: &str, outcome: Outcome) -> Arc<TraceRecord> {
        let limits = super::Limits::NOTHING;
        let record = TraceRecord::begin(None, super::Beginning::now(None, capability, limits, None));
        record.end(outcome);
        let ended = record.began.checked_add(std::time::Duration::from_nanos(nanos)).unwrap_or(record.began);
        record.ended.store(ended, Ordering::Relaxed);
        record
    }
}

/// Ends a trace whose last handle is gone.
impl Drop for TraceRecord {
    fn drop(&mut self) {
        if !self.is_ended() {
            // The store takes a counted reference, and the one of `self` is gone. So its contents move to a new record.
            Arc::new(std::mem::replace(self, TraceRecord::blank())).finish_once(Outcome::of_drop());
        }
    }
}
