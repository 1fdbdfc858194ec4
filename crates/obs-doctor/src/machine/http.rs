//! HTTP requests that are bounded in time and size and follow no redirect.

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use ureq::http::Uri;

use crate::text::redact;

/// A request.
///
/// ```
/// use obs_doctor::machine::HttpRequest;
/// let request = HttpRequest::get("http://127.0.0.1:7080/health");
/// assert!(!request.head);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The address.
    pub url: String,
    /// Ask for the headers alone.
    pub head: bool,
    /// The time for everything, from the name look-up to the last byte.
    pub timeout: Duration,
    /// Bytes of the body to read; what is longer is an error.
    pub max_body_bytes: usize,
    /// A key to send as `Authorization: Bearer …`.
    pub bearer: Option<String>,
    /// Go straight to the address, whatever proxy the environment names. To this machine a request always does.
    pub direct: bool,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor a password in the address (D7).
        f.debug_struct("HttpRequest")
            .field("url", &redact(&self.url))
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl HttpRequest {
    /// `GET url`, within 1 s, with at most 1 MiB of body.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            head: false,
            timeout: Duration::from_secs(1),
            max_body_bytes: 1 << 20,
            bearer: None,
            direct: false,
        }
    }

    /// `HEAD url`, within 1 s.
    #[must_use]
    pub fn head(url: impl Into<String>) -> Self {
        Self { head: true, ..Self::get(url) }
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`bearer`](Self::bearer).
    #[must_use]
    pub fn bearer(mut self, key: Option<String>) -> Self {
        self.bearer = key;
        self
    }

    /// Sets [`direct`](Self::direct).
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Sets [`max_body_bytes`](Self::max_body_bytes).
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }
}

