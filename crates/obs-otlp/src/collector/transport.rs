//! A request to the collector, bounded in time and in bytes.

use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::payload::Payload;
use super::reply::{self, Reply};
use crate::signal::Signal;

pub(crate) struct Transport {
    agent: Agent,
    address: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    signal: Signal,
}

const PROTOBUF: &str = "application/x-protobuf";
/// Some collectors respond in JSON to every request.
const ACCEPTED: &str = "application/x-protobuf, application/json;q=0.9";
/// Maximum length of a response's head. Collectors send a few hundred bytes, proxies some KiB.
const MAX_HEAD_BYTES: usize = 32 << 10;

impl Transport {
    pub(crate) fn new(signal: Signal, address: Uri, headers: Vec<(HeaderName, HeaderValue)>) -> Transport {
        let config = Agent::config_builder()
            // The body of a failure says what is wrong.
            .http_status_as_error(false)
            // A redirect could take headers with secrets to another server.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEAD_BYTES)
            // A kept connection breaks when the collector restarts, which would look like a failed request.
            .max_idle_connections(0)
            // None unless `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY` names one. `NO_PROXY` has addresses without.
            .proxy(ureq::Proxy::try_from_env())
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        // A collector at home often has a private certificate that only the system trusts.
        #[cfg(feature = "tls")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build(),
        );
        Transport { agent: config.build().new_agent(), address, headers, signal }
    }

    /// Sends `body` and reads the reply, within `timeout`.
    pub(crate) fn post(&self, body: &Payload, timeout: Duration) -> Reply {
        // ureq starts a thread for each DNS lookup, and panics if the system refuses it. Catching the panic would not do:
        // the panic hook prints first, at every retry. So a thread is started here to see whether one can be. It has ended
        // before ureq's starts, so the limit admits that one too.
        match thread::Builder::new().spawn(|| ()) {
            Ok(thread) => drop(thread.join()),
            Err(error) => {
                return Reply::Retry { why: format!("no thread can be started: {error}"), after: None };
            }
        }
        let request = self.agent.post(&self.address).header(CONTENT_TYPE, PROTOBUF).header(ACCEPT, ACCEPTED);
        let request = if body.is_gzipped { request.header(CONTENT_ENCODING, "gzip") } else { request };
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.config().timeout_global(Some(timeout)).build();
        match request.send(&body.bytes[..]) {
            Ok(response) => reply::read(self.signal, response, body.is_gzipped),
            Err(error) => no_response(&error),
        }
    }
}

/// Returns the reply that stands for a missing one. A collector that cannot be reached or is silent may respond later. A
/// server that does not speak HTTP is not a collector.
fn no_response(error: &ureq::Error) -> Reply {
    let why = error.to_string();
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed => Reply::Retry { why, after: None },
        _ => Reply::Refused { why },
    }
}
