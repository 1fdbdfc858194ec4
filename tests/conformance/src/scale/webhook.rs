//! Receiver of an Alertmanager's webhook, and of exports that it refuses or takes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::case::Outcome;

/// Maximum length of a message in bytes, more than any case needs.
const MOST_BYTES: u64 = 16 << 20;

/// Alert as it was told: its name, the node and `firing` or `resolved`.
type Told = (String, String, String);

/// HTTP server on loopback that keeps what it is told. It answers until the program ends.
#[derive(Clone, Default)]
pub(super) struct Webhook {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    told: Mutex<BTreeSet<Told>>,
    /// Paths and bodies of exports.
    exports: Mutex<Vec<(String, Vec<u8>)>>,
    refuses: AtomicBool,
}

impl Webhook {
    pub(super) fn start() -> Outcome<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let webhook = Self { address: listener.local_addr()?.to_string(), state: Arc::default() };
        let state = Arc::clone(&webhook.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A client may disconnect halfway. That is no failure of the receiver.
                std::thread::spawn(move || answer(stream, &state));
            }
        });
        Ok(webhook)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Answers 400 from now on, or 200.
    pub(super) fn refuse(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Returns whether this was told of an alert of a node.
    pub(super) fn has(&self, alert: &str, node: &str, status: &str) -> bool {
        let told = self.state.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.contains(&(alert.to_owned(), node.to_owned(), status.to_owned()))
    }

    /// Forgets what was told of an alert, so that it has to be told again.
    pub(super) fn forget(&self, alert: &str) {
        self.state.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, ..)| name != alert);
    }

    /// Returns everything that was told.
    pub(super) fn told(&self) -> BTreeSet<Told> {
        self.state.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the bodies that were sent to this path of OTLP.
    pub(super) fn exports(&self, path: &str) -> Vec<Vec<u8>> {
        let exports = self.state.exports.lock().unwrap_or_else(PoisonError::into_inner);
        exports.iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone()).collect()
    }
}

fn answer(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let (mut length, mut is_compressed) = (0, false);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let header = header.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        is_compressed |= header.starts_with("content-encoding:") && header.contains("gzip");
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    if is_compressed {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).take(MOST_BYTES).read_to_end(&mut plain)?;
        body = plain;
    }
    let refuses = state.refuses.load(Ordering::SeqCst);
    match request.split(' ').nth(1).filter(|path| path.starts_with("/v1/")) {
        Some(path) => {
            state.exports.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), body))
        }
        None => note(&body, state),
    }
    let status = if refuses { "400 Bad Request" } else { "200 OK" };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn note(body: &[u8], state: &State) {
    let Ok(message) = serde_json::from_slice::<Value>(body) else { return };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut told = state.told.lock().unwrap_or_else(PoisonError::into_inner);
    for alert in message["alerts"].as_array().into_iter().flatten() {
        let labels = &alert["labels"];
        told.insert((text(&labels["alertname"]), text(&labels["node_name"]), text(&alert["status"])));
    }
}