/// An answer, whatever its status.
///
/// ```
/// use obs_doctor::machine::HttpResponse;
/// let response = HttpResponse::new(200).header("Age", "3").body(r#"{"status":"ok"}"#);
/// assert_eq!(response.get("age"), Some("3"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers that are text, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// An answer without headers and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The first header called `name`, in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
///
/// ```
/// assert_eq!(obs_doctor::machine::HttpError::Refused.to_string(), "connection refused");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// Nobody listens there.
    Refused,
    /// The connection was closed before an answer, as by a server that is ending.
    Closed,
    /// No answer in time, of somebody who was reached.
    Timeout,
    /// Neither reached nor refused in time.
    Unreached,
    /// The name is unknown.
    NameNotFound,
    /// No name server answers, as without the internet.
    NoNameServer,
    /// The address cannot be used as one.
    BadUrl(String),
    /// An `https` address and a build without the feature `tls`.
    NoTls,
    /// The network has no way there.
    NoRoute,
    /// Something answered, and not in HTTP, or too much.
    Protocol(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Closed => f.write_str("it closed the connection without an answer"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Unreached => f.write_str("not reached in time"),
            Self::NameNotFound => f.write_str("name not found"),
            Self::NoNameServer => f.write_str("no name server answers"),
            Self::BadUrl(why) => write!(f, "not a usable address: {why}"),
            Self::NoTls => f.write_str("https, which this build does not speak (feature `tls`)"),
            Self::NoRoute => f.write_str("no route to it"),
            Self::Protocol(why) => write!(f, "it does not speak HTTP properly: {why}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for HttpError {}

/// Sends requests.
///
/// ```
/// use obs_doctor::machine::{Http, HttpError, HttpRequest, HttpResponse};
///
/// struct Unplugged;
/// impl Http for Unplugged {
///     fn send(&self, _request: &HttpRequest) -> Result<HttpResponse, HttpError> {
///         Err(HttpError::NoRoute)
///     }
/// }
/// ```
pub trait Http: Send + Sync + 'static {
    /// Sends `request` and waits for the whole answer; a redirect is an answer.
    ///
    /// # Errors
    /// Why there is none.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// `ureq`, with TLS in builds with the feature `tls`.
pub(super) struct PlainHttp;

impl Http for PlainHttp {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri: Uri = request.url.parse().map_err(|err| HttpError::BadUrl(format!("{err}")))?;
        let host = uri.host().ok_or_else(|| HttpError::BadUrl("it names no host".to_owned()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") if cfg!(feature = "tls") => {}
            Some("https") => return Err(HttpError::NoTls),
            _ => return Err(HttpError::BadUrl("it must begin with http:// or https://".to_owned())),
        }
        check_thread()?;
        let agent = agent(request, request.direct || is_local_host(host));
        let mut call = if request.head { agent.head(uri) } else { agent.get(uri) };
        if let Some(key) = &request.bearer {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        read(call.call().map_err(explain)?, request.max_body_bytes)
    }
}

/// `ureq` looks an address up in a thread of its own, and panics where the process gets none.
fn check_thread() -> Result<(), HttpError> {
    let started = thread::Builder::new().spawn(|| ());
    // At its end its memory is free for the next one.
    let ended = started.map(|thread| drop(thread.join()));
    ended.map_err(|err| HttpError::Other(format!("no thread can be started: {err}")))
}

fn agent(request: &HttpRequest, direct: bool) -> ureq::Agent {
    // A little less than the whole, so that it can be told which of them was too long.
    let to_reach = request.timeout * 9 / 10;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(request.timeout))
        .timeout_resolve(Some(to_reach))
        .timeout_connect(Some(to_reach))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(32 * 1024)
        .max_idle_connections(0)
        .user_agent(concat!("hearthnet-doctor/", env!("CARGO_PKG_VERSION")));
    // A backend at home often has a certificate that its owner made, and told only the system about.
    #[cfg(feature = "tls")]
    let config = config.tls_config(
        ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build(),
    );
    // A proxy would answer for the machine it runs on.
    let config = if direct { config.proxy(None) } else { config };
    config.build().new_agent()
}

fn read(mut response: ureq::http::Response<ureq::Body>, max: usize) -> Result<HttpResponse, HttpError> {
    let text = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = response.headers().iter().filter_map(text).collect();
    let mut body = Vec::new();
    let limit = max as u64 + 1;
    response.body_mut().as_reader().take(limit).read_to_end(&mut body).map_err(|err| explain(err.into()))?;
    if body.len() > max {
        return Err(HttpError::Protocol(format!("a body of more than {max} bytes")));
    }
    Ok(HttpResponse { status: response.status().as_u16(), headers, body })
}

fn explain(err: ureq::Error) -> HttpError {
    use io::ErrorKind;
    match err {
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => HttpError::Unreached,
        ureq::Error::Timeout(_) => HttpError::Timeout,
        ureq::Error::HostNotFound => HttpError::NameNotFound,
        ureq::Error::BadUri(why) => HttpError::BadUrl(why),
        ureq::Error::Protocol(err) => HttpError::Protocol(err.to_string()),
        err @ ureq::Error::BodyStalled => HttpError::Protocol(err.to_string()),
        ureq::Error::LargeResponseHeader(..) => HttpError::Protocol("headers of more than 32 KiB".to_owned()),
        ureq::Error::Io(err) => match err.kind() {
            ErrorKind::ConnectionRefused => HttpError::Refused,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => HttpError::Timeout,
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => HttpError::NoRoute,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => HttpError::Closed,
            ErrorKind::InvalidData => HttpError::Protocol(err.to_string()),
            _ => explain_text(err.to_string()),
        },
        other => HttpError::Other(other.to_string()),
    }
}

/// `getaddrinfo` has no kind of its own in std: what it says of EAI_AGAIN, by glibc and by musl, and of the rest.
fn explain_text(text: String) -> HttpError {
    match text.strip_prefix("failed to lookup address information: ") {
        Some("Temporary failure in name resolution" | "Try again") => HttpError::NoNameServer,
        Some(_) => HttpError::NameNotFound,
        None => HttpError::Other(text),
    }
}

/// Whether `host` is this machine.
pub(crate) fn is_local_host(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback() || ip.is_unspecified())
}
