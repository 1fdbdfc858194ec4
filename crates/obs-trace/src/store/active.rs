//! Traces that have begun and not ended.

use std::sync::{Arc, Weak};

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use crate::{Trace, TraceRecord, clock};

/// Running traces of one shard, in a slab whose free places are used again.
///
/// The references are weak: a trace whose handles are all dropped must end.
#[derive(Default)]
pub(super) struct Running {
    traces: Vec<Option<Weak<TraceRecord>>>,
    free: Vec<u32>,
}

impl Running {
    /// Inserts a trace and returns its index.
    pub(super) fn insert(&mut self, record: &Arc<TraceRecord>) -> u32 {
        let weak = Some(Arc::downgrade(record));
        match self.free.pop() {
            Some(index) => {
                self.traces[index as usize] = weak;
                index
            }
            None => {
                self.traces.push(weak);
                self.traces.len() as u32 - 1
            }
        }
    }

    pub(super) fn remove(&mut self, index: u32) {
        // `take` makes a second removal harmless. It would put the index into `free` twice.
        if self.traces.get_mut(index as usize).and_then(Option::take).is_some() {
            self.free.push(index);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Trace> {
        self.traces.iter().flatten().filter_map(Weak::upgrade).map(Trace)
    }

    pub(super) fn len(&self) -> usize {
        self.traces.len() - self.free.len()
    }
}

/// A trace that was running when [`active`](crate::active) was called.
///
/// It serialises to `{"trace_id", "capability", "started_at", "elapsed_ms", "status", "spans"}`. The spans are those that
/// have ended so far, in the form of [`SpanRecord`](crate::SpanRecord).
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// let active = obs_trace::active();
/// assert!(active.iter().any(|active| active.trace().id() == trace.id()));
/// ```
#[derive(Clone, Debug)]
pub struct ActiveTrace {
    trace: Trace,
}

impl ActiveTrace {
    pub(super) fn new(trace: Trace) -> ActiveTrace {
        ActiveTrace { trace }
    }

    /// Returns the trace itself.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl Serialize for ActiveTrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = &self.trace.0;
        let mut active = serializer.serialize_struct("ActiveTrace", 6)?;
        active.serialize_field("trace_id", &record.trace_id())?;
        active.serialize_field("capability", record.capability())?;
        active.serialize_field("started_at", &record.started_at_text())?;
        active.serialize_field("elapsed_ms", &clock::ms(record.duration()))?;
        active.serialize_field("status", &record.status())?;
        active.serialize_field("spans", &record.spans())?;
        active.end()
    }
}
