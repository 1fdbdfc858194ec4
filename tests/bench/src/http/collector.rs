//! Collector of the traces: it accepts every request and reads them after the measurement.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::routing::post;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

pub(super) struct Collector {
    address: String,
    kept: Kept,
}

/// Bodies, and whether they are compressed.
type Kept = Arc<Mutex<Vec<(Bytes, bool)>>>;

impl Collector {
    /// Starts a collector on a thread of its own.
    pub(super) fn start() -> Collector {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = format!("http://{}", listener.local_addr().expect("the listener has an address"));
        let kept = Kept::default();
        let routes = Router::new()
            .route("/v1/traces", post(keep))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&kept));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("within a runtime");
                axum::serve(listener, routes).await
            })
        });
        Collector { address, kept }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns all spans that have come.
    pub(super) fn spans(&self) -> Vec<Span> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().flat_map(|(body, is_packed)| spans(body, *is_packed)).collect()
    }
}

async fn keep(
    State(kept): State<Kept>,
    headers: HeaderMap,
    body: Bytes,
) -> [(header::HeaderName, &'static str); 1] {
    let is_packed = headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    kept.lock().unwrap_or_else(PoisonError::into_inner).push((body, is_packed));
    // An empty message says that everything was accepted.
    [(header::CONTENT_TYPE, "application/x-protobuf")]
}

fn spans(body: &Bytes, is_packed: bool) -> impl Iterator<Item = Span> + use<> {
    let mut unpacked = Vec::new();
    let body = if is_packed {
        GzDecoder::new(&body[..]).read_to_end(&mut unpacked).expect("a body is whole");
        &unpacked[..]
    } else {
        &body[..]
    };
    let request = ExportTraceServiceRequest::decode(body).expect("a body is a request of OTLP");
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans)
}
