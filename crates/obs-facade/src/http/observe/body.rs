//! Body of an observed response, which ends the call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::call::Call;

pin_project! {
    /// Response body that keeps its call open to its end and is polled inside the call's trace.
    ///
    /// Made by [`layer()`](super::layer()). It passes frames, end and size on unchanged.
    #[derive(Debug)]
    pub struct ObservedBody<B: Body> {
        // Dropped when it has ended and before its call, so that a span which a layer keeps in it ends within the trace.
        #[pin]
        inner: Option<B>,
        // Bytes that are still to be sent; `None` where the length is unknown.
        left: Option<u64>,
        call: Option<Call>,
    }

    impl<B: Body> PinnedDrop for ObservedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // A server may drop a body that is at its end without polling for the end. A body with data left was
            // cut off by the client, so its call is cancelled.
            if this.inner.as_ref().as_pin_ref().is_none_or(|inner| inner.is_end_stream())
                && let Some(call) = this.call.take()
            {
                call.enter(|| this.inner.set(None));
                call.end();
            }
        }
    }
}

impl<B: Body> ObservedBody<B> {
    /// Wraps `inner`. `length` is the number of bytes that the server will send, where the head of the response
    /// decides it.
    ///
    /// A server stops at that length and drops the body without polling for its end. The call of an empty body ends
    /// here, because HTTP/1 and HTTP/2 servers drop such a body unpolled.
    pub(super) fn new(inner: B, length: Option<u64>, mut call: Option<Call>) -> Self {
        // The head wins over the body's own size: the server sends at most that many bytes.
        let left = length.or_else(|| inner.size_hint().exact());
        let mut inner = Some(inner);
        // A server asks the body of a HEAD for its size, so that one is kept.
        if inner.as_ref().is_some_and(B::is_end_stream)
            && let Some(call) = &call
        {
            call.enter(|| inner = None);
        }
        if left == Some(0) || inner.is_none() {
            end(&mut call);
        }
        ObservedBody { inner, left, call }
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
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let frame = match this.call {
            Some(call) => ready!(call.enter(|| inner.as_mut().poll_frame(cx))),
            None => return inner.poll_frame(cx),
        };
        let has_ended = inner.is_end_stream();
        if (has_ended || frame.is_none())
            && let Some(call) = this.call
        {
            call.enter(|| this.inner.set(None));
        }
        match &frame {
            None => end(this.call),
            Some(Err(_)) => {
                if let Some(call) = this.call {
                    call.trace().fail("internal_error");
                }
                end(this.call);
            }
            // The call ends before the last bytes leave, so that a client that has read its whole response finds the
            // call recorded.
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                *this.left = this.left.map(|left| left.saturating_sub(bytes));
                if *this.left == Some(0) || has_ended {
                    end(this.call);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}

fn end(call: &mut Option<Call>) {
    if let Some(call) = call.take() {
        call.end();
    }
}
