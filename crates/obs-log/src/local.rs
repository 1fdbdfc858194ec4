//! What a thread keeps from line to line.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::encode::Encoder;

/// A thread's buffers and its place in the hand-over.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) encoder: Encoder,
    /// A number of the thread's own; the hand-over takes it modulo its shards.
    pub(crate) number: usize,
}

thread_local! {
    static LOCAL: Cell<Option<Box<Local>>> = const { Cell::new(None) };
}

/// Runs `f` with the thread's buffers. They are taken out meanwhile: a line made inside of `f`, by a `Display` that
/// logs, gets buffers of its own, and a panic in `f` leaves nothing half written behind (L7).
pub(crate) fn with<R>(f: impl FnOnce(&mut Local) -> R) -> R {
    // A thread that is ending has no thread-locals any more; it still logs.
    let mut local = LOCAL.try_with(Cell::take).ok().flatten().unwrap_or_else(Local::new);
    let result = f(&mut local);
    let _ = LOCAL.try_with(|slot| slot.set(Some(local)));
    result
}

impl Local {
    fn new() -> Box<Local> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        Box::new(Local { encoder: Encoder::default(), number: THREADS.fetch_add(1, Ordering::Relaxed) })
    }
}
