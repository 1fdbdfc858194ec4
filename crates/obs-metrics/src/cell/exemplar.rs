//! Exemplars: the trace ID that leads from a bucket or a counter to a recorded trace (M6, T9).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, TryLockError};
use std::time::SystemTime;

/// Calls its argument with the text of the current trace ID, if a trace is current.
pub type TraceIdSource = fn(&mut dyn FnMut(&str));

/// OpenMetrics allows 128 characters for an exemplar's names and values together.
const MAX_ID_BYTES: usize = 64;

static HAS_SOURCE: AtomicBool = AtomicBool::new(false);
static SOURCE: RwLock<Option<TraceIdSource>> = RwLock::new(None);

/// Sets where exemplars get the current trace ID from; without it there are none.
///
/// The hook is called on the observing thread, for a sample of the observations only: each of the first 256 that land
/// in a bucket or a counter, then every 64th. An ID is 1 to 64 letters, digits, `-` or `_`; another text is ignored.
///
/// ```
/// obs_metrics::set_trace_id_source(|found| found("01HXR3F2M4C9T8Q0Z6V5K7B1AD"));
/// ```
pub fn set_trace_id_source(source: TraceIdSource) {
    *SOURCE.write().unwrap_or_else(PoisonError::into_inner) = Some(source);
    HAS_SOURCE.store(true, Ordering::Release);
}

/// Whether the step from `before` to `after` observations is one of the sampled ones.
#[inline]
pub(crate) fn is_due(before: u64, after: u64) -> bool {
    HAS_SOURCE.load(Ordering::Relaxed) && (before < 256 || before / 64 != after / 64)
}

/// One observation and the trace it was made in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exemplar {
    id: [u8; MAX_ID_BYTES],
    id_len: u8,
    pub(crate) value: f64,
    pub(crate) at: SystemTime,
}

impl Exemplar {
    fn current(value: f64) -> Option<Self> {
        let source = (*SOURCE.read().unwrap_or_else(PoisonError::into_inner))?;
        let mut found = None;
        source(&mut |id| {
            if is_id(id) {
                let mut bytes = [0; MAX_ID_BYTES];
                bytes[..id.len()].copy_from_slice(id.as_bytes());
                found = Some((bytes, id.len() as u8));
            }
        });
        found.map(|(id, id_len)| Self { id, id_len, value, at: SystemTime::now() })
    }

    pub(crate) fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.id[..usize::from(self.id_len)]).unwrap_or_default()
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Holds the latest exemplar. A writer that finds it busy goes on without storing one: nobody waits.
#[derive(Debug, Default)]
pub(crate) struct ExemplarSlot(Mutex<Option<Exemplar>>);

impl ExemplarSlot {
    pub(crate) fn store_current(&self, value: f64) {
        let Some(exemplar) = Exemplar::current(value) else { return };
        match self.0.try_lock() {
            Ok(mut held) => *held = Some(exemplar),
            Err(TryLockError::Poisoned(held)) => *held.into_inner() = Some(exemplar),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    pub(crate) fn load(&self) -> Option<Exemplar> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
