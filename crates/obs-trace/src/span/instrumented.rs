//! A future that runs in a span.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context::Frame;
use crate::span::{Span, SpanBuilder};

pin_project! {
    /// The future of [`SpanBuilder::wrap`](crate::SpanBuilder::wrap) and [`InSpan::in_span`](crate::InSpan::in_span).
    ///
    /// ```
    /// let future: obs_trace::Wrapped<_> = obs_trace::span("search").wrap(async {});
    /// # drop(future);
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Wrapped<F> {
        state: State,
        // The scope of a future that is polled where its trace is not current.
        moved: Option<Box<Frame>>,
        // Given up inside the span, so that what its destructors do belongs there.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Wrapped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let State::Begun(span) = &this.state && this.future.is_some() {
                span.within(this.moved, || this.future.set(None));
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
    /// The span, which begins with the first poll.
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

impl<F> Wrapped<F> {
    pub(crate) fn new(builder: SpanBuilder, future: F) -> Wrapped<F> {
        Wrapped { state: State::Prepared(builder), moved: None, future: Some(future) }
    }
}

impl<F: Future> Future for Wrapped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let span = this.state.begin().expect("a future is not polled after its end");
        let poll = span.within(this.moved, || {
            let future = this.future.as_mut().as_pin_mut().expect("there until it is ready");
            let poll = future.poll(cx);
            if poll.is_ready() {
                this.future.set(None);
            }
            poll
        });
        if poll.is_ready() {
            *this.state = State::Ended;
        }
        poll
    }
}

impl<F> std::fmt::Debug for Wrapped<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wrapped").finish_non_exhaustive()
    }
}
