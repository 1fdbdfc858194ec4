//! axum with the facade: a line of the handler and the line `done`, a trace with a span, counters, export of the traces.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing::{get, post};
use obs_facade::doctor::NoBus;
use obs_facade::{Guard, Logger, ObservabilityConfig, http, info, trace};

use super::{Stack, replies};

static LOG: Logger = Logger::new("bench.http");

pub(super) struct Ours {
    config: ObservabilityConfig,
    guard: Option<Guard>,
}

impl Ours {
    fn with(config: ObservabilityConfig) -> Ours {
        let guard = obs_facade::configure(&config).expect("the folder is writable");
        Ours { config, guard: Some(guard) }
    }
}

impl Stack for Ours {
    const NAME: &'static str = super::OURS;
    const LINES: &'static [&'static str] = &["\"answered\"", "\"done\""];
    const COUNTED: &'static str = "hearthnet_requests_total{capability=\"bench:";

    fn start(folder: &Path, collector: &str) -> Self {
        Ours::with(ObservabilityConfig::new(folder).otlp_endpoint(collector))
    }

    fn routes(&self) -> Router {
        Router::new()
            .route("/echo", post(echo))
            .route("/stream", get(stream))
            .layer(http::layer().routes("bench"))
            .merge(http::router(Arc::new(NoBus)))
    }

    fn settle(&mut self) {
        // The drop of the last guard sends what waits, for two seconds.
        while is_busy() {
            drop(self.guard.take());
            self.guard = Some(obs_facade::configure(&self.config).expect("it was configured before"));
        }
        assert!(obs_facade::log::flush(Duration::from_secs(60)), "the writer is stuck");
    }
}

/// Returns whether a trace has not been sent yet.
fn is_busy() -> bool {
    // The last traces end while their answers are read.
    thread::sleep(Duration::from_millis(20));
    obs_facade::export_stats().is_some_and(|stats| stats.waiting + stats.sending > 0)
}

async fn echo(body: Bytes) -> Bytes {
    let work = async {
        info!(logger: LOG, bytes = body.len(), path = "/echo"; "answered");
        body
    };
    trace::span("answer").wrap(work).await
}

async fn stream() -> Response {
    let work = async {
        info!(logger: LOG, path = "/stream"; "answered");
        replies::chunks()
    };
    trace::span("answer").wrap(work).await
}

/// The same with the history of metrics and traces on disk.
pub(super) struct WithHistory(Ours);

impl Stack for WithHistory {
    const NAME: &'static str = super::HISTORY;
    const LINES: &'static [&'static str] = Ours::LINES;
    const COUNTED: &'static str = Ours::COUNTED;

    fn start(folder: &Path, collector: &str) -> Self {
        let config = ObservabilityConfig::new(folder).otlp_endpoint(collector).history(true);
        WithHistory(Ours::with(config))
    }

    fn routes(&self) -> Router {
        self.0.routes()
    }

    fn settle(&mut self) {
        self.0.settle();
    }
}
