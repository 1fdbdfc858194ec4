//! HTTP requests with a bounded time and size, which follow no redirect.

mod client;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

pub(in crate::machine) use client::UreqClient;

use crate::text::redact;

/// HTTP request.
///
/// ```
/// use obs_doctor::machine::HttpRequest;
/// let request = HttpRequest::get("http://127.0.0.1:7080/health");
/// assert!(!request.head);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// URL of the request.
    pub url: String,
    /// Whether the method is `HEAD` instead of `GET`.
    pub head: bool,
    /// Time limit from the name look-up to the last byte.
    pub timeout: Duration,
    /// Maximum length of the body in bytes; a longer one is an error.
    pub max_body_bytes: usize,
    /// Key to send as `Authorization: Bearer …`.
    pub bearer: Option<String>,
    /// Whether the proxy that the environment names is ignored. Requests to this machine always ignore it.
    pub direct: bool,
    /// JSON to send. The method is `POST` then.
    pub json: Option<Vec<u8>>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Shows neither the key nor a password in the URL.
        f.debug_struct("HttpRequest")
            .field("url", &redact(&self.url))
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl HttpRequest {
    /// Creates a `GET` request with a time limit of 1 s and a body limit of 1 MiB.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            head: false,
            timeout: Duration::from_secs(1),
            max_body_bytes: 1 << 20,
            bearer: None,
            direct: false,
            json: None,
        }
    }

    /// Creates a `POST` request of JSON with a time limit of 1 s and a body limit of 1 MiB for the answer.
    ///
    /// ```
    /// use obs_doctor::machine::HttpRequest;
    /// let request = HttpRequest::post("http://127.0.0.1:9000/hook", b"{}");
    /// assert_eq!(request.json.as_deref(), Some(&b"{}"[..]));
    /// ```
    #[must_use]
    pub fn post(url: impl Into<String>, json: impl Into<Vec<u8>>) -> Self {
        Self { json: Some(json.into()), ..Self::get(url) }
    }

    /// Creates a `HEAD` request with a time limit of 1 s.
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

    /// Sets [`direct`](Self::direct), so that no proxy is used.
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

/// HTTP response of any status.
///
/// ```
/// use obs_doctor::machine::HttpResponse;
/// let response = HttpResponse::new(200).header("Age", "3").body(r#"{"status":"ok"}"#);
/// assert_eq!(response.get("age"), Some("3"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers whose value is text, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// Creates a response without headers and body.
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

    /// Returns the first header called `name`, which is in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reason for the lack of a response.
///
/// ```
/// assert_eq!(obs_doctor::machine::HttpError::Refused.to_string(), "connection refused");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// The connection was refused: no process listens there.
    Refused,
    /// The connection was closed before a response, as by a server that is shutting down.
    Closed,
    /// The server was reached and did not respond in time.
    Timeout,
    /// The server could not be reached in time.
    Unreached,
    /// The host name does not exist.
    NameNotFound,
    /// No name server answers, as without an internet connection.
    NoNameServer,
    /// The URL is malformed.
    BadUrl(String),
    /// The URL has the scheme `https` and the build lacks the feature `tls`.
    NoTls,
    /// The network has no route to the host.
    NoRoute,
    /// A security profile refuses a system call of the request.
    Filtered(String),
    /// The response is not HTTP, or too large.
    Protocol(String),
    /// Any other reason.
    Other(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Unreached => f.write_str("not reached in time"),
            Self::NameNotFound => f.write_str("name not found"),
            Self::NoNameServer => f.write_str("no name server answers"),
            Self::BadUrl(why) => write!(f, "not a usable URL: {why}"),
            Self::NoTls => f.write_str("https needs a build with the feature `tls`"),
            Self::NoRoute => f.write_str("no route to the host"),
            Self::Protocol(why) => write!(f, "the answer is not valid HTTP: {why}"),
            Self::Filtered(why) => write!(f, "a security profile refuses the request: {why}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for HttpError {}

/// HTTP client.
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
    /// Sends `request` and waits for the whole response. A redirect is returned, not followed.
    ///
    /// # Errors
    /// The reason for the lack of a response.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// Returns whether `host` is this machine.
pub(crate) fn is_local_host(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback() || ip.is_unspecified())
}
