//! HTTP client for peers and language models. Answers are read with limits on size and time.

use std::time::Duration;

use obs_facade::{Logger, warn};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use super::body_budget::Reservation;
use super::error::{CallError, Code, cause};

static LOG: Logger = Logger::new(module_path!());

/// Maximum time to connect.
// A host that is switched off does not answer at all. The system would wait for minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Builds a client for servers at these addresses, without proxy and redirects, so that it contacts them only.
pub(crate) fn build<'a>(addresses: impl IntoIterator<Item = &'a Url>) -> Client {
    // Installing fails if a provider is installed already, which works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT_TIMEOUT);
    let without_tls = || builder().tls_certs_only([]).build().unwrap_or_default();
    if addresses.into_iter().all(|address| address.scheme() == "http") {
        // The certificates of the system are a hundred files, and no server here shows one.
        return without_tls();
    }
    builder().build().unwrap_or_else(|error| {
        // A minimal machine may have no certificates. Servers without TLS still work then.
        warn!(logger: LOG, error:% = error; "no certificates found: HTTPS servers cannot be reached");
        without_tls()
    })
}

/// Appends `path` to the path of `url`.
pub(crate) fn join(url: &Url, path: &str) -> Url {
    let mut joined = url.clone();
    // `Url::join` would replace the path of `url`.
    joined.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    joined
}

/// Returns the host and port of a server, as OpenTelemetry names them.
pub(crate) fn server(url: &Url) -> (&str, u16) {
    let host = url.host_str().unwrap_or_default();
    // OpenTelemetry wants an IPv6 address without brackets.
    (host.trim_matches(['[', ']']), url.port_or_known_default().unwrap_or_default())
}

/// Reads the rest of an answer. Fails if it exceeds `limit` bytes, or stops for longer than `patience`.
pub(crate) async fn read(
    mut response: Response,
    limit: usize,
    patience: Duration,
) -> Result<Vec<u8>, CallError> {
    let (mut whole, mut reservation) = (Vec::new(), Reservation::default());
    while let Some(piece) = next_piece(&mut response, patience).await? {
        if whole.len() + piece.len() > limit {
            return Err(Code::INTERNAL_ERROR.because(format!("the answer exceeds {limit} bytes")));
        }
        reservation.grow_to(whole.len() + piece.len()).await?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// Reads the next piece of an answer. Returns `None` at its end.
pub(crate) async fn next_piece(
    response: &mut Response,
    patience: Duration,
) -> Result<Option<bytes::Bytes>, CallError> {
    let piece = timeout(patience, response.chunk()).await.map_err(|_| {
        late("the rest of the answer did not arrive in time", "the rest of the answer", patience)
    })?;
    piece.map_err(|error| failed(&error))
}

/// Returns the error for something that did not arrive within `patience`.
pub(crate) fn late(message: &'static str, missing: &str, patience: Duration) -> CallError {
    Code::TIMEOUT
        .because(message)
        .caused_by(format!("{missing} did not arrive within {} s", patience.as_secs_f64()))
}

/// Returns the error for the caller. It leaves out the client's message, which holds addresses. The cause has it.
pub(crate) fn failed(error: &reqwest::Error) -> CallError {
    // No connection means that nothing was done. A caller may try elsewhere then.
    let failed = match error.is_timeout() && !error.is_connect() {
        true => Code::TIMEOUT.because("the server did not answer in time"),
        false => Code::PARTITION.because("the server cannot be reached"),
    };
    failed.caused_by(reason(error))
}

/// Returns the chain of causes of a failed request, without its URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    // The outermost message repeats the URL, which may hold a password. It says nothing else that the sources do not.
    match std::error::Error::source(error) {
        Some(source) => cause::chain(source),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => "the request failed".to_owned(),
    }
}
