//! Marks of traces of which a part failed: in answers, and to the peers that answered well.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use obs_facade::http::keep::{self, Carrier, Courier, KEEP};
use obs_facade::http::{client, layer};
use obs_facade::testing::Capture;
use obs_facade::trace::{self, Marker, TraceId};
use tower::{Layer, ServiceExt};

fn count(obs: &Capture, direction: &str, result: &str) -> f64 {
    obs.metrics().value("hearthnet_trace_marks_total", [("direction", direction), ("result", result)])
}

/// Sends a call to a handler behind the layer, and returns the headers of the answer.
async fn call<F>(handler: impl Fn() -> F + Clone + Send + Sync + 'static) -> HeaderMap
where
    F: Future<Output = StatusCode> + Send + 'static,
{
    let app: axum::Router =
        axum::Router::new().route("/bus/v1/call", axum::routing::post(handler)).layer(layer());
    let request = Request::post("/bus/v1/call").header("X-HearthNet-Capability", "llm.chat");
    let answer = app.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    answer.headers().clone()
}

/// Asks a server whose answer has this status and these headers.
async fn ask(host: &str, status: u16, marked: bool) -> Result<Response<()>, tower::BoxError> {
    let service = tower::service_fn(move |_: Request<()>| async move {
        let answer = Response::builder().status(status);
        let answer = if marked { answer.header(KEEP, "error") } else { answer };
        match status {
            0..100 => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            _ => Ok(answer.body(()).unwrap()),
        }
    });
    client::layer()
        .layer(service)
        .oneshot(Request::get(format!("http://{host}:7080/")).body(()).unwrap())
        .await
}

#[tokio::test]
async fn a_failed_answer_has_the_mark_and_a_good_one_has_not() {
    let obs = Capture::new();
    let good = obs.scope(call(async || StatusCode::OK)).await;
    let failed = obs.scope(call(async || StatusCode::SERVICE_UNAVAILABLE)).await;
    assert!(!good.contains_key(KEEP));
    assert_eq!(failed[KEEP], "error");
    // The handler recovers from a failure of the node that it asked.
    let recovered = obs.scope(call(async || {
        ask("ada", 503, true).await.unwrap();
        StatusCode::OK
    }));
    assert_eq!(recovered.await[KEEP], "error");
    let traces = obs.traces();
    let record = traces.last();
    assert!(record.status().is_ok() && record.is_marked());
    assert_eq!(record.spans()[0].field("peer_keeps"), Some(&true.into()));
    assert_eq!(count(&obs, "answer", "kept"), 1.0);
}

#[tokio::test]
async fn a_call_without_an_answer_marks_its_trace_and_a_third_party_does_not() {
    let obs = Capture::new();
    let unanswered = obs.scope(call(async || {
        assert!(ask("ada", 0, false).await.is_err());
        StatusCode::OK
    }));
    assert!(unanswered.await.contains_key(KEEP));
    let of_a_stranger = obs.scope(call(async || {
        let answer = tower::service_fn(|_: Request<()>| async {
            Ok::<_, io::Error>(Response::builder().header(KEEP, "error").body(()).unwrap())
        });
        let request = Request::get("http://model.example/").body(()).unwrap();
        client::layer().third_party().layer(answer).oneshot(request).await.unwrap();
        StatusCode::OK
    }));
    assert!(!of_a_stranger.await.contains_key(KEEP));
    // Outside of a trace there is nothing to mark.
    let headers = HeaderMap::from_iter([(KEEP, "error".parse().unwrap())]);
    assert!(keep::note_answer(&headers, "ada") && !keep::note_answer(&HeaderMap::new(), "ada"));
}

/// Transport that notes what it carries. A peer gets nothing while it is cut off.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    carried: HashMap<String, Vec<TraceId>>,
    requests: usize,
    is_cut_off: bool,
    panics_next: bool,
}

impl Carrier for Noted {
    type Peer = String;
    type Error = &'static str;

    fn peer_at(&self, host: &str, port: u16) -> Option<String> {
        (port == 7080 && host != "model.example").then(|| host.to_owned())
    }

    async fn carry(&self, peer: String, ids: &[TraceId]) -> Result<Vec<TraceId>, &'static str> {
        let mut state = self.0.lock().unwrap();
        state.requests += 1;
        if std::mem::take(&mut state.panics_next) {
            drop(state);
            panic!("a fault of the carrier");
        }
        if state.is_cut_off {
            return Err("cut off");
        }
        state.carried.entry(peer).or_default().extend(ids);
        Ok(Vec::new())
    }
}

impl Noted {
    async fn wait(&self, is_done: impl Fn(&State) -> bool) {
        let done = async {
            while !is_done(&self.0.lock().unwrap()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), done).await.expect("the courier brings the marks");
    }
}

#[tokio::test]
async fn peers_that_answered_well_are_told_of_a_later_failure() {
    let (obs, noted) = (Capture::new(), Noted::default());
    let carrier = noted.clone();
    obs.scope(async {
        let retry = Duration::from_millis(10);
        let courier = Courier::new(carrier).retries(retry, retry).start();
        for _ in 0..50 {
            let good = call(async || {
                ask("ada", 200, false).await.map_or(StatusCode::BAD_GATEWAY, |_| StatusCode::OK)
            });
            assert!(!good.await.contains_key(KEEP));
        }
        {
            let mut state = noted.0.lock().unwrap();
            (state.is_cut_off, state.panics_next) = (true, true);
        }
        let failed = async || {
            // Bob knows of the failure, Eve and the model are no peers of the trace.
            for (host, marked) in [("ada", false), ("bob", true), ("model.example", false), ("ada", false)] {
                ask(host, 200, marked).await.unwrap();
            }
            StatusCode::INTERNAL_SERVER_ERROR
        };
        call(failed).await;
        noted.wait(|state| state.requests >= 3).await;
        noted.0.lock().unwrap().is_cut_off = false;
        noted.wait(|state| state.carried.contains_key("ada")).await;
        drop(courier);
    })
    .await;
    let id = obs.traces().last().trace_id();
    let state = noted.0.lock().unwrap();
    assert_eq!(state.carried, HashMap::from([("ada".to_owned(), vec![id])]));
}

#[test]
fn a_received_mark_is_counted_and_passed_on() {
    let obs = Capture::new();
    let left = obs.run(|| {
        let trace = trace::new_trace("llm.chat");
        trace.set_origin("ed25519:ada");
        trace.finish();
        let guessed: Vec<_> = (0..keep::MAX_IDS).map(|_| TraceId::generate()).collect();
        let ids = [vec![trace.id()], guessed].concat();
        assert_eq!(keep::receive(Marker::stranger("ed25519:eve"), &ids[..1]), ids[..1]);
        keep::receive(Marker::peer("ed25519:ada"), &ids)
    });
    assert_eq!(left.len(), keep::MAX_IDS, "all but the first");
    let counted = ["kept", "known", "foreign", "unknown"].map(|result| count(&obs, "received", result));
    assert_eq!(counted, [1.0, 0.0, 1.0, 255.0]);
}
