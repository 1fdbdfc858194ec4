//! A record as readers see it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use super::status::{Outcome, RUNNING};
use super::{SpanIndex, SpanRecord, Status, TraceRecord};
use crate::SpanId;
use crate::clock::{self, Instant};
use crate::sync::atomic::Ordering;
use crate::sync::lock;

impl TraceRecord {
    /// Returns the ID that other systems know the trace's root span by.
    pub fn span_id(&self) -> SpanId {
        self.span_id_of(None)
    }

    /// Returns the ID of a span, or of the trace's root span for `None`.
    pub(crate) fn span_id_of(&self, span: Option<SpanIndex>) -> SpanId {
        self.span_ids.of(span)
    }

    /// Returns the span of another node that is the trace's parent, if the request named one.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.caller().map(|caller| caller.span_id)
    }

    /// Returns the time of the trace's beginning by the wall clock.
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

    /// Returns the time from the beginning of the trace to its end.
    pub fn duration(&self) -> Duration {
        // Relaxed: zero or the final value. Nothing else is read by it.
        match self.ended.load(Ordering::Relaxed) {
            Instant::ZERO => clock::between(self.began, clock::now()),
            ended => clock::between(self.began, ended),
        }
    }

    /// Returns the time for which polls of the trace held their workers, each of them for longer than
    /// [`Config::blocked_worker_ms`](crate::Config::blocked_worker_ms).
    ///
    /// A span with such polls has the milliseconds in its field `blocked_ms`. The JSON of the record and the line `done` have
    /// them under the same name, unless there were none. Zero for a trace of an earlier run, whose spans still have theirs.
    pub fn blocked(&self) -> Duration {
        // Relaxed: final once the trace has ended, and nothing else is read by it.
        Duration::from_micros(self.blocked_us.load(Ordering::Relaxed).into())
    }

    /// Returns how the trace ended.
    pub fn status(&self) -> Status {
        // Acquire: pairs with the `Release` in `end`. The code was set before the trace ended as failed.
        let outcome = self.outcome.load(Ordering::Acquire);
        let failed = outcome == Outcome::Failed as u8 || outcome == RUNNING;
        match self.failure.get() {
            Some(code) if failed => Status::Failed(code.clone()),
            _ if outcome == Outcome::Cancelled as u8 => Status::Cancelled,
            _ if outcome == Outcome::Panic as u8 => Status::Panic,
            _ => Status::Ok,
        }
    }

    /// Returns whether the trace ended otherwise than well.
    pub(crate) fn has_failed(&self) -> bool {
        // Acquire: as in `status`.
        self.outcome.load(Ordering::Acquire) != Outcome::Ok as u8
    }

    /// Returns the spans that had ended before the trace did, in the order of their beginnings.
    ///
    /// For a trace that still runs these are the spans that have ended so far.
    pub fn spans(&self) -> Vec<SpanRecord> {
        let kept = if self.is_fixed() { self.kept() } else { self.slots.closed() };
        // Held for all spans, so that the list is of one moment.
        let fields = lock(&self.fields);
        ones(kept)
            .filter_map(|index| {
                let span = self.slots.read(index)?;
                Some(SpanRecord {
                    id: self.span_ids.of(SpanIndex::of_slot(index as u64)),
                    is_client: span.is_client,
                    name: span.name.name(),
                    parent: self
                        .kept_ancestor(span.parent, kept)
                        // Position in the list: the number of kept spans before it.
                        .map(|index| (kept & ((1 << index) - 1)).count_ones() as usize),
                    start: clock::between(self.began, span.begin),
                    duration: clock::between(span.begin, span.end),
                    fields: fields.of(index).map(|(key, value)| (key, value.clone())).collect(),
                })
            })
            .collect()
    }

    /// Returns the nearest enclosing span that is in the record.
    pub(super) fn kept_ancestor(&self, mut span: Option<SpanIndex>, kept: u128) -> Option<usize> {
        while let Some(index) = span {
            if kept >> index.get() & 1 == 1 {
                return Some(index.get());
            }
            span = self.slots.parent(index);
        }
        None
    }

    /// Returns whether the trace ended in an earlier run of the program and was [restored](crate::Store::restore).
    pub fn is_restored(&self) -> bool {
        self.is_restored
    }

    /// Returns the number of spans in the record.
    pub fn span_count(&self) -> usize {
        self.kept().count_ones() as usize
    }

    /// Returns the number of spans that began and are not in the record.
    ///
    /// They had no slot, or the trace ended before them. The number is exact. It grows when a span begins after the
    /// end.
    pub fn dropped_spans(&self) -> u64 {
        self.slots.begun() - u64::from(self.kept().count_ones())
    }

    /// Returns the bytes of memory that the record takes, known once it has ended.
    pub(crate) fn bytes(&self) -> usize {
        // Relaxed: stores read it under the lock of a shard, after `complete` has taken the same lock.
        self.bytes.load(Ordering::Relaxed) as usize
    }

    pub(super) fn kept(&self) -> u128 {
        // Relaxed: zero while the trace runs. Callers that need the final bits ask `is_fixed` first, or got the record
        // from its store.
        u128::from(self.kept[1].load(Ordering::Relaxed)) << 64
            | u128::from(self.kept[0].load(Ordering::Relaxed))
    }
}

/// Positions of the bits that are set, from the lowest.
pub(super) fn ones(mut bits: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let position = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        // Clears the lowest bit that is set.
        bits &= bits - 1;
        Some(position)
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

impl TraceRecord {
    /// Serialises the members before the spans.
    pub(super) fn serialize_head<S: SerializeStruct>(&self, record: &mut S) -> Result<(), S::Error> {
        record.serialize_field("trace_id", &self.id)?;
        record.serialize_field("capability", self.capability())?;
        record.serialize_field("started_at", &self.started_at_text())?;
        record.serialize_field("duration_ms", &clock::ms(self.duration()))?;
        record.serialize_field("status", &self.status())?;
        // Absent otherwise, so that most records have the short form.
        match self.blocked() {
            Duration::ZERO => record.skip_field("blocked_ms")?,
            blocked => record.serialize_field("blocked_ms", &clock::ms(blocked))?,
        }
        // Absent otherwise, so that the form of a run's own traces is the one without history.
        if self.is_restored {
            record.serialize_field("restored", &true)
        } else {
            record.skip_field("restored")
        }
    }
}

impl Serialize for TraceRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("TraceRecord", 7 + usize::from(self.is_restored))?;
        self.serialize_head(&mut record)?;
        record.serialize_field("spans", &self.spans())?;
        record.serialize_field("dropped_spans", &self.dropped_spans())?;
        record.end()
    }
}
