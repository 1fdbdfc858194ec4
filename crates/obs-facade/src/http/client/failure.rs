//! Kind and cause of a request that got no response.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

type AnyError = dyn Error + 'static;

/// Maximum number of errors that are followed. An error may be its own source.
const MAX_LINKS: usize = 16;
/// Maximum length of a cause in bytes, before secrets are hidden. A field holds 256.
const MAX_CAUSE_BYTES: usize = 1024;
/// OpenTelemetry's word for an error that has no name here.
const OTHER: &str = "_OTHER";

fn links(error: &AnyError) -> impl Iterator<Item = &AnyError> {
    std::iter::successors(Some(error), |link: &&AnyError| (*link).source()).take(MAX_LINKS)
}

/// Returns a short name for the kind of the error: that of the innermost link which has one.
pub(super) fn kind(error: &AnyError) -> &'static str {
    links(error).filter_map(kind_of_link).last().unwrap_or(OTHER)
}

fn kind_of_link(link: &AnyError) -> Option<&'static str> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = link.downcast_ref::<reqwest::Error>() {
        return kind_of_reqwest(error);
    }
    if link.is::<tokio::time::error::Elapsed>() {
        return Some("timeout");
    }
    if let Some(error) = link.downcast_ref::<hyper::Error>() {
        return kind_of_hyper(error);
    }
    // Some errors of I/O are only the cover of another error.
    let error = link.downcast_ref::<io::Error>()?;
    kind_of_io(error.kind())
}

#[cfg(feature = "reqwest")]
fn kind_of_reqwest(error: &reqwest::Error) -> Option<&'static str> {
    if error.is_timeout() {
        return Some("timeout");
    }
    if error.is_dns() {
        return Some("dns");
    }
    if error.is_connect() {
        return Some("connect");
    }
    if error.is_redirect() {
        return Some("redirect");
    }
    error.is_builder().then_some("invalid_request")
}

fn kind_of_hyper(error: &hyper::Error) -> Option<&'static str> {
    if error.is_timeout() {
        return Some("timeout");
    }
    if error.is_incomplete_message() || error.is_closed() {
        return Some("connection_closed");
    }
    error.is_parse().then_some("invalid_response")
}

fn kind_of_io(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind;
    Some(match kind {
        ErrorKind::AddrNotAvailable => "address_not_available",
        ErrorKind::BrokenPipe => "broken_pipe",
        ErrorKind::ConnectionAborted => "connection_aborted",
        ErrorKind::ConnectionRefused => "connection_refused",
        ErrorKind::ConnectionReset => "connection_reset",
        ErrorKind::HostUnreachable => "host_unreachable",
        ErrorKind::NetworkDown | ErrorKind::NetworkUnreachable => "network_unreachable",
        ErrorKind::NotConnected => "not_connected",
        ErrorKind::PermissionDenied => "permission_denied",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::UnexpectedEof => "connection_closed",
        _ => return None,
    })
}

/// Returns the messages of the error and its sources, outermost first, in one line without secrets.
pub(super) fn cause(error: &AnyError) -> String {
    let mut cause = String::new();
    for link in links(error) {
        let mut text = Bounded(String::new());
        // The only error is that of the bound.
        _ = write!(text, "{link}");
        let text = without_url(text.0, link);
        // Some errors repeat the message of their source.
        if text.is_empty() || cause.ends_with(&text) {
            continue;
        }
        if !cause.is_empty() {
            cause.push_str(": ");
        }
        cause.push_str(&text);
        if cause.len() >= MAX_CAUSE_BYTES {
            break;
        }
    }
    obs_doctor::redact(&cause)
}

/// Leaves out the URL of an error of `reqwest`, whose path and query may be secret. The span names the server anyway.
#[cfg(feature = "reqwest")]
fn without_url(text: String, link: &AnyError) -> String {
    match link.downcast_ref::<reqwest::Error>().and_then(reqwest::Error::url) {
        Some(url) => text.replace(&format!(" for url ({url})"), "").replace(url.as_str(), "(url)"),
        None => text,
    }
}

#[cfg(not(feature = "reqwest"))]
fn without_url(text: String, _: &AnyError) -> String {
    text
}

/// Text of bounded length.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = MAX_CAUSE_BYTES.saturating_sub(self.0.len());
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(std::fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error whose source is the one it covers.
    #[derive(Debug)]
    struct Cover(&'static str, Option<io::Error>);

    impl std::fmt::Display for Cover {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Cover {
        fn source(&self) -> Option<&AnyError> {
            self.1.as_ref().map(|source| source as &AnyError)
        }
    }

    #[test]
    fn the_innermost_kind_counts_and_messages_are_chained() {
        let refused = || Some(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = Cover("client error (Connect)", refused());
        assert_eq!(kind(&error), "connection_refused");
        assert_eq!(cause(&error), "client error (Connect): connection refused");
        assert_eq!(kind(&Cover("odd", None)), "_OTHER");
        assert_eq!(kind(&io::Error::from(io::ErrorKind::TimedOut)), "timeout");
    }

    #[test]
    fn a_cause_is_bounded_and_has_no_secret() {
        let long: &'static str = Box::leak("é".repeat(1 << 20).into_boxed_str());
        assert!(cause(&Cover(long, None)).len() <= MAX_CAUSE_BYTES);
        let secret = cause(&Cover("GET http://ann:hunter2@node/x?token=abcdef failed", None));
        assert!(!secret.contains("hunter2") && !secret.contains("abcdef"), "{secret}");
    }
}
