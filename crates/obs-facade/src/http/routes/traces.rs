//! The pages of traces: made off the runtime, and bounded in what they take together (T6).
//!
//! Anybody who reaches the node may ask for ten thousand traces, which are megabytes of JSON, and then read them as slowly
//! as they like.

use std::sync::{Arc, LazyLock};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::json_response::json_response;

/// Answers with what `make` gives; large pages one after the other.
pub(super) async fn page(
    is_large: bool,
    make: impl FnOnce() -> serde_json::Result<String> + Send + 'static,
) -> Response {
    static TURN: Semaphore = Semaphore::const_new(1);
    let turn = if is_large { TURN.acquire().await.ok() } else { None };
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        make().map(Page::new)
    });
    match made.await {
        Ok(Ok(Some(page))) => json_response(StatusCode::OK, Bytes::from_owner(page)),
        Ok(Ok(None)) => busy(),
        _ => failed(),
    }
}

pub(super) fn text<T: Serialize>(traces: impl Iterator<Item = T>) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Page<T> {
        traces: Vec<T>,
    }
    serde_json::to_string(&Page { traces: traces.collect() })
}

/// A page that a reader has not read to its end.
struct Page {
    text: String,
    /// Given back when the last byte has been sent or the reader has gone.
    _room: Option<OwnedSemaphorePermit>,
}

/// The room for all large pages together. One that is larger has it alone.
const ROOM_KIB: u32 = 64 << 10;

/// What is no larger takes none of it, so that whoever asks for a few traces is not kept out by those who ask for all:
/// a server has some hundreds of connections.
const SMALL_KIB: u32 = 128;

impl Page {
    /// `None` if there is no room for it.
    fn new(text: String) -> Option<Page> {
        static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(ROOM_KIB as usize)));
        Page::within(&ROOM, text)
    }

    fn within(room: &Arc<Semaphore>, text: String) -> Option<Page> {
        let kib = u32::try_from(text.len() >> 10).unwrap_or(u32::MAX).min(ROOM_KIB);
        let taken = match kib {
            ..=SMALL_KIB => None,
            _ => Some(Arc::clone(room).try_acquire_many_owned(kib).ok()?),
        };
        Some(Page { text, _room: taken })
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn busy() -> Response {
    let why = "others are reading pages that are too large together: ask for fewer traces (n), or later";
    let why = json!({ "error": "capacity_exceeded", "message": why });
    let mut busy = json_response(StatusCode::SERVICE_UNAVAILABLE, why.to_string());
    busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    busy
}

fn failed() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_large_pages_share_a_room_and_small_ones_take_none() {
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        let page = |kib: u32| Page::within(&room, "x".repeat((kib as usize) << 10));
        let large = page(ROOM_KIB - 1_000);
        assert!(large.is_some() && page(1_001).is_none());
        let (another, small) = (page(1_000), page(SMALL_KIB));
        assert!(another.is_some() && small.is_some() && page(SMALL_KIB + 1).is_none());
        drop((large, another));
        // One that is larger than all of the room has it alone.
        let huge = page(ROOM_KIB + 1);
        assert!(huge.is_some() && page(SMALL_KIB + 1).is_none() && page(1).is_some());
        drop(huge);
        assert_eq!(room.available_permits(), ROOM_KIB as usize);
    }
}
