//! Futures that run in a span.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::builder::{SpanBuilder, span};
use super::guard::Span;
use crate::context::{Frame, cancelling, measured};

/// Extension of futures: `future.in_span("name")` is short for [`span`]`("name").wrap(future)`.
///
/// ```
/// use obs_trace::InSpan;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let hits = async { 3 }.in_span("search").await;
/// assert_eq!(hits, 3);
/// # });
/// ```
pub trait InSpan: Future + Sized {
    /// Runs the future in a span of the trace that is current here.
    fn in_span(self, name: &'static str) -> Instrumented<Self> {
        span(name).wrap(self)
    }
}

impl<F: Future> InSpan for F {}

impl SpanBuilder {
    /// Returns a future that runs `future` in the span, from its first poll until it is ready or dropped.
    ///
    /// Spans that `future` begins are children of the span. If no trace was current when the span was prepared, the trace
    /// of the first poll counts.
    pub fn wrap<F: Future>(self, future: F) -> Instrumented<F> {
        Instrumented { state: State::Prepared(self), moved: None, future: Some(future) }
    }
}

pin_project! {
    /// Future of [`SpanBuilder::wrap`] and [`InSpan::in_span`].
    ///
    /// ```
    /// let future: obs_trace::Instrumented<_> = obs_trace::span("search").wrap(async {});
    /// # drop(future);
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Instrumented<F> {
        state: State,
        // Scope of a future that is polled where its trace is not current. Boxed, because most futures have none.
        moved: Option<Box<Frame>>,
        // Dropped inside the span, so that spans and fields of its destructors belong there.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Instrumented<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let State::Begun(span) = &this.state && this.future.is_some() {
                cancelling(|| span.within(this.moved, || this.future.set(None)));
                cancelling(|| *this.state = State::Ended);
            }
        }
    }
}

enum State {
    Prepared(SpanBuilder),
    Begun(Span),
    Ended,
}

impl State {
    /// Returns the span, which begins with the first poll.
    fn begin(&mut self) -> Option<&Span> {
        if let State::Prepared(_) = self
            && let State::Prepared(builder) = std::mem::replace(self, State::Ended)
        {
            *self = State::Begun(builder.enter_polled());
        }
        match self {
            State::Begun(span) => Some(span),
            _ => None,
        }
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.poll_then(cx, |_, _| ())
    }
}

impl<F: Future> Instrumented<F> {
    /// Polls the future, and shows its result to `look` before the span ends.
    #[inline]
    pub(super) fn poll_then(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl FnOnce(&F::Output, &Span),
    ) -> Poll<F::Output> {
        let mut this = self.project();
        let unwinds = EndOnUnwind(this.state);
        let span = unwinds.0.begin().expect("a future is not polled after its end");
        let poll = span.within(this.moved, || {
            let future = this.future.as_mut().as_pin_mut().expect("there until it is ready");
            let poll = measured(|| future.poll(cx));
            if poll.is_ready() {
                this.future.set(None);
            }
            poll
        });
        // After `within`: the span must not end while it encloses the code that runs.
        if let Poll::Ready(output) = &poll {
            look(output, span);
            *unwinds.0 = State::Ended;
        }
        std::mem::forget(unwinds);
        poll
    }
}

/// Ends the span of a future that panics, before the panic ends the trace. It is forgotten otherwise.
struct EndOnUnwind<'a>(&'a mut State);

impl Drop for EndOnUnwind<'_> {
    fn drop(&mut self) {
        *self.0 = State::Ended;
    }
}

impl<F> std::fmt::Debug for Instrumented<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrumented").finish_non_exhaustive()
    }
}
