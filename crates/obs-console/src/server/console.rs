//! State that all routes share.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::answer::{Json, accepts_gzip};
use super::work::Work;
use crate::access::{Gate, Settings};
use crate::refused::Refused;
use crate::source::{Failure, Source};

/// Calls of the source at a time. More would take the node's processors from its calls.
const CALLS: usize = 4;

/// Look-ups of a connection's owner at a time. They have threads of their own, so that a slow source does not hold them up.
const LOOK_UPS: usize = 2;

/// Calls at a time that wait for peers or checks, some for seconds.
const SLOW_CALLS: usize = 2;

/// Reads of tails and downloads at a time.
const READS: usize = 2;

/// Viewers of a tail at a time.
const VIEWERS: usize = 16;

/// Downloads at a time.
const DOWNLOADS: usize = 4;

/// State of the console.
pub(super) struct Console {
    pub(super) gate: Gate,
    pub(super) source: Arc<dyn Source>,
    pub(super) calls: Work,
    pub(super) slow_calls: Work,
    pub(super) look_ups: Work,
    /// Reads of streams. All tails and downloads together have places here, so that none is refused in its middle.
    pub(super) streams: Work,
    pub(super) viewers: Arc<Semaphore>,
    pub(super) downloads: Arc<Semaphore>,
}

impl Console {
    pub(super) fn new(source: Arc<dyn Source>, settings: Settings) -> Self {
        Console {
            gate: Gate::new(settings),
            source,
            calls: Work::new(CALLS),
            slow_calls: Work::new(SLOW_CALLS),
            look_ups: Work::new(LOOK_UPS),
            streams: Work::new(READS),
            viewers: Arc::new(Semaphore::new(VIEWERS)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
        }
    }

    /// Calls the source on a thread for blocking work, and answers with what it returns.
    pub(super) async fn answer<T: Serialize + Send + 'static>(
        &self,
        work: &Work,
        request: &Parts,
        call: impl FnOnce(&dyn Source) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Response, Refused> {
        let accepts_gzip = accepts_gzip(&request.headers);
        let source = self.source.clone();
        let json = work.run(move || Json::of(&call(&*source)?, accepts_gzip)).await??;
        Ok(json.into_response())
    }
}

/// Returns the time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
