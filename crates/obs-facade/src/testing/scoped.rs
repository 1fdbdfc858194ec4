//! Future that records into a capture.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Capture;

/// Future that [`Capture::scope`] returns.
#[must_use = "a future does nothing unless it is polled"]
pub struct Scoped<F> {
    capture: Capture,
    // `None` once it has ended.
    future: Option<Pin<Box<F>>>,
}

impl<F> Scoped<F> {
    pub(super) fn new(capture: Capture, future: F) -> Scoped<F> {
        // Boxed, so that it can be dropped inside the capture: a pinned field could not be set to `None`.
        Scoped { capture, future: Some(Box::pin(future)) }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let future = this.future.as_mut().expect("not polled after its end");
        let output = ready!(this.capture.run(|| future.as_mut().poll(cx)));
        this.capture.run(|| this.future = None);
        Poll::Ready(output)
    }
}

impl<F> Drop for Scoped<F> {
    /// Drops the future inside the capture, because its drop may record something too, such as a cancellation.
    fn drop(&mut self) {
        self.capture.run(|| self.future = None);
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("has_ended", &self.future.is_none()).finish_non_exhaustive()
    }
}
