//! Metrics of a community: shares of real nodes with consent, figures of three, and peers that lie.

use std::fs;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::backend::serve;
use crate::node::{ECHO, Home, Node, free_port};
use crate::signed::Signer;

const FIGURES: &str = "/metrics/community";
const SHARE: &str = "/metrics/community/share";
const REQUESTS: &str = "hearthnet_community_shares_total";
/// Deadline for what takes a few ticks of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts nodes of one community. The first one collects, and asks the others and the addresses in `more`. Each shares its
/// metrics of `consents`.
fn community(consents: &[&str], more: &[String]) -> Vec<Node> {
    let homes: Vec<_> = consents.iter().map(|_| Home::new()).collect();
    let ports: Vec<_> = consents.iter().map(|_| free_port()).collect();
    assert!(homes[0].run(&["init"]).status.success());
    let communities = homes[0].data().join("communities");
    // The ID of a community is that of the node that founded it.
    let id = fs::read_dir(&communities).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let manifest = fs::read(communities.join(&id).join("manifest.json")).unwrap();
    let peers: Vec<_> = ports[1..].iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
    let peers = [peers.as_slice(), more].concat();
    let start = |(index, home): (usize, Home)| {
        let peers = if index == 0 { peers.as_slice() } else { &[] };
        home.write_config(&format!(
            "transport = {{ host = \"127.0.0.1\", port = {}, rate_limit_soft_rps = 0, rate_limit_hard_rps = 0 }}\n\
             emergency.probe_targets = []\ncommunity.community_id = \"{id}\"\ndiscovery.static_peers = {peers:?}\n\
             [observability.federated]\nenabled = true\nmetrics_tick_seconds = 1\naggregator = \"{id}\"\n\
             consent.publish_to_community.metrics = {}\n",
            ports[index], consents[index],
        ));
        let folder = home.data().join("communities").join(&id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), &manifest).unwrap();
        Node::start(home, ports[index])
    };
    homes.into_iter().enumerate().map(start).collect()
}

