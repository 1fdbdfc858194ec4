//! `GET /metrics`: rendered off the runtime, once for all scrapers that wait for it (M5, M11).

use std::io::Write;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use obs_metrics::Format;
use tokio::sync::oneshot;

use super::accept::accepts_encoding;

pub(super) async fn page(headers: HeaderMap) -> Response {
    let format = Format::negotiate(joined(&headers, ACCEPT).as_deref());
    let gzip = accepts_encoding(joined(&headers, ACCEPT_ENCODING).as_deref(), "gzip");
    let (tell, told) = oneshot::channel();
    let wanted = Wanted { format, gzip, tell };
    let service = lock().join(wanted);
    if let Some(service) = service {
        tokio::task::spawn_blocking(|| service.run());
    }
    match told.await {
        Ok((body, encoded)) => respond(format, body, encoded),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A page and whether it is compressed.
type Page = (Bytes, bool);

struct Wanted {
    format: Format,
    gzip: bool,
    tell: oneshot::Sender<Page>,
}

/// Scrapers that wait for the next page, and whether a thread makes pages. However many come, one thread does, and what it
/// renders goes to all who came before it began: nobody gets a page that is older than the question.
struct Queue {
    waiting: Vec<Wanted>,
    is_served: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { waiting: Vec::new(), is_served: false });

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// The service, for whoever joins while there is none: it has to be run.
    fn join(&mut self, wanted: Wanted) -> Option<Service> {
        self.waiting.push(wanted);
        // A service that is made and dropped would end the one that runs.
        if std::mem::replace(&mut self.is_served, true) { None } else { Some(Service { is_over: false }) }
    }

    /// All who wait; the service ends when nobody does.
    fn next(&mut self) -> Vec<Wanted> {
        self.is_served = !self.waiting.is_empty();
        take(&mut self.waiting)
    }
}

/// Makes pages until nobody waits.
struct Service {
    is_over: bool,
}

impl Service {
    fn run(mut self) {
        loop {
            let waiting = lock().next();
            if waiting.is_empty() {
                self.is_over = true;
                return;
            }
            serve(waiting);
        }
    }
}

/// Where the service never ran, because its runtime ended, or where a render panicked: nobody waits for it any longer, and
/// the next scraper begins anew.
impl Drop for Service {
    fn drop(&mut self) {
        if !self.is_over {
            let given_up = take(&mut lock().waiting);
            lock().is_served = false;
            drop(given_up);
        }
    }
}

/// One page for all who want it in the same form.
fn serve(waiting: Vec<Wanted>) {
    let mut made: Vec<(Format, bool, Page)> = Vec::new();
    for Wanted { format, gzip, tell } in waiting.into_iter().filter(|wanted| !wanted.tell.is_closed()) {
        let known = made.iter().find(|(of, zipped, _)| (*of, *zipped) == (format, gzip));
        let page = known.map(|(.., page)| page.clone()).unwrap_or_else(|| {
            let page = render(format, gzip);
            made.push((format, gzip, page.clone()));
            page
        });
        // Who has gone needs none.
        _ = tell.send(page);
    }
}

/// The page and whether it is compressed.
fn render(format: Format, gzip: bool) -> Page {
    let plain = obs_metrics::expose(format);
    if !gzip {
        return (plain.into(), false);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    match encoder.write_all(&plain).and_then(|()| encoder.finish()) {
        Ok(compressed) => (compressed.into(), true),
        // Writing to memory does not fail; were it to, the plain page is still an answer.
        Err(_) => (plain.into(), false),
    }
}

fn respond(format: Format, body: Bytes, gzip: bool) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A list header may come as several lines; they read as one list (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}
