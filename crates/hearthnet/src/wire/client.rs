//! The HTTP client to peers and language models, whose answers are read with a limit on size and time.

use std::time::Duration;

use obs_facade::{Logger, warn};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::time::timeout;

use super::body_budget::Room;
use super::error::{CallError, Code};

static LOG: Logger = Logger::new(module_path!());

/// How long it may take to reach the other side.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that goes straight to the address it is given: no proxy, no redirect.
pub(crate) fn build() -> Client {
    // Fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT_TIMEOUT);
    builder().build().unwrap_or_else(|error| {
        // A bare machine may have no certificates; everything without TLS works all the same.
        warn!(logger: LOG, error:% = error; "no certificates: servers behind https cannot be reached");
        builder().tls_certs_only([]).build().unwrap_or_default()
    })
}

/// `url` with `path` after whatever path it has.
pub(crate) fn join(url: &reqwest::Url, path: &str) -> reqwest::Url {
    let mut joined = url.clone();
    joined.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    joined
}

/// The rest of an answer, refused when it is larger than `limit` bytes or stops for longer than `patience`.
pub(crate) async fn read(
    mut response: Response,
    limit: usize,
    patience: Duration,
) -> Result<Vec<u8>, CallError> {
    let (mut whole, mut room) = (Vec::new(), Room::default());
    while let Some(piece) = next_piece(&mut response, patience).await? {
        if whole.len() + piece.len() > limit {
            return Err(
                Code::INTERNAL_ERROR.because(format!("the answer behind this call exceeds {limit} bytes"))
            );
        }
        room.grow_to(whole.len() + piece.len()).await?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The next piece of an answer; `None` at its end.
pub(crate) async fn next_piece(
    response: &mut Response,
    patience: Duration,
) -> Result<Option<bytes::Bytes>, CallError> {
    let piece =
        timeout(patience, response.chunk()).await.map_err(|_| Code::TIMEOUT.because("the answer stopped"))?;
    piece.map_err(|error| failed(&error))
}

/// What an error of the client means to the caller. Its text is not passed on: it holds addresses.
pub(crate) fn failed(error: &reqwest::Error) -> CallError {
    match error.is_timeout() && !error.is_connect() {
        true => Code::TIMEOUT.because("the other side took too long"),
        false => Code::PARTITION.because("the other side cannot be reached"),
    }
}
