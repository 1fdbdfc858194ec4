//! axum with the stack that is usual for it: tower-http's `TraceLayer`, tracing-subscriber's JSON behind tracing-appender's
//! queue, metrics-exporter-prometheus, and tracing-opentelemetry with the SDK's batches to a collector.
//!
//! All of them have their defaults, apart from the level of the layer's span and line, which is `DEBUG`.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::{Instrument, Level, info, info_span};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Stack, replies};

pub(super) struct Usual {
    folder: PathBuf,
    page: PrometheusHandle,
    provider: SdkTracerProvider,
    _writer: WorkerGuard,
}

impl Stack for Usual {
    const NAME: &'static str = super::USUAL;
    const LINES: &'static [&'static str] = &["\"answered\"", "\"finished processing request\""];
    const COUNTED: &'static str = "http_requests_total{";

    fn start(folder: &Path, collector: &str) -> Self {
        let endpoint = format!("{collector}/v1/traces");
        let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build();
        let exporter = exporter.expect("a proper endpoint");
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
        let (lines, writer) =
            tracing_appender::non_blocking(tracing_appender::rolling::daily(folder, "day.log"));
        tracing_subscriber::registry()
            .with(LevelFilter::INFO)
            .with(tracing_subscriber::fmt::layer().json().with_writer(lines))
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("bench")))
            .init();
        let page = PrometheusBuilder::new().install_recorder().expect("there is no other recorder");
        keep_up(page.clone());
        Usual { folder: folder.to_owned(), page, provider, _writer: writer }
    }

    fn routes(&self) -> Router {
        let page = self.page.clone();
        let trace = TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
            .on_response(DefaultOnResponse::new().level(Level::INFO));
        Router::new()
            .route("/echo", post(echo))
            .route("/stream", get(stream))
            .layer(middleware::from_fn(count))
            .layer(trace)
            .route("/metrics", get(move || async move { page.render() }))
    }

    fn settle(&mut self) {
        // Spans that the processor's queue refused are lost by now.
        self.provider.force_flush().expect("the processor answers");
        let mut before = self.bytes();
        loop {
            thread::sleep(Duration::from_millis(20));
            let now = self.bytes();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

impl Usual {
    /// Returns the bytes of all lines. The queue of tracing-appender has no flush.
    fn bytes(&self) -> u64 {
        let files = self.folder.read_dir().expect("the folder can be read");
        files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
    }
}

/// Sorts observations into buckets every five seconds, as the exporter's own server does.
fn keep_up(page: PrometheusHandle) {
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(5));
            page.run_upkeep();
        }
    });
}

/// Counts a request and observes its duration, as in axum's example `prometheus-metrics`.
async fn count(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let path = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => request.uri().path().to_owned(),
    };
    let method = request.method().to_string();
    let response = next.run(request).await;
    let labels = [("method", method), ("path", path), ("status", response.status().as_u16().to_string())];
    counter!("http_requests_total", &labels).increment(1);
    histogram!("http_requests_duration_seconds", &labels).record(start.elapsed().as_secs_f64());
    response
}

async fn echo(body: Bytes) -> Bytes {
    let work = async {
        info!(bytes = body.len(), path = "/echo", "answered");
        body
    };
    work.instrument(info_span!("answer")).await
}

async fn stream() -> Response {
    let work = async {
        info!(path = "/stream", "answered");
        replies::chunks()
    };
    work.instrument(info_span!("answer")).await
}
