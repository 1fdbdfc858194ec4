//! Body of a page, which lets other tasks run between its parts.

use std::convert::Infallible;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Bytes of a part. A worker copies as many to the socket in some ten microseconds.
const PART_BYTES: usize = 64 * 1024;

/// Body in parts. A server that gets a page of megabytes at once writes it in one poll, which holds a worker of the runtime
/// for milliseconds.
#[derive(Debug)]
pub(super) struct PageBody {
    rest: Bytes,
    /// Whether a part was given out since the last yield.
    is_due: bool,
}

impl PageBody {
    pub(super) fn new(page: Bytes) -> Self {
        Self { rest: page, is_due: false }
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        // The server writes what it has when a body is pending, and the wake puts its task behind those that wait.
        if replace(&mut self.is_due, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_due = true;
        let length = self.rest.len().min(PART_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the exact size, so that the answer has a `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn each_poll_gives_at_most_one_part_and_then_yields() {
        let page = Bytes::from((0..300_000_u32).map(|at| at as u8).collect::<Vec<u8>>());
        let mut body = PageBody::new(page.clone());
        let (mut read, mut yields) = (Vec::new(), 0);
        let mut may_give = true;
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((page.len() - read.len()) as u64));
            match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => (may_give, yields) = (true, yields + 1),
                Poll::Ready(Some(Ok(frame))) => {
                    assert!(replace(&mut may_give, false), "two parts without a yield");
                    let part = frame.into_data().unwrap();
                    assert!(part.len() <= PART_BYTES, "{} bytes in a part", part.len());
                    read.extend_from_slice(&part);
                }
                Poll::Ready(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((read, yields), (page.to_vec(), 4));
    }
}
