//! Child process: it serves the pages of all nodes at one port, and its own figures at 127.0.0.1.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use lexopt::prelude::*;
use serde_json::json;
use tokio::net::TcpListener;

use crate::fleet::Fleet;
use crate::{Done, address, process};

/// First argument of the child process.
pub(crate) const COMMAND: &str = "serve";

/// Node whose address a connection was made to. `None` at the address of the measurement.
#[derive(Clone, Copy)]
struct Node(Option<usize>);

impl Connected<IncomingStream<'_, TcpListener>> for Node {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        match stream.io().local_addr().map(|address| address.ip()) {
            Ok(IpAddr::V4(address)) => Self(address::node_at(address)),
            _ => Self(None),
        }
    }
}

struct Served {
    fleet: Fleet,
    /// Nodes that answer no scrape.
    down: Mutex<BTreeSet<usize>>,
    pages: AtomicU64,
    page_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

/// Serves `NODES` nodes at `PORT` until the process is killed.
pub(crate) fn run(mut args: lexopt::Parser) -> Done {
    let nodes: usize = args.value()?.parse()?;
    let port: u16 = args.value()?.parse()?;
    process::raise_descriptors();
    let served = Arc::new(Served {
        fleet: Fleet::new(nodes),
        down: Mutex::default(),
        pages: AtomicU64::new(0),
        page_bytes: AtomicU64::new(0),
        sent_bytes: AtomicU64::new(0),
    });
    let worked = Arc::clone(&served);
    thread::Builder::new().name(process::WORKER.to_owned()).spawn(move || worked.fleet.work())?;
    let router = Router::new()
        .route("/metrics", get(page))
        .route("/control/figures", get(figures))
        .route("/control/quiet", get(quiet))
        .route("/control/down/{node}", get(take_down))
        .with_state(served);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        axum::serve(listener, router.into_make_service_with_connect_info::<Node>()).await?;
        Ok(())
    })
}

/// Answers as a node does: rendered on a blocking thread, and compressed at the fastest level.
async fn page(
    ConnectInfo(Node(node)): ConnectInfo<Node>,
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
) -> Response {
    let Some(node) = node.filter(|node| *node < served.fleet.nodes()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if served.down.lock().is_ok_and(|down| down.contains(&node)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let gzip = accepted.is_some_and(|accepted| accepted.contains("gzip"));
    let made = tokio::task::spawn_blocking(move || {
        let page = served.fleet.page(node);
        let whole = page.len();
        let sent = if gzip { compress(&page) } else { page };
        served.pages.fetch_add(1, Ordering::Relaxed);
        served.page_bytes.fetch_add(whole as u64, Ordering::Relaxed);
        served.sent_bytes.fetch_add(sent.len() as u64, Ordering::Relaxed);
        sent
    });
    let Ok(sent) = made.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = Response::new(Body::from(sent));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; version=0.0.4"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    response
}

fn compress(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::fast());
    encoder.write_all(page).and_then(|()| encoder.finish()).expect("memory takes every write")
}

async fn figures(State(served): State<Arc<Served>>) -> String {
    let (p99, calls) = served.fleet.exact(0.99);
    json!({
        "p99": p99,
        "calls": calls,
        "pages": served.pages.load(Ordering::Relaxed),
        "page_bytes": served.page_bytes.load(Ordering::Relaxed),
        "sent_bytes": served.sent_bytes.load(Ordering::Relaxed),
    })
    .to_string()
}

async fn quiet(State(served): State<Arc<Served>>) {
    served.fleet.quiet();
}

async fn take_down(State(served): State<Arc<Served>>, Path(node): Path<usize>) {
    if let Ok(mut down) = served.down.lock() {
        down.insert(node);
    }
}
