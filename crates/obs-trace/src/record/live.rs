//! A record while its trace runs: spans, fields, failure, and the end.

use std::sync::Arc;

use super::done_fields::DoneFields;
use super::slots::Begun;
use super::status::{MAX_CODE_BYTES, Outcome, RUNNING};
use super::{End, ErrorCode, Limits, SpanIndex, TraceRecord, Value, done_line};
use crate::clock;
use crate::propagation::{self, remote::Caller};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::lock;
use crate::text;

/// Key of the field that marks a failed span.
pub(crate) const ERROR_FIELD: &str = "error";

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

    pub(crate) fn set_field(&self, span: SpanIndex, key: &'static str, mut value: Value) {
        value.bound(usize::from(self.limits.field_bytes));
        let mut fields = lock(&self.fields);
        // Checked under the lock that `end` takes after the trace has ended, so a record does not change afterwards.
        if self.is_ended() || !fields.set(span, key, value) {
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

    /// Sets the error code. The first call counts, because it is the nearest to the cause.
    pub(crate) fn fail(&self, code: &str) {
        if !self.is_ended() {
            self.failure.get_or_init(|| ErrorCode(text::bounded(code, MAX_CODE_BYTES)));
        }
    }

    /// Notes that another node was told the span's ID.
    pub(crate) fn mark_client(&self, span: SpanIndex) {
        self.slots.mark_client(span);
    }

    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.slots.has_ended()
    }

    /// Ends the trace: hands it to its store and logs `done`. `None` if it has ended already.
    pub(crate) fn finish(self: &Arc<Self>, outcome: Outcome) -> Option<Arc<TraceRecord>> {
        let (end, fields) = self.end(outcome)?;
        self.with_sink(|sink| sink.complete(self, end));
        done_line::log(self, fields.as_deref());
        Some(Arc::clone(self))
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
        drop(fields);
        let capability_bytes = if self.capability.is_heap_allocated() { self.capability.len() } else { 0 };
        let caller_bytes = self.caller.as_ref().map_or(0, |caller| caller.heap_bytes());
        let bytes = size_of::<TraceRecord>()
            + self.slots.heap_bytes()
            + field_bytes
            + capability_bytes
            + caller_bytes;
        // Relaxed: the stores up to `outcome` are published by its `Release`. Readers that got the record from a store
        // are ordered by the lock of its shard as well.
        self.bytes.store(bytes as u32, Ordering::Relaxed);
        // Spans that close from here on are not in the record: a bit is decided once.
        let kept = self.slots.closed();
        self.kept[0].store(kept as u64, Ordering::Relaxed);
        self.kept[1].store((kept >> 64) as u64, Ordering::Relaxed);
        // Relaxed: see above. `duration` reads it alone and needs no other data.
        self.ended.store(clock::now(), Ordering::Relaxed);
        // Release: a reader that sees the outcome (`Acquire`) sees the whole record.
        self.outcome.store(outcome as u8, Ordering::Release);
        Some((End { outcome, dropped_spans: begun - u64::from(kept.count_ones()) }, done_fields))
    }

    /// Returns a record that has ended, to leave in the place of one that is moved out.
    fn vacant() -> TraceRecord {
        let vacant = TraceRecord::begin(None, "", Limits { spans: 0, field_bytes: 0 }, None);
        vacant.slots.end();
        vacant
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
        let record = TraceRecord::begin(None, capability, Limits { spans: 0, field_bytes: 0 }, None);
        record.end(outcome);
        record.ended.store(record.began + std::time::Duration::from_nanos(nanos), Ordering::Relaxed);
        Arc::new(record)
    }
}

/// Ends a trace whose last handle is gone.
impl Drop for TraceRecord {
    fn drop(&mut self) {
        if !self.is_ended() {
            // The store takes a counted reference, and the one of `self` is gone. So its contents move to a new record.
            Arc::new(std::mem::replace(self, TraceRecord::vacant())).finish(Outcome::of_drop());
        }
    }
}
