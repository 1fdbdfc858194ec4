//! Number of a request among the attempts to send it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, Uri};
use obs_trace::TraceId;

/// Number of earlier attempts to send a request, 0 for the first one. Put it into the extensions of a request, to say what
/// [`layer()`](super::layer()) cannot know.
///
/// ```
/// use obs_facade::http::client::ResendCount;
///
/// let request = http::Request::get("http://192.0.2.7/items").extension(ResendCount(2)).body(()).unwrap();
/// # drop(request);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendCount(pub u32);

/// An attempt to send a request, as the next one sees it.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Not the trace itself: the handle of a service must not keep a trace from its end.
    trace: TraceId,
    /// Hash of method and URI. A collision makes a wrong number, and nothing worse.
    request: u64,
    number: u32,
    has_failed: Arc<AtomicBool>,
    /// Whether a clone of the service makes the attempts that follow.
    is_handed_over: AtomicBool,
}

impl Attempt {
    /// Returns the attempt for a clone of the service, which makes the attempts that follow.
    pub(super) fn hand_over(&self) -> Arc<Attempt> {
        // Relaxed: a hint for the number. The service is called and cloned by one owner.
        self.is_handed_over.store(true, Ordering::Relaxed);
        let has_failed = Arc::clone(&self.has_failed);
        Arc::new(Attempt { has_failed, is_handed_over: AtomicBool::new(false), ..*self })
    }

    /// Numbers a request. `before` is the attempt that the service made before.
    pub(super) fn after(
        before: Option<&Attempt>,
        trace: TraceId,
        (method, uri): (&Method, &Uri),
        known: Option<ResendCount>,
    ) -> Arc<Attempt> {
        let mut hasher = DefaultHasher::new();
        (method, uri).hash(&mut hasher);
        let request = hasher.finish();
        // Relaxed: the caller saw the failure before it sent again, and `hand_over` says why for the other flag.
        let is_again = |before: &&Attempt| {
            let is_same = before.trace == trace && before.request == request;
            is_same
                && before.has_failed.load(Ordering::Relaxed)
                && !before.is_handed_over.load(Ordering::Relaxed)
        };
        let number = match known {
            Some(ResendCount(number)) => number,
            None => before.filter(is_again).map_or(0, |before| before.number.saturating_add(1)),
        };
        let (has_failed, is_handed_over) = (Arc::default(), AtomicBool::new(false));
        Arc::new(Attempt { trace, request, number, has_failed, is_handed_over })
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn note_failure(&self) {
        // Relaxed: a flag of its own.
        self.has_failed.store(true, Ordering::Relaxed);
    }
}
