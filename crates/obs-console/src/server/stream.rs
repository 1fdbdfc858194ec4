//! Body whose parts are made while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

/// Failure of a stream after its head was sent. The server closes the connection before the end of the body, so that the
/// reader sees that something is missing.
#[derive(Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the data could not be read to its end")
    }
}

impl std::error::Error for Broken {}

/// Sending end of a body. It is closed when the reader has gone.
pub(super) type Parts = mpsc::Sender<Result<Bytes, Broken>>;

/// Returns the sending end and the body. At most `parts` parts wait.
pub(super) fn body(parts: usize) -> (Parts, Body) {
    let (sender, receiver) = mpsc::channel(parts);
    (sender, Body::new(Stream(receiver)))
}

struct Stream(mpsc::Receiver<Result<Bytes, Broken>>);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
