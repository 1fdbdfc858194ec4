//! State that a thread keeps from line to line.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::clock::LastReading;
use crate::dispatch::pipeline::Producer;
use crate::dispatch::routing::Routing;
use crate::json::Encoder;
use crate::record::encode::RecordEncoder;

/// Buffers of a thread, and its number in the queue.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) encoder: Encoder,
    records: RecordEncoder,
    /// Routing of the thread's last line.
    routing: Option<Arc<Routing>>,
    last_reading: LastReading,
    /// Number of the thread, which the queue takes modulo its shards.
    number: usize,
}

thread_local! {
    static LOCAL: Cell<Option<Box<Local>>> = const { Cell::new(None) };
}

/// Runs `f` with the thread's buffers.
///
/// They are taken out meanwhile. A line that is made inside of `f`, by a `Display` that logs, gets buffers of its own, and a
/// panic in `f` leaves nothing half written behind.
pub(crate) fn with<R>(f: impl FnOnce(&mut Local) -> R) -> R {
    // A thread that is ending has no thread-locals any more, but it still logs.
    let mut local = LOCAL.try_with(Cell::take).ok().flatten().unwrap_or_else(Local::new);
    let result = f(&mut local);
    let _ = LOCAL.try_with(|slot| slot.set(Some(local)));
    result
}

impl Local {
    /// Returns the routing and the rest, to be borrowed apart.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut Option<Arc<Routing>>, Producer<'_>) {
        let Local { encoder, records, routing, last_reading, number } = self;
        (routing, Producer { number: *number, encoder, records, last_reading })
    }

    fn new() -> Box<Local> {
        // Numbers in sequence spread threads evenly over the shards.
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        let number = THREADS.fetch_add(1, Ordering::Relaxed);
        Box::new(Local {
            encoder: Encoder::default(),
            records: RecordEncoder::default(),
            routing: None,
            last_reading: LastReading::default(),
            number,
        })
    }
}
