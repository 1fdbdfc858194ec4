//! The body of an observed response: the call ends where its body ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::call::Call;

pin_project! {
    /// A response body that keeps its call open to its end and polls inside the call's trace.
    ///
    /// Made by [`layer()`](super::layer()); transparent to whoever reads it.
    #[derive(Debug)]
    pub struct ObservedBody<B: Body> {
        #[pin]
        inner: B,
        call: Option<Call>,
    }

    impl<B: Body> PinnedDrop for ObservedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A server that has sent all bytes of a body of known length may drop it without asking
            // for the end; what is dropped with bytes left was cut off by the client.
            if this.inner.is_end_stream() && let Some(call) = this.call.take() {
                call.end();
            }
        }
    }
}

impl<B: Body> ObservedBody<B> {
    pub(super) fn new(inner: B, call: Option<Call>) -> Self {
        let mut body = ObservedBody { inner, call };
        if body.inner.is_end_stream() {
            end(&mut body.call);
        }
        body
    }
}

impl<B: Body> Body for ObservedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = match this.call {
            Some(call) => ready!(call.enter(|| this.inner.as_mut().poll_frame(cx))),
            None => return this.inner.poll_frame(cx),
        };
        match &frame {
            None => end(this.call),
            Some(Err(_)) => {
                if let Some(call) = this.call {
                    call.trace().fail("internal_error");
                }
                end(this.call);
            }
            // Before the last bytes leave, so that a client that has read all of its answer finds the
            // call recorded.
            Some(Ok(_)) if this.inner.is_end_stream() => end(this.call),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn end(call: &mut Option<Call>) {
    if let Some(call) = call.take() {
        call.end();
    }
}
