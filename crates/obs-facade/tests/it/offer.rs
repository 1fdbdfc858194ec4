//! Offered capabilities keep their names in a flood of made-up ones.

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use obs_facade::http::{CAPABILITY, layer};
use obs_facade::metrics::OVERFLOW;
use obs_facade::testing::Capture;
use obs_facade::trace::{self, Query};
use tower::ServiceExt;

/// Number of made-up names, which exceeds the capacity of the ring of traces.
const FLOOD: usize = 11_000;

async fn call(obs: &Capture, app: &Router, capability: &str) {
    let request = Request::post("/bus/v1/call").header(CAPABILITY, capability).body(Body::empty()).unwrap();
    let answer = obs.scope(app.clone().oneshot(request)).await.unwrap();
    obs.scope(answer.into_body().collect()).await.unwrap();
}

#[tokio::test]
async fn a_capability_offered_after_a_flood_is_counted_and_kept_by_name() {
    let obs = Capture::new();
    let app = Router::new().fallback(|| async { StatusCode::NOT_FOUND }).layer(layer());
    let flood = async |round: usize| {
        for n in 0..FLOOD {
            call(&obs, &app, &format!("made.up.{round}.{n}")).await;
        }
    };
    obs.run(|| obs_facade::offer(&["llm.chat"]));
    call(&obs, &app, "llm.chat").await;
    flood(0).await;
    obs.run(|| obs_facade::offer(&["rag.query"]));
    call(&obs, &app, "rag.query").await;
    flood(1).await;

    let counted = |capability| {
        obs.metrics().value("hearthnet_requests_total", [("capability", capability), ("result", "not_found")])
    };
    assert_eq!((counted("llm.chat"), counted("rag.query")), (1.0, 1.0));
    assert_eq!(counted(OVERFLOW), 2.0 * FLOOD as f64);
    let kept = |capability: &str| obs.run(|| trace::query(&Query::default().capability(capability)).len());
    assert_eq!((kept("llm.chat"), kept("rag.query")), (1, 1));
    assert_eq!(kept(&format!("made.up.1.{}", FLOOD - 1)), 1, "a trace has the name as it was sent");
}
