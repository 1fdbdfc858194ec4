//! Routes of the servers, apart from what they record.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

/// Chunks of a stream.
const CHUNKS: u32 = 8;

/// Body that a client sends, and gets back.
pub(super) const ECHOED: &str = r#"{"input":{"text":"Which of the neighbours has a ladder that reaches the second floor?","delay_ms":0}}"#;

/// Answers in [`CHUNKS`] pieces, each of which is sent alone, as the words of a language model are.
pub(super) fn chunks() -> Response {
    let pieces = stream::unfold(0, |sent| async move {
        if sent == CHUNKS {
            return None;
        }
        // hyper sends what it has while the body is pending.
        tokio::task::yield_now().await;
        let piece = Bytes::from_static(b"data: {\"delta\":{\"text\":\"neighbours\"}}\n\n");
        Some((Ok::<_, Infallible>(piece), sent + 1))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(pieces)).into_response()
}
