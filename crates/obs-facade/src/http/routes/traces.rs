//! Pages of traces: rendered off the runtime, and bounded in the memory that they take together.
//!
//! Any caller may ask for ten thousand traces, which are megabytes of JSON, and then read them slowly or not at all.

use std::sync::{Arc, LazyLock};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::json_response::{json_error, json_response};

/// Responds with the text that `make` returns. Large pages are made one at a time.
pub(super) async fn page(
    is_large: bool,
    make: impl FnOnce() -> serde_json::Result<String> + Send + 'static,
) -> Response {
    // A large page takes up to 100 ms of a core and several copies of its text. One at a time bounds both.
    static TURN: Semaphore = Semaphore::const_new(1);
    let turn = if is_large { TURN.acquire().await.ok() } else { None };
    // JSON of ten thousand traces takes milliseconds, which would delay other tasks of this worker thread.
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

/// Returns the traces as the JSON text of a page.
pub(super) fn text<T: Serialize>(traces: impl Iterator<Item = T>) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Page<T> {
        traces: Vec<T>,
    }
    serde_json::to_string(&Page { traces: traces.collect() })
}

/// Text of a page that a client is still reading.
struct Page {
    text: String,
    /// Returned when the last byte has been sent or the client is gone.
    _budget: Option<OwnedSemaphorePermit>,
}

/// KiB that all large pages share: 64 MiB. A larger page takes all of it.
const BUDGET_KIB: u32 = 64 << 10;

/// KiB up to which a page is free, so that a client that asks for a few traces is served while others read large pages.
/// Some hundreds of connections with free pages of 128 KiB stay below 64 MiB.
const FREE_KIB: u32 = 128;

impl Page {
    /// Returns the page; `None` if there is no memory left for it.
    fn new(text: String) -> Option<Page> {
        static BUDGET: LazyLock<Arc<Semaphore>> =
            LazyLock::new(|| Arc::new(Semaphore::new(BUDGET_KIB as usize)));
        Page::within(&BUDGET, text)
    }

    fn within(budget: &Arc<Semaphore>, text: String) -> Option<Page> {
        let kib = u32::try_from(text.len() >> 10).unwrap_or(u32::MAX).min(BUDGET_KIB);
        let taken = match kib {
            // Neither waits nor fails: the budget is for large pages only.
            ..=FREE_KIB => None,
            // `try_acquire` instead of a wait: a waiting page would hold its text, which is the memory that the
            // budget bounds.
            _ => Some(Arc::clone(budget).try_acquire_many_owned(kib).ok()?),
        };
        Some(Page { text, _budget: taken })
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn busy() -> Response {
    let why = "unread pages of traces take 64 MiB; ask for fewer traces (n), or retry in a second";
    let mut busy = json_error(StatusCode::SERVICE_UNAVAILABLE, "capacity_exceeded", why);
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
    fn large_pages_share_a_budget_and_small_ones_are_free() {
        let budget = Arc::new(Semaphore::new(BUDGET_KIB as usize));
        let page = |kib: u32| Page::within(&budget, "x".repeat((kib as usize) << 10));
        let large = page(BUDGET_KIB - 1_000);
        assert!(large.is_some() && page(1_001).is_none());
        let (another, small) = (page(1_000), page(FREE_KIB));
        assert!(another.is_some() && small.is_some() && page(FREE_KIB + 1).is_none());
        drop((large, another));
        // A page larger than the budget takes all of it.
        let huge = page(BUDGET_KIB + 1);
        assert!(huge.is_some() && page(FREE_KIB + 1).is_none() && page(1).is_some());
        drop(huge);
        assert_eq!(budget.available_permits(), BUDGET_KIB as usize);
    }
}