/// Calls each of the nodes until the answer of the collector for the figures is as wanted. Returns its text.
async fn until(collector: &Node, called: &[&Node], wanted: impl Fn(u16, &str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        for node in called {
            assert_eq!(node.call(ECHO, &json!({ "input": {} })).send().await.unwrap().status(), 200);
        }
        let answer = collector.http.get(collector.url(FIGURES)).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        if wanted(status, &text) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{status} {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn status_of(node: &Node, path: &str) -> (u16, Value) {
    let answer = node.http.get(node.url(path)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn three_nodes_have_figures_and_two_have_none() {
    const ALL: &str = "[\"capability_calls_per_min\", \"error_rate_per_min\", \"p95_latency_ms_by_cap\"]";
    let mut nodes = community(&[ALL, ALL, "[\"capability_calls_per_min\", \"error_rate_per_min\"]"], &[]);
    let [collector, second, third] = &nodes[..] else { unreachable!() };
    let (status, refused) = status_of(collector, FIGURES).await;
    assert_eq!((status, &refused["error"]), (503, &json!("aggregation_too_few_nodes")));
    let (status, refused) = status_of(second, FIGURES).await;
    assert_eq!(status, 404);
    assert!(refused["message"].as_str().unwrap().contains(&collector.id().await), "{refused}");

    let page = until(collector, &[collector, second, third], |status, _| status == 200).await;
    assert!(
        page.contains("hearthnet_community_calls_per_minute{capability=\"experimental.echo\",band=\""),
        "{page}"
    );
    assert!(
        page.contains(
            "hearthnet_community_failed_calls_percent{capability=\"experimental.echo\",band=\"0-1\"} 0"
        ),
        "{page}"
    );
    assert!(!page.contains("p95"), "two of three share it: {page}");
    assert!(!page.contains("node.status"), "nobody called it: {page}");
    for node in &nodes {
        assert!(!page.contains(&node.id().await), "{page}");
    }

    // A share is for the collector alone.
    let (eve, body) = (Signer::new(9), json!({}));
    let refused = eve.signed_request(second, SHARE, SHARE, &body).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "consent_denied");
    let unsigned = second.http.post(second.url(SHARE)).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);

    // Without the third there is no figure of two, however much they do.
    drop(nodes.pop());
    let [collector, second] = &nodes[..] else { unreachable!() };
    until(collector, &[collector, second], |status, _| status == 503).await;
    let begun = Instant::now();
    while collector.metric(REQUESTS, "result=\"unreachable\"").await < Some(3.0) {
        until(collector, &[collector, second], |status, text| {
            assert_eq!(status, 503, "{text}");
            true
        })
        .await;
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn a_node_without_consent_shares_nothing() {
    let unasked = Home::new().start("");
    for answer in [unasked.http.get(unasked.url(FIGURES)), unasked.http.post(unasked.url(SHARE)).body("{}")] {
        let refused = answer.send().await.unwrap();
        assert_eq!(refused.status(), 404);
        let message = refused.json::<Value>().await.unwrap()["message"].to_string();
        assert!(message.contains("[observability.federated]"), "{message}");
    }
    // Two that consent, one that consents to nothing, and one to what this version does not share. What may leave the community
    // is first a metric of the community.
    let calls = "[\"capability_calls_per_min\"]";
    let none = "[]\nconsent.publish_to_federated.metrics = [\"capability_calls_per_min\"]";
    let nodes = community(&[calls, calls, none, "[\"gpu_pct\"]"], &[]);
    let all: Vec<_> = nodes.iter().collect();
    let begun = Instant::now();
    while nodes[0].metric(REQUESTS, "result=\"ok\"").await < Some(8.0) {
        until(&nodes[0], &all, |status, text| {
            assert_eq!(status, 503, "{text}");
            true
        })
        .await;
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(nodes[0].metric(REQUESTS, "result=\"declined\"").await >= Some(16.0));
}

/// Asks the collector for a snapshot. Returns the status and the figures, or the error.
async fn snapshot(collector: &Node, audience: &str) -> (u16, Value) {
    let name = format!("observability.{audience}_snapshot");
    let body = json!({ "input": { "window_hours": 24 } });
    let answer = collector.call(&name, &body).send().await.unwrap();
    let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
    (status, if status == 200 { body["output"].clone() } else { body["error"].clone() })
}

#[tokio::test]
async fn snapshots_have_machines_in_bands_and_the_consent_of_their_audience() {
    let all = "[\"capability_calls_per_min\", \"cpu_pct\", \"mem_total_mb\", \"disk_total_gb\", \"online_seconds\"]\n\
               consent.publish_to_federated.metrics = [\"mem_total_mb\", \"error_rate_per_min\"]";
    let two = "[\"mem_used_mb\", \"mem_total_mb\", \"online_seconds\"]\n\
               consent.publish_to_federated.metrics = [\"mem_total_mb\"]";
    let mut nodes = community(&[all, all, two], &[]);
    let [collector, second, third] = &nodes[..] else { unreachable!() };
    for audience in ["community", "federated"] {
        assert_eq!(snapshot(collector, audience).await, (503, json!("aggregation_too_few_nodes")));
    }
    let page = until(collector, &[collector, second, third], |status, text| {
        status == 200 && text.contains("hearthnet_community_memory_total_megabytes{band=\"")
    })
    .await;
    assert!(page.contains("hearthnet_community_online_seconds{band=\"0-600\"} 0"), "{page}");
    for absent in ["cpu", "disk", "memory_used", "calls"] {
        assert!(!page.contains(absent), "two of three share it: {page}");
    }

    let (status, community) = snapshot(collector, "community").await;
    let figures = &community["figures"];
    assert_eq!((status, figures["online_seconds"].as_str()), (200, Some("0-600")), "{community}");
    let (_, federated) = snapshot(collector, "federated").await;
    assert_eq!(federated["figures"], json!({ "mem_total_mb": figures["mem_total_mb"] }));
    for node in &nodes {
        assert!(!format!("{community}{federated}").contains(&node.id().await));
    }
    // The node that collects offers them, and no other.
    assert_eq!(second.get("/manifest").await["capabilities"].as_array().unwrap().len(), 2);
    assert_eq!(collector.get("/manifest").await["capabilities"].as_array().unwrap().len(), 4);

    // A node that stops takes no figure of the past along, and leaves none of two.
    drop(nodes.pop());
    let [collector, second] = &nodes[..] else { unreachable!() };
    until(collector, &[collector, second], |status, _| status == 503).await;
    assert_eq!(snapshot(collector, "federated").await.0, 200);
}

/// Server that is asked for a share and answers with `answer`.
async fn peer(answer: impl Fn(Value) -> String + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let share = post(move |body: String| {
        let answer = answer(serde_json::from_str(&body).unwrap());
        async move { answer }
    });
    let manifest = get(async || "{\"node_id\":\"p\",\"community_id\":\"c\",\"capabilities\":[]}");
    tokio::spawn(serve(listener, Router::new().route(SHARE, share).route("/manifest", manifest)));
    address
}

#[tokio::test]
async fn peers_that_lie_are_counted_and_move_no_figure() {
    let garbage = peer(|_| "\u{0}".repeat(1 << 20)).await;
    let forged = peer(|asked| json!({ "node_id": "ed25519:x", "period": asked["period"] }).to_string()).await;
    // A key of its own, a share for another community, and numbers as high as they may be.
    let key = SigningKey::from_bytes(&[5; 32]);
    let text = |bytes: &[u8]| format!("ed25519:{}", URL_SAFE_NO_PAD.encode(bytes));
    let id = text(key.verifying_key().as_bytes());
    let foreign = peer(move |asked| {
        let mut share = json!({
            "aggregator": id, "community_id": "c", "node_id": id, "period": asked["period"],
            "share": { "calls": { ECHO: 1_u64 << 40 } }, "tick_seconds": 1,
        });
        // serde_json sorts the keys. This needs nothing else for its canonical form.
        share["signature"] = text(&key.sign(share.to_string().as_bytes()).to_bytes()).into();
        share.to_string()
    })
    .await;
    let calls = "[\"capability_calls_per_min\"]";
    let nodes = community(&[calls; 3], &[garbage, forged, foreign]);
    let all: Vec<_> = nodes.iter().collect();
    let page = until(&nodes[0], &all, |status, _| status == 200).await;
    assert!(!page.contains("10000+"), "{page}");
    for result in ["malformed", "bad_signature", "foreign"] {
        let counted = nodes[0].metric(REQUESTS, &format!("result=\"{result}\"")).await;
        assert!(counted >= Some(1.0), "{result}");
    }
}
