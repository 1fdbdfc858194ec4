//! Tail of the log as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::queries;
use crate::access::Viewer;
use crate::api::{Refusal, TailLines};
use crate::refused::Refused;
use crate::server::console::Console;
use crate::server::stream;
use crate::source::Tail;

/// Time between events. Four a second look live, and cost a browser little.
const PACE: Duration = Duration::from_millis(250);

/// Time without lines after which a comment shows that the connection lives. Proxies and browsers give up after thirty seconds.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Lines of an event. A browser shows two thousand a second.
const LINES: usize = 500;

/// Bytes of the lines of an event. A line can be some 64 KiB long.
const BYTES: usize = 1 << 20;

/// Events that wait for the viewer. The tail counts the lines that a slow viewer misses meanwhile.
const WAITING: usize = 1;

/// Text before the events: the browser's pause before it connects again, in milliseconds.
const HEAD: &[u8] = b"retry: 2000\n\n";

pub(super) async fn tail(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    request: Request,
) -> Result<Response, Refused> {
    let query = queries::tail(request.uri())?;
    let place = console.viewers.clone().try_acquire_owned();
    let place = place.map_err(|_| Refused::busy("too many tails are open; close one"))?;
    let source = console.source.clone();
    let tail = console.calls.run(move || source.tail(&query)).await??;
    let (events, body) = stream::body(WAITING);
    tokio::spawn(Watch { console, viewer, events, quiet_since: Instant::now(), _place: place }.run(tail));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// A viewer of a tail.
struct Watch {
    console: Arc<Console>,
    viewer: Viewer,
    events: stream::Parts,
    quiet_since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// Sends events until the viewer goes, its session ends, the node stops, or the log cannot be read.
    async fn run(mut self, tail: Box<dyn Tail>) {
        let events = self.events.clone();
        let end = tokio::select! {
            () = events.closed() => return,
            end = self.send_all(tail) => end,
        };
        if let Some(end) = end {
            let refusal = Refusal { error: end.name().to_owned(), message: end.message.into_owned() };
            let _ = events.send(Ok(event("failed", &refusal))).await;
        }
    }

    /// Returns the reason for the end, or `None` if the viewer has gone.
    async fn send_all(&mut self, mut tail: Box<dyn Tail>) -> Option<Refused> {
        self.events.send(Ok(Bytes::from_static(HEAD))).await.ok()?;
        loop {
            // Lines are read when there is room to send them, so that they wait in the tail, which counts.
            let room = self.events.clone().reserve_owned().await.ok()?;
            if let Err(end) = self.console.gate.require_open(self.viewer) {
                return Some(end);
            }
            let read = move || {
                let lines = tail.read(LINES).map(bounded);
                let next = lines.map(|lines| (!is_empty(&lines)).then(|| event("lines", &lines)));
                (next, tail)
            };
            let next = match self.console.streams.run(read).await {
                Ok((next, rest)) => {
                    tail = rest;
                    next
                }
                Err(refused) => return Some(refused),
            };
            match next {
                Ok(Some(event)) => {
                    room.send(Ok(event));
                    self.quiet_since = Instant::now();
                }
                Ok(None) if self.quiet_since.elapsed() >= HEARTBEAT => {
                    room.send(Ok(Bytes::from_static(b": alive\n\n")));
                    self.quiet_since = Instant::now();
                }
                Ok(None) => drop(room),
                Err(failure) => return Some(failure.into()),
            }
            tokio::time::sleep(PACE).await;
        }
    }
}

fn is_empty(lines: &TailLines) -> bool {
    lines.lines.is_empty() && lines.skipped == 0 && lines.filtered == 0
}

/// Leaves the oldest lines out that are too many or too long for an event, and counts them.
fn bounded(mut lines: TailLines) -> TailLines {
    let mut bytes = 0;
    let newest = lines.lines.iter().rev().take(LINES).take_while(|line| {
        bytes += serde_json::to_vec(line).map_or(0, |json| json.len());
        bytes <= BYTES
    });
    let surplus = lines.lines.len() - newest.count();
    lines.lines.drain(..surplus);
    lines.skipped += surplus as u64;
    lines
}

/// Writes an event. JSON has no line breaks outside of strings, and escapes those within.
fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
