//! One request to the collector, bounded in time and in bytes.

use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::answer::{self, Answer};
use super::payload::Payload;

pub(in crate::otlp) struct Transport {
    agent: Agent,
    address: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

const PROTOBUF: &str = "application/x-protobuf";
/// Some collectors answer in JSON whatever they are asked in.
const ACCEPTED: &str = "application/x-protobuf, application/json;q=0.9";
const MAX_HEAD_BYTES: usize = 32 << 10;

impl Transport {
    pub(in crate::otlp) fn new(address: Uri, headers: Vec<(HeaderName, HeaderValue)>) -> Transport {
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
    pub(in crate::otlp) fn post(&self, body: &Payload, timeout: Duration) -> Answer {
        // `ureq` looks an address up in a thread of its own, and panics where the process gets none. At the end of this
        // thread its memory is free for the next one.
        match thread::Builder::new().spawn(|| ()) {
            Ok(thread) => drop(thread.join()),
            Err(error) => {
                return Answer::Later { why: format!("no thread can be started: {error}"), after: None };
            }
        }
        let request = self.agent.post(&self.address).header(CONTENT_TYPE, PROTOBUF).header(ACCEPT, ACCEPTED);
        let request = if body.is_gzipped { request.header(CONTENT_ENCODING, "gzip") } else { request };
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.config().timeout_global(Some(timeout)).build();
        match request.send(&body.bytes[..]) {
            Ok(response) => answer::read(response, body.is_gzipped),
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
