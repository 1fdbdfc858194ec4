//! Node of the simulation: the facade's layers and courier around a call that goes on to the next node, on a thread, with a
//! store and a runtime of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::{get, post};
use obs_facade::http::keep::{self, Carrier, Courier};
use obs_facade::http::{REQUEST_ID, client, layer};
use obs_facade::metrics::Registry;
use obs_facade::trace::{self, Config, Marker, Query, Store, TraceId, TraceRecord};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::{Layer as _, ServiceExt as _};

use super::plan::{Half, Moment, NODES, Plan};
use super::world::World;
use crate::backend::serve;

pub(crate) const CAPABILITY: &str = "experimental.chain";
/// Header that names the caller. In the simulation nobody lies in it, so it stands for a signature.
pub(crate) const CALLER: &str = "x-test-caller";

/// Node that runs until it is dropped.
pub(crate) struct MeshNode {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// State of the handlers.
#[derive(Clone)]
struct Here {
    node: usize,
    world: Arc<World>,
    http: reqwest::Client,
}

impl MeshNode {
    pub(crate) fn start(
        node: usize,
        world: Arc<World>,
        listener: std::net::TcpListener,
        config: &Config,
    ) -> MeshNode {
        let (store, registry) = (Store::new(config.clone()).unwrap(), Registry::new());
        let (end, ended) = oneshot::channel();
        let (own_store, own_registry) = (store.clone(), registry.clone());
        let thread = std::thread::spawn(move || {
            let _store = own_store.enter();
            let _registry = own_registry.enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let http =
                    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
                let here = Here { node, world, http };
                let (first, last) = (Duration::from_millis(20), Duration::from_millis(200));
                let _courier = Courier::new(here.clone()).retries(first, last).start();
                listener.set_nonblocking(true).unwrap();
                let serving = serve(TcpListener::from_std(listener).unwrap(), here.router());
                tokio::select! {
                    () = serving => {}
                    _ = ended => {}
                }
            });
        });
        MeshNode { store, registry, end: Some(end), thread: Some(thread) }
    }

    /// Ends so many good traces that the ring holds nothing else.
    pub(crate) fn flood(&self, traces: usize) {
        let _store = self.store.enter();
        let _registry = self.registry.enter();
        (0..traces).for_each(|_| drop(trace::new_trace("flood").finish()));
    }

    /// Returns the sum of the samples of a family that have these labels.
    pub(crate) fn metric(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        obs_facade::metrics::testing::value(&self.registry, family, labels).unwrap_or_default()
    }
}

impl Drop for MeshNode {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Here {
    fn router(self) -> Router {
        Router::new()
            .route("/bus/v1/call", post(call))
            .layer(layer())
            .route("/trace/keep", post(marks))
            .route("/trace/recent", get(recent))
            .with_state(self)
    }

    /// Runs the plan on this node.
    async fn run(&self, plan: &Plan) -> StatusCode {
        let fails = |moment| plan.fails == Some((self.node, moment));
        if fails(Moment::Before) {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        if self.node == 1 && plan.branches {
            let leaf = Plan { is_leaf: true, ..Plan::default() };
            if !self.ask(NODES - 1, &leaf, None).await {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
        }
        let next = self.node + 1;
        if next < NODES && !plan.is_leaf {
            let lost = plan.lost.filter(|(from, _)| *from == self.node).map(|(_, half)| half);
            if !self.ask(next, plan, lost).await && plan.recovers != Some(self.node) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
        }
        if fails(Moment::After) { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    }

    /// Asks another node through the client layer. Returns whether it answered well.
    async fn ask(&self, to: usize, plan: &Plan, lost: Option<Half>) -> bool {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let link = tower::service_fn(|request: Request<String>| async move {
            if lost == Some(Half::Request) || self.world.is_cut(self.node, to) {
                return Err(reset());
            }
            let (head, body) = request.into_parts();
            let request = self.http.post(head.uri.to_string()).headers(head.headers).body(body);
            let mut answer = request.send().await.map_err(io::Error::other)?;
            if self.world.loses_all_marks {
                answer.headers_mut().remove(keep::KEEP);
            }
            // The server has answered, and its caller never learns of it.
            if lost == Some(Half::Answer) { Err(reset()) } else { Ok(axum::http::Response::from(answer)) }
        });
        let request = Request::post(format!("http://127.0.0.1:{}/bus/v1/call", self.world.ports[to]))
            .header("x-hearthnet-capability", CAPABILITY)
            .header(CALLER, self.node.to_string())
            .body(serde_json::to_string(plan).unwrap())
            .unwrap();
        client::layer()
            .layer(link)
            .oneshot(request)
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

async fn call(State(here): State<Here>, headers: HeaderMap, body: String) -> StatusCode {
    let current = trace::current_trace().expect("the layer has begun a trace");
    if let Some(caller) = headers.get(CALLER) {
        current.set_origin(caller.to_str().unwrap());
    }
    here.world.took_part(current.id(), here.node);
    here.run(&serde_json::from_str(&body).unwrap()).await
}

impl Carrier for Here {
    type Peer = usize;
    type Error = String;

    fn peer_at(&self, host: &str, port: u16) -> Option<usize> {
        self.world.ports.iter().position(|known| *known == port).filter(|_| host == "127.0.0.1")
    }

    async fn carry(&self, peer: usize, ids: &[TraceId]) -> Result<Vec<TraceId>, String> {
        let (loses_request, loses_answer) = self.world.marks(ids);
        if loses_request || self.world.is_cut(self.node, peer) {
            return Err("the request is lost".to_owned());
        }
        let url = format!("http://127.0.0.1:{}/trace/keep", self.world.ports[peer]);
        let request = self.http.post(url).header(CALLER, self.node.to_string()).body(json!(ids).to_string());
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let left = ids_of(&answer.text().await.map_err(|error| error.to_string())?);
        if loses_answer { Err("the answer is lost".to_owned()) } else { Ok(left) }
    }
}

async fn marks(headers: HeaderMap, body: String) -> String {
    let caller = Marker::peer(headers[CALLER].to_str().unwrap());
    json!(keep::receive(caller, &ids_of(&body))).to_string()
}

fn ids_of(body: &str) -> Vec<TraceId> {
    let ids: Vec<String> = serde_json::from_str(body).unwrap();
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

/// Serves the records of one trace, as a node does.
async fn recent(RawQuery(query): RawQuery) -> String {
    let query = query.unwrap_or_default();
    let id = query.split('&').find_map(|parameter| parameter.strip_prefix("id=")?.parse().ok());
    let records = id.map_or_else(Vec::new, |id: TraceId| trace::query(&Query::default().id(id)));
    let records: Vec<_> = records.iter().map(|record: &Arc<TraceRecord>| record.with_span_ids()).collect();
    json!({ "traces": records }).to_string()
}

/// Sends a call to the first node, as a client that is no node. Returns its trace and whether it was answered well.
pub(crate) async fn send(http: &reqwest::Client, world: &World, node: usize, plan: &Plan) -> (TraceId, bool) {
    let url = format!("http://127.0.0.1:{}/bus/v1/call", world.ports[node]);
    let request = http.post(url).header("x-hearthnet-capability", CAPABILITY);
    let answer = request.body(serde_json::to_string(plan).unwrap()).send().await.unwrap();
    let id = answer.headers()[REQUEST_ID].to_str().unwrap().parse().unwrap();
    (id, answer.status() == 200)
}

/// Returns the number of calls that all nodes have taken.
pub(crate) fn calls(world: &World) -> u64 {
    world.calls.load(Ordering::Relaxed)
}
