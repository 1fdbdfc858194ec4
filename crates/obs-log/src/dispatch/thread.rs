//! What a thread keeps from line to line.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dispatch::Live;
use crate::json::Encoder;
use crate::ticks::LastLook;

/// A thread's buffers and its place in the hand-over.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) encoder: Encoder,
    /// The routing that was in force at its last line.
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) last_look: LastLook,
    /// A number of the thread's own; the hand-over takes it modulo its shards.
    pub(crate) number: usize,
}

/// What of a thread the making of a line takes.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) number: usize,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) last_look: &'a mut LastLook,
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
    /// The routing and, beside it, the rest.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut Option<Arc<Live>>, Caller<'_>) {
        let Local { encoder, live, last_look, number } = self;
        (live, Caller { number: *number, encoder, last_look })
    }

    fn new() -> Box<Local> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        let number = THREADS.fetch_add(1, Ordering::Relaxed);
        Box::new(Local { encoder: Encoder::default(), live: None, last_look: LastLook::default(), number })
    }
}
