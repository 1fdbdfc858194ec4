//! The routes of the router.

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use obs_facade::doctor::{BusError, CapabilityBus, Outcome};
use obs_facade::http::router;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Default)]
pub(crate) struct Node {
    capabilities: Vec<String>,
    peers: Vec<String>,
    is_alone: bool,
}

impl CapabilityBus for Node {
    fn node_id(&self) -> Option<String> {
        Some("ed25519:test".to_owned())
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Ok(self.capabilities.clone())
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(self.peers.clone())
    }

    fn recent_outcomes(&self, _: usize) -> Result<Vec<Outcome>, BusError> {
        Ok(Vec::new())
    }

    fn expects_peers(&self) -> bool {
        !self.is_alone
    }
}

async fn get(node: Node, path: &str, headers: &[(http::HeaderName, &str)]) -> Response<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    router(Arc::new(node)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().into()
}

async fn json_of(response: Response<Body>) -> Value {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    serde_json::from_slice(&bytes(response).await).unwrap()
}

#[tokio::test]
async fn health_names_the_node() {
    let response = get(Node::default(), "/health", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(json_of(response).await["node_id"], "ed25519:test");
}

#[tokio::test]
async fn ready_needs_a_capability_and_a_peer() {
    let some = || vec!["x".to_owned()];
    for (capabilities, peers, ready, reasons) in [
        (vec![], vec![], false, json!(["no capability is registered", "no peer answers"])),
        (some(), vec![], false, json!(["no peer answers"])),
        (vec![], some(), false, json!(["no capability is registered"])),
        (some(), some(), true, json!([])),
    ] {
        let response = get(Node { capabilities, peers, is_alone: false }, "/ready", &[]).await;
        let expected = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(response.status(), expected);
        let body = json_of(response).await;
        assert_eq!((&body["ready"], &body["reasons"]), (&json!(ready), &reasons));
        assert_eq!(body["peers"], body["peer_ids"].as_array().unwrap().len());
    }
}

#[tokio::test]
async fn a_node_that_expects_no_peers_is_ready_without_one() {
    for (capabilities, status) in
        [(vec!["x".to_owned()], StatusCode::OK), (vec![], StatusCode::SERVICE_UNAVAILABLE)]
    {
        let response = get(Node { capabilities, is_alone: true, ..Node::default() }, "/ready", &[]).await;
        assert_eq!(response.status(), status);
        assert_eq!(json_of(response).await["expects_peers"], false);
    }
}

#[tokio::test]
async fn the_metrics_page_has_every_format_and_gzip() {
    let plain = get(Node::default(), "/metrics", &[]).await;
    assert_eq!(plain.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert!(bytes(plain).await.starts_with(b"# HELP"));

    let asked = [(ACCEPT, "application/openmetrics-text"), (ACCEPT_ENCODING, "gzip")];
    let compressed = get(Node::default(), "/metrics", &asked).await;
    assert_eq!(
        compressed.headers()[CONTENT_TYPE],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(compressed.headers()[CONTENT_ENCODING], "gzip");
    let mut page = String::new();
    flate2::read::GzDecoder::new(&*bytes(compressed).await).read_to_string(&mut page).unwrap();
    assert!(page.ends_with("# EOF\n"));

    let asked = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,*/*;q=0.1";
    let protobuf = get(Node::default(), "/metrics", &[(ACCEPT, asked)]).await;
    assert_eq!(
        protobuf.headers()[CONTENT_TYPE],
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    );
    assert_eq!(protobuf.headers()[VARY], "Accept, Accept-Encoding");
    assert!(!bytes(protobuf).await.starts_with(b"#"));

    let ranges = get(Node::default(), "/metrics?histograms=vmrange", &[(ACCEPT, asked)]).await;
    assert_eq!(ranges.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let unknown = get(Node::default(), "/metrics?histograms=all", &[]).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    assert!(bytes(unknown).await.starts_with(b"histograms: unknown form"));
}

#[tokio::test]
async fn traces_are_listed_and_bad_parameters_refused() {
    let capability = "routes.test";
    obs_facade::trace::new_trace(capability).run(|| obs_facade::trace::in_span("work", || ()));
    let listed = json_of(get(Node::default(), "/trace/recent?n=1&capability=routes.test", &[]).await).await;
    assert_eq!(listed["traces"][0]["capability"], capability);
    assert_eq!(listed["traces"][0]["spans"][0]["name"], "work");

    assert!(listed["traces"][0].get("span_id").is_none(), "the form is unchanged unless asked");
    let id = listed["traces"][0]["trace_id"].as_str().unwrap().to_owned();
    let short = format!("/trace/recent?id={}~{}&span_ids=true", &id[..6], &id[22..]);
    let found = json_of(get(Node::default(), &short, &[]).await).await;
    assert_eq!(found["traces"][0]["trace_id"], id);
    assert_eq!(found["traces"][0]["spans"][0]["span_id"].as_str().unwrap().len(), 16);

    let refused = get(Node::default(), "/trace/recent?n=none", &[]).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json_of(refused).await["error"], "bad_request");

    let running = obs_facade::trace::new_trace("routes.running");
    let active = json_of(get(Node::default(), "/trace/active", &[]).await).await;
    assert!(active["traces"].as_array().unwrap().iter().any(|trace| trace["capability"] == "routes.running"));
    running.finish();
}

/// Clients that request large pages and do not read them neither exhaust the memory nor shut out small requests.
#[tokio::test]
async fn unread_trace_pages_share_a_budget() {
    for _ in 0..2_000 {
        obs_facade::trace::new_trace("routes.large").run(|| {
            for _ in 0..20 {
                obs_facade::trace::span("work").field("text", "x".repeat(100)).run(|| ());
            }
        });
    }
    let all = "/trace/recent?n=10000&capability=routes.large";
    let mut unread = Vec::new();
    let refused = loop {
        let page = get(Node::default(), all, &[]).await;
        if page.status() != StatusCode::OK {
            break page;
        }
        unread.push(page);
        assert!(unread.len() < 64, "a page of a MiB at least, each");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(json_of(refused).await["error"], "capacity_exceeded");
    let few = json_of(get(Node::default(), "/trace/recent?n=20&capability=routes.large", &[]).await).await;
    assert_eq!(few["traces"].as_array().unwrap().len(), 20);

    let held: usize = {
        let page = bytes(unread.pop().unwrap()).await;
        (unread.len() + 1) * page.len()
    };
    assert!((32 << 20..=65 << 20).contains(&held), "{held}");
    drop(unread);
    let page = json_of(get(Node::default(), all, &[]).await).await;
    assert_eq!(page["traces"].as_array().unwrap().len(), 2_000);
}
