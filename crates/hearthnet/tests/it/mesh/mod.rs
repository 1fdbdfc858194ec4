//! Five nodes with a network that loses requests and is cut: a trace of which a part failed is kept on every node that took
//! part, a good one costs no request, and no peer evicts the traces of another.

mod node;
mod plan;
mod world;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use obs_facade::trace::{Config, TraceId};
use serde_json::Value;

use self::node::{CALLER, CAPABILITY, MeshNode, calls, send};
use self::plan::{NODES, Plan};
use self::world::World;
use crate::node::{Home, text_of};

/// Number of failing calls. `HEARTHNET_MESH_CALLS` sets another one for a longer run.
fn failing_calls() -> u64 {
    std::env::var("HEARTHNET_MESH_CALLS").ok().map_or(1_000, |calls| calls.parse().unwrap())
}

/// Calls under way at a time.
const AT_ONCE: usize = 16;
/// Capacity of the rings, which hold a part of the traces of a run.
const RING: usize = 500;
/// Deadline of the wait for the last marks.
const PATIENCE: Duration = Duration::from_secs(60);

struct Mesh {
    world: Arc<World>,
    nodes: Vec<MeshNode>,
    http: reqwest::Client,
}

impl Mesh {
    fn start(config: &Config, loses_all_marks: bool) -> Mesh {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listeners = [(); NODES].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let mut world = World::default();
        world.loses_all_marks = loses_all_marks;
        world.ports = std::array::from_fn(|node| listeners[node].local_addr().unwrap().port());
        let world = Arc::new(world);
        let start = |(node, listener)| MeshNode::start(node, world.clone(), listener, config);
        let nodes = listeners.into_iter().enumerate().map(start).collect();
        Mesh { nodes, http: reqwest::Client::builder().no_proxy().build().unwrap(), world }
    }

    /// Sends these calls to the first node. Returns their traces, and whether each was answered well.
    async fn send_all(&self, plans: impl Iterator<Item = Plan>) -> Vec<(TraceId, bool)> {
        let sent = plans.map(|plan| async move { send(&self.http, &self.world, 0, &plan).await });
        stream::iter(sent).buffer_unordered(AT_ONCE).collect().await
    }

    /// Returns the traces that each node keeps because a part of them failed.
    fn kept(&self) -> Vec<HashSet<TraceId>> {
        let of = |node: &MeshNode| {
            let retained = node.store.retained().into_iter();
            let broken = |status: &str| !matches!(status, "ok" | "cancelled");
            retained
                .filter(|record| record.is_marked() || broken(record.status().as_str()))
                .map(|record| record.trace_id())
                .collect()
        };
        self.nodes.iter().map(of).collect()
    }

    /// Returns those of the traces that a node which took part does not keep.
    fn torn(&self, traces: &[TraceId]) -> Vec<TraceId> {
        let kept = self.kept();
        let is_torn = |id: &TraceId| self.world.nodes_of(*id).iter().any(|node| !kept[*node].contains(id));
        traces.iter().copied().filter(is_torn).collect()
    }

