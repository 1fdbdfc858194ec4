//! Download of lines.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::queries;
use crate::refused::Refused;
use crate::server::console::Console;
use crate::server::stream::{self, Broken};
use crate::server::work::Work;
use crate::source::Download;

/// Parts that wait for the reader. A slow reader holds two parts of memory, and no thread.
const WAITING: usize = 1;

pub(super) async fn logs(State(console): State<Arc<Console>>, request: Request) -> Result<Response, Refused> {
    let query = queries::logs(request.uri())?;
    let place = console.downloads.clone().try_acquire_owned();
    let place = place.map_err(|_| Refused::busy("too many downloads are under way; try again"))?;
    let source = console.source.clone();
    let download = console.calls.run(move || source.download(&query)).await??;
    // The first part is read before the head is sent, so that its failure has a status.
    let (part, download) = read(&console.streams, download).await?;
    let (parts, body) = stream::body(WAITING);
    if let Some(first) = part? {
        tokio::spawn(async move {
            send(console, first, download, parts).await;
            drop(place);
        });
    }
    Ok(response(body))
}

async fn send(console: Arc<Console>, first: Bytes, mut download: Box<dyn Download>, parts: stream::Parts) {
    let mut next = first;
    while parts.send(Ok(next)).await.is_ok() {
        let Ok((part, rest)) = read(&console.streams, download).await else { break };
        download = rest;
        next = match part {
            Ok(Some(part)) => part,
            Ok(None) => return,
            Err(_) => break,
        };
    }
    // The reader has gone, or learns that the file is not whole.
    let _ = parts.send(Err(Broken)).await;
}

type Part = Result<Option<Bytes>, Refused>;

/// Reads a part on a thread for blocking work.
async fn read(work: &Work, mut download: Box<dyn Download>) -> Result<(Part, Box<dyn Download>), Refused> {
    work.run(move || {
        let part = download.read().map(|part| part.map(Bytes::from)).map_err(Refused::from);
        (part, download)
    })
    .await
}

fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"hearthnet-log.jsonl\""),
    );
    response
}
