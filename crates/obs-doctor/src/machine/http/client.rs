//! HTTP client on `ureq`.

use std::io::{self, Read};
use std::thread;

use rustix::io::Errno;
use ureq::http::Uri;

use super::{Http, HttpError, HttpRequest, HttpResponse, is_local_host};
use crate::machine::is_filtered;

/// [`Http`] on `ureq`, with TLS in builds with the feature `tls`.
pub(in crate::machine) struct UreqClient;

impl Http for UreqClient {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri: Uri = request.url.parse().map_err(|err| HttpError::BadUrl(format!("{err}")))?;
        let host = uri.host().ok_or_else(|| HttpError::BadUrl("it has no host".to_owned()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") if cfg!(feature = "tls") => {}
            Some("https") => return Err(HttpError::NoTls),
            _ => return Err(HttpError::BadUrl("it must begin with http:// or https://".to_owned())),
        }
        check_thread()?;
        let agent = agent(request, request.direct || is_local_host(host));
        let is_ipv6 = host.starts_with('[');
        let answer = match &request.json {
            Some(json) => {
                let call = with_key(agent.post(uri), request).content_type("application/json");
                call.send(&json[..])
            }
            None if request.head => with_key(agent.head(uri), request).call(),
            None => with_key(agent.get(uri), request).call(),
        };
        let answer = answer.map_err(|err| match err {
            ureq::Error::Io(err) if is_refused(&err, is_ipv6) => HttpError::Filtered(err.to_string()),
            err => explain(err),
        });
        read(answer?, request.max_body_bytes)
    }
}

/// Adds the key of a request.
fn with_key<B>(call: ureq::RequestBuilder<B>, request: &HttpRequest) -> ureq::RequestBuilder<B> {
    match &request.bearer {
        Some(key) => call.header("authorization", format!("Bearer {key}")),
        None => call,
    }
}

/// Returns whether a security profile refuses the socket. `RestrictAddressFamilies=` of systemd answers `EAFNOSUPPORT`, and
/// so does a kernel without IPv6 for an IPv6 address.
fn is_refused(err: &io::Error, is_ipv6: bool) -> bool {
    is_filtered(err) || !is_ipv6 && Errno::from_io_error(err) == Some(Errno::AFNOSUPPORT)
}

/// Checks that a thread can be started. `ureq` looks a host up on a thread of its own and panics without one.
fn check_thread() -> Result<(), HttpError> {
    let started = thread::Builder::new().spawn(|| ());
    // Joined, so that its stack is free for `ureq`'s thread.
    let ended = started.map(|thread| drop(thread.join()));
    ended.map_err(|err| HttpError::Other(format!("no thread can be started: {err}")))
}

fn agent(request: &HttpRequest, direct: bool) -> ureq::Agent {
    // A little less than the whole time, so that the error tells a host that was not reached from one that is slow.
    let to_reach = request.timeout * 9 / 10;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(request.timeout))
        .timeout_resolve(Some(to_reach))
        .timeout_connect(Some(to_reach))
        // A redirect is a finding and not to be followed: it may lead to another host.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(32 * 1024)
        // Each check asks once, and an idle connection would hold a descriptor.
        .max_idle_connections(0)
        .user_agent(concat!("hearthnet-doctor/", env!("CARGO_PKG_VERSION")));
    // A backend at home often has a self-made certificate that only the system's store knows.
    #[cfg(feature = "tls")]
    let config = config.tls_config(
        ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build(),
    );
    // A proxy would answer for its own machine.
    let config = if direct { config.proxy(None) } else { config };
    config.build().new_agent()
}

fn read(mut response: ureq::http::Response<ureq::Body>, max: usize) -> Result<HttpResponse, HttpError> {
    let text = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = response.headers().iter().filter_map(text).collect();
    let mut body = Vec::new();
    // One byte more than allowed detects a longer body without reading it.
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

/// Tells errors of `getaddrinfo` apart by their text, because std has no error kind for them. The texts are those of
/// `EAI_AGAIN` in glibc and musl.
fn explain_text(text: String) -> HttpError {
    match text.strip_prefix("failed to lookup address information: ") {
        Some("Temporary failure in name resolution" | "Try again") => HttpError::NoNameServer,
        Some(_) => HttpError::NameNotFound,
        None => HttpError::Other(text),
    }
}