    /// Waits until all of the traces are whole, or the deadline is over.
    async fn wait_for_marks(&self, traces: &[TraceId]) {
        let begun = Instant::now();
        while !self.torn(traces).is_empty() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes calls to a node and marks them all, together with guessed and foreign traces. Returns the number of its own that
    /// the node kept.
    async fn attack(&self, node: usize, foreign: &[TraceId], own: usize) -> usize {
        let plan = serde_json::to_string(&Plan { is_leaf: true, ..Plan::default() }).unwrap();
        let post = |path: &str| {
            let url = format!("http://127.0.0.1:{}{path}", self.world.ports[node]);
            self.http.post(url).header(CALLER, "eve")
        };
        let mut owned = Vec::new();
        for _ in 0..own {
            let call = post("/bus/v1/call").header("x-hearthnet-capability", CAPABILITY).body(plan.clone());
            let answer = call.send().await.unwrap();
            owned.push(answer.headers()["x-hearthnet-request-id"].to_str().unwrap().parse().unwrap());
        }
        let mark = async |ids: &[TraceId]| -> usize {
            let answer = post("/trace/keep").body(serde_json::to_string(ids).unwrap()).send().await.unwrap();
            ids.len() - answer.json::<Vec<Value>>().await.unwrap().len()
        };
        for _ in 0..20 {
            let guessed: Vec<_> = (0..250).map(|_| TraceId::generate()).collect();
            assert_eq!(mark(&guessed).await, 0, "guessed");
        }
        for foreign in foreign.chunks(250) {
            assert_eq!(mark(foreign).await, 0, "foreign");
        }
        let mut kept = 0;
        for owned in owned.chunks(250) {
            kept += mark(owned).await;
        }
        kept
    }
}

#[tokio::test]
async fn failed_traces_are_whole_on_all_nodes_under_loss_partitions_and_an_attack() {
    let failing = failing_calls();
    let kept_failed = failing as usize * 5 / 4;
    let mesh = Mesh::start(&Config::default().ring_capacity(RING).kept_failed(kept_failed), false);

    // Good calls over all five nodes: no request but the calls themselves.
    let good = mesh.send_all((0..100).map(Plan::good)).await;
    assert!(good.iter().all(|(_, is_ok)| *is_ok));
    assert_eq!(calls(&mesh.world), 100 * NODES as u64 + 20, "one of five calls has a branch");

    // Failing calls, with good ones in between. Now and then a link is cut, and calls fail at it.
    let mut broken = Vec::new();
    let batch = 50;
    for first in (0..failing).step_by(batch) {
        let link = (first / batch as u64) as usize % (2 * NODES);
        let is_cut = link < NODES - 1;
        mesh.world.cut(link.min(NODES - 1), is_cut);
        let plans = (first..failing.min(first + batch as u64)).map(Plan::bad);
        broken.extend(mesh.send_all(plans).await);
        mesh.world.cut(link.min(NODES - 1), false);
        let good = mesh.send_all((0..2).map(Plan::good)).await;
        assert!(good.iter().all(|(_, is_ok)| *is_ok));
    }
    let answered = broken.iter().filter(|(_, is_ok)| *is_ok).count();
    let broken: Vec<TraceId> = broken.into_iter().map(|(id, _)| id).collect();
    mesh.wait_for_marks(&broken).await;

    // A hostile peer, which knows the IDs, and makes calls of its own.
    let own = kept_failed / 2;
    let kept = mesh.attack(2, &broken, own).await;
    assert!(kept > 0, "it may mark what it asked for");

    mesh.nodes.iter().for_each(|node| node.flood(2 * RING));
    let torn = mesh.torn(&broken);
    let whole = 1.0 - torn.len() as f64 / broken.len() as f64;
    let marked = |direction, result| -> f64 {
        let labels = [("direction", direction), ("result", result)];
        mesh.nodes.iter().map(|node| node.metric("hearthnet_trace_marks_total", &labels)).sum()
    };
    println_figures(&mesh, broken.len(), answered, torn.len(), &marked);
    assert!(whole >= 0.999, "{} of {} are torn: {torn:?}", torn.len(), broken.len());
    for (id, _) in &good {
        assert!(!mesh.world.has_marked(*id), "a request for the good call {id}");
        assert!(mesh.kept().iter().all(|kept| !kept.contains(id)));
    }
    assert!(mesh.world.mark_requests.load(Ordering::Relaxed) > 0);
    assert!(marked("received", "foreign") > 0.0 && marked("received", "unknown") >= 5_000.0);

    shows_all_parts(&mesh, &broken);
}

/// The same failures where no mark reaches another node: one that answered well does not keep its part. So it is the marks that
/// keep the traces of the test above whole.
#[tokio::test]
async fn without_marks_failed_traces_are_torn() {
    let mesh = Mesh::start(&Config::default().ring_capacity(RING).kept_failed(500), true);
    let broken = mesh.send_all((0..100).map(Plan::bad)).await;
    let broken: Vec<TraceId> = broken.into_iter().map(|(id, _)| id).collect();
    let begun = Instant::now();
    while mesh.world.mark_requests.load(Ordering::Relaxed) < 20 {
        assert!(begun.elapsed() < PATIENCE, "the nodes try to tell each other");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    mesh.nodes.iter().for_each(|node| node.flood(2 * RING));
    let torn = mesh.torn(&broken).len();
    assert!(torn >= broken.len() / 4, "{torn} of {} are torn", broken.len());
    let received = |node: &MeshNode| {
        node.metric("hearthnet_trace_marks_total", &[("direction", "received"), ("result", "kept")])
    };
    assert!(mesh.nodes.iter().all(|node| received(node) == 0.0));
}

/// Shows the figures of a longer run, with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the figures of the run")]
fn println_figures(
    mesh: &Mesh,
    broken: usize,
    answered: usize,
    torn: usize,
    marked: &dyn Fn(&'static str, &'static str) -> f64,
) {
    println!(
        "{broken} failed traces ({answered} answered well all the same), {torn} torn; {} calls between nodes, {} requests with \
         marks; in answers {}, from callers {} kept and {} known, sent {} and dropped {}",
        calls(&mesh.world),
        mesh.world.mark_requests.load(Ordering::Relaxed),
        marked("answer", "kept"),
        marked("received", "kept"),
        marked("received", "known"),
        marked("sent", "delivered"),
        marked("sent", "dropped"),
    );
}

/// `hearthnet trace show --peers` joins the five parts of a trace that failed at its first node after all others answered well.
fn shows_all_parts(mesh: &Mesh, broken: &[TraceId]) {
    let of_all = |id: &&TraceId| mesh.world.nodes_of(**id).len() == NODES;
    let id = broken.iter().find(of_all).expect("a call reached all nodes").to_string();
    let peers: Vec<_> =
        mesh.world.ports[1..].iter().map(|port| format!("\"http://127.0.0.1:{port}\"")).collect();
    let home = Home::new();
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {} }}\ndiscovery = {{ static_peers = [{}] }}\n",
        mesh.world.ports[0],
        peers.join(", ")
    ));
    let shown = home.run(&["trace", "show", &id, "--peers", "--json"]);
    let answer: Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{shown:?}"));
    let parts = answer["parts"].as_array().unwrap();
    let nodes: HashSet<_> = parts.iter().map(|part| part["node"].to_string()).collect();
    assert_eq!(nodes.len(), NODES, "{answer}");
    let roots = parts.iter().filter(|part| part["parent"].is_null()).count();
    assert_eq!(roots, 1, "one tree: {answer}");
    let shown = home.run(&["trace", "show", &id, "--peers"]);
    assert!(text_of(&shown.stdout).matches(CAPABILITY).count() >= NODES, "{shown:?}");
}
