//! The traces that have begun and not ended.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use crate::{Trace, TraceRecord, clock};

/// A list in parts, of which each thread uses one, so that threads rarely meet at a lock.
///
/// It holds no trace alive: a trace that everybody has dropped is over.
pub(crate) struct Active {
    shards: [Mutex<Shard>; SHARDS],
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Shard {
    traces: Vec<Option<Weak<TraceRecord>>>,
    free: Vec<u32>,
}

impl Active {
    pub(crate) fn new() -> Active {
        Active { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    pub(crate) fn insert(&self, record: &Arc<TraceRecord>) {
        let number = shard_of_thread();
        let weak = Some(Arc::downgrade(record));
        let mut shard = self.shard(number);
        let place = match shard.free.pop() {
            Some(place) => {
                shard.traces[place as usize] = weak;
                place
            }
            None => {
                shard.traces.push(weak);
                shard.traces.len() as u32 - 1
            }
        };
        record.active_key().store(place * SHARDS as u32 + number, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, record: &TraceRecord) {
        let key = record.active_key().load(Ordering::Relaxed);
        let (place, number) = (key / SHARDS as u32, key % SHARDS as u32);
        let mut shard = self.shard(number);
        if shard.traces.get_mut(place as usize).and_then(Option::take).is_some() {
            shard.free.push(place);
        }
    }

    /// Oldest first.
    pub(crate) fn list(&self) -> Vec<Trace> {
        let mut traces = Vec::new();
        for number in 0..SHARDS as u32 {
            traces.extend(self.shard(number).traces.iter().flatten().filter_map(Weak::upgrade).map(Trace));
        }
        traces.retain(|trace| !trace.is_ended());
        traces.sort_by_key(Trace::started_at);
        traces
    }

    pub(crate) fn len(&self) -> usize {
        (0..SHARDS as u32)
            .map(|number| self.shard(number))
            .map(|shard| shard.traces.len() - shard.free.len())
            .sum()
    }

    fn shard(&self, number: u32) -> std::sync::MutexGuard<'_, Shard> {
        self.shards[number as usize].lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

fn shard_of_thread() -> u32 {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static SHARD: Cell<Option<u32>> = const { Cell::new(None) };
    }
    SHARD.with(|shard| {
        shard.get().unwrap_or_else(|| {
            let number = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS as u32;
            shard.set(Some(number));
            number
        })
    })
}

/// A trace that was running when [`active`](crate::active) was called.
///
/// Serialises to `{"trace_id", "capability", "started_at", "elapsed_ms", "status", "spans"}`, the
/// spans being those that have ended so far, in the form of [`SpanRecord`](crate::SpanRecord).
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
    pub(crate) fn new(trace: Trace) -> ActiveTrace {
        ActiveTrace { trace }
    }

    /// The trace itself.
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
