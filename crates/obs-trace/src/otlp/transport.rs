//! One request to the collector, bounded in time and in bytes.

use std::io::Read;
use std::time::Duration;

use prost::Message;
use ureq::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderName, HeaderValue, Response, Uri};
use ureq::{Agent, Body};

use super::backoff;
use super::message::{ExportTraceServiceResponse, PartialSuccess};

pub(super) struct Transport {
    agent: Agent,
    address: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The collector has taken the spans, but for so many, of which it says why.
    Taken { rejected: u64, why: String },
    /// It may take them later; it may have said when.
    Later { why: String, after: Option<Duration> },
    /// It will never take them.
    Refused { why: String },
}

const PROTOBUF: &str = "application/x-protobuf";
/// An answer is a handful of bytes and at most a message for people.
const MAX_BODY_BYTES: u64 = 64 << 10;
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Of a collector's own words.
const MAX_WHY_CHARS: usize = 200;

impl Transport {
    pub(super) fn new(address: Uri, headers: Vec<(HeaderName, HeaderValue)>) -> Transport {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEAD_BYTES)
            // A connection that is kept breaks when the collector is restarted, which would look like a failure.
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        // A collector at home often has a certificate that its owner made, and told only the system about.
        #[cfg(feature = "tls")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build(),
        );
        Transport { agent: config.build().new_agent(), address, headers }
    }

    /// Sends `body`, and reads the answer, within `timeout`.
    pub(super) fn post(&self, body: &[u8], timeout: Duration) -> Answer {
        let request = self.agent.post(&self.address).header(CONTENT_TYPE, PROTOBUF);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.config().timeout_global(Some(timeout)).build();
        match request.send(body) {
            Ok(response) => read(response),
            Err(error) => no_answer(&error),
        }
    }
}

/// Without a whole head there is no answer. A collector that cannot be reached or is silent may be
/// better later; one that does not speak HTTP is none.
fn no_answer(error: &ureq::Error) -> Answer {
    let why = error.to_string();
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed => Answer::Later { why, after: None },
        _ => Answer::Refused { why },
    }
}

fn read(response: Response<Body>) -> Answer {
    let status = response.status().as_u16();
    match status {
        200..300 => read_body(response),
        429 | 502 | 503 | 504 => {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Answer::Later { why: format!("status {status}"), after: after.and_then(backoff::retry_after) }
        }
        300..400 => {
            Answer::Refused { why: format!("status {status}, a redirect; name the address that it leads to") }
        }
        404 | 405 => Answer::Refused { why: format!("status {status}; no collector takes traces there") },
        _ => Answer::Refused { why: format!("status {status}") },
    }
}

/// A collector that says 200 has taken the spans, so they are never sent again, whatever follows.
fn read_body(mut response: Response<Body>) -> Answer {
    let content_type = response.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let is_protobuf = content_type.starts_with(PROTOBUF.as_bytes());
    let mut body = Vec::new();
    let read = response.body_mut().as_reader().take(MAX_BODY_BYTES + 1).read_to_end(&mut body);
    let refused = |why: &str| Answer::Refused { why: why.to_owned() };
    if body.len() as u64 > MAX_BODY_BYTES {
        return refused("no collector: its answer does not end");
    }
    if let Err(error) = read {
        return Answer::Refused { why: format!("no collector: its answer breaks off: {error}") };
    }
    if !body.is_empty() && !is_protobuf {
        return refused("no collector: its answer is not of the type application/x-protobuf");
    }
    match ExportTraceServiceResponse::decode(body.as_slice()) {
        Ok(ExportTraceServiceResponse { partial_success }) => taken(partial_success.unwrap_or_default()),
        Err(_) => refused("no collector: its answer is none of OTLP"),
    }
}

fn taken(PartialSuccess { rejected_spans, error_message }: PartialSuccess) -> Answer {
    let why = error_message.chars().take(MAX_WHY_CHARS).collect();
    Answer::Taken { rejected: u64::try_from(rejected_spans).unwrap_or(0), why }
}
