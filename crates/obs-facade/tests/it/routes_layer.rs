//! The request layer over a router of one's own: each request is named by the template of its route.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use obs_facade::http::{CAPABILITY, REQUEST_ID, ResultCode, layer, router};
use obs_facade::testing::Capture;
use obs_facade::{metrics, trace};
use tower::ServiceExt;

const ID: &str = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";

/// A router with each kind of route, under one layer.
fn app() -> Router {
    let api = Router::new()
        .route("/users/{name}", get(|| async { "user" }).delete(|| async { StatusCode::NO_CONTENT }))
        .nest("/deep", Router::new().route("/{*rest}", any(|| async { "deep" })));
    Router::new()
        .route("/", get(|| async { "home" }))
        .route("/items/{id}", get(|| async { "item" }).post(|| async { StatusCode::CREATED }))
        .route("/status/{code}", any(status))
        .route("/bus/v1/call", post(|| async { "answer" }))
        .nest("/api", api)
        .nest_service("/files", any(|| async { "file" }))
        .layer(layer().routes("web"))
}

async fn status(axum::extract::Path(code): axum::extract::Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// Sends a request and reads the whole answer.
async fn exchange(obs: &Capture, app: Router, request: Request<Body>) -> (StatusCode, Bytes) {
    let answer = obs.scope(app.oneshot(request)).await.unwrap();
    let status = answer.status();
    (status, obs.scope(answer.into_body().collect()).await.unwrap().to_bytes())
}

/// Asserts one trace, one line and one count.
fn assert_recorded(obs: &Capture, capability: &str, result: &str) {
    assert_eq!(obs.traces().all().len(), 1, "{capability}: one trace");
    assert_eq!(obs.traces().last().capability(), capability);
    obs.logs().single("done").field("capability", capability);
    let labels = [("capability", capability), ("result", result)];
    assert_eq!(obs.metrics().value("hearthnet_requests_total", labels), 1.0, "{capability} {result}");
    assert_eq!(obs.metrics().value("hearthnet_requests_total", []), 1.0);
    let durations = [("capability", capability)];
    assert_eq!(obs.metrics().value("hearthnet_request_duration_seconds_count", durations), 1.0);
    assert_eq!(obs.metrics().value("hearthnet_active_streams", []), 0.0);
}

#[tokio::test]
async fn a_request_is_named_by_its_template() {
    let cases = [
        ("GET", "/", 200, "web:GET /", "ok"),
        ("GET", "/items/7?q=secret", 200, "web:GET /items/{id}", "ok"),
        ("POST", "/items/7", 201, "web:POST /items/{id}", "ok"),
        ("HEAD", "/items/7", 200, "web:HEAD /items/{id}", "ok"),
        ("PUT", "/items/7", 405, "web:PUT /items/{id}", "http_4xx"),
        ("OPTIONS", "/status/204", 204, "web:OPTIONS /status/{code}", "ok"),
        ("TRACE", "/status/200", 200, "web:TRACE /status/{code}", "ok"),
        ("PROPFIND", "/status/200", 200, "web:other /status/{code}", "ok"),
        ("get", "/status/200", 200, "web:other /status/{code}", "ok"),
        ("GET", "/api/users/ann", 200, "web:GET /api/users/{name}", "ok"),
        ("DELETE", "/api/users/ann", 204, "web:DELETE /api/users/{name}", "ok"),
        ("GET", "/api/deep/a/b/c", 200, "web:GET /api/deep/{*rest}", "ok"),
        ("GET", "/missing", 404, "web:unmatched", "not_found"),
        ("DELETE", "/api/missing", 404, "web:unmatched", "not_found"),
        ("GET", "/files/a.txt", 200, "web:unmatched", "ok"),
    ];
    for (method, path, status, capability, result) in cases {
        let obs = Capture::new();
        let answered = exchange(&obs, app(), request(method, path)).await.0;
        assert_eq!(answered, status, "{method} {path}");
        assert_recorded(&obs, capability, result);
        obs.logs().single("done").field("http_status", status);
    }
}

#[tokio::test]
async fn the_status_decides_the_result() {
    let cases = [
        (200, "ok"),
        (304, "ok"),
        (400, "bad_request"),
        (401, "unauthorized"),
        (403, "revoked"),
        (404, "not_found"),
        (408, "timeout"),
        (409, "http_4xx"),
        (410, "expired"),
        (418, "http_4xx"),
        (429, "rate_limited"),
        (500, "internal_error"),
        (501, "not_implemented"),
        (502, "http_5xx"),
        (503, "partition"),
        (504, "http_5xx"),
    ];
    for (status, result) in cases {
        let obs = Capture::new();
        exchange(&obs, app(), request("GET", &format!("/status/{status}"))).await;
        assert_recorded(&obs, "web:GET /status/{code}", result);
        let level = if result == "ok" { "info" } else { "warning" };
        obs.logs().single("done").field("status", result).field("level", level);
    }
}

#[tokio::test]
async fn a_handler_may_set_the_result() {
    async fn by_extension() -> impl IntoResponse {
        (StatusCode::BAD_REQUEST, axum::Extension(ResultCode("schema_mismatch")))
    }
    async fn by_trace() -> &'static str {
        trace::current_trace().unwrap().fail("capacity_exceeded");
        "text"
    }
    let app = Router::new().route("/a", get(by_extension)).route("/b", get(by_trace));
    let app = app.layer(layer().routes("web"));
    for (path, result) in [("/a", "schema_mismatch"), ("/b", "capacity_exceeded")] {
        let obs = Capture::new();
        exchange(&obs, app.clone(), request("GET", path)).await;
        assert_recorded(&obs, &format!("web:GET {path}"), result);
    }
}

#[tokio::test]
async fn a_bus_call_keeps_its_name_and_is_counted_once() {
    let obs = Capture::new();
    let mut call = request("POST", "/bus/v1/call");
    call.headers_mut().insert(CAPABILITY, "llm.chat".parse().unwrap());
    exchange(&obs, app(), call).await;
    assert_recorded(&obs, "llm.chat", "ok");
    assert_eq!(obs.logs().single("done").json().get("http_status"), None);
}

#[tokio::test]
async fn without_routes_other_requests_pass_unobserved() {
    let obs = Capture::new();
    let app = Router::new().route("/", get(|| async { "home" })).layer(layer());
    exchange(&obs, app, request("GET", "/")).await;
    assert!(obs.traces().all().is_empty() && obs.logs().all().is_empty());
}

#[tokio::test]
async fn two_layers_record_a_request_once() {
    let routes = || Router::new().route("/items/{id}", get(|| async { "item" }));
    let bus = || Router::new().route("/bus/v1/call", post(|| async { "answer" }));
    let twice = routes().merge(bus()).layer(layer().routes("web")).layer(layer().routes("web"));
    let inner_and_outer =
        Router::new().merge(routes().layer(layer().routes("web"))).merge(bus().layer(layer())).layer(layer());
    for app in [twice, inner_and_outer] {
        let obs = Capture::new();
        exchange(&obs, app.clone(), request("GET", "/items/1")).await;
        assert_recorded(&obs, "web:GET /items/{id}", "ok");
        let obs = Capture::new();
        let mut call = request("POST", "/bus/v1/call");
        call.headers_mut().insert(CAPABILITY, "llm.chat".parse().unwrap());
        exchange(&obs, app, call).await;
        assert_recorded(&obs, "llm.chat", "ok");
    }
}

#[tokio::test]
async fn the_layer_of_a_nested_router_sees_the_whole_template() {
    let inner = Router::new().route("/{id}", get(|| async { "item" })).layer(layer().routes("web"));
    let app = Router::new().nest("/shop/{town}", inner.clone()).nest_service("/raw", inner);
    for (path, capability) in [("/shop/here/1", "web:GET /shop/{town}/{id}"), ("/raw/1", "web:GET /raw/{id}")]
    {
        let obs = Capture::new();
        exchange(&obs, app.clone(), request("GET", path)).await;
        assert_recorded(&obs, capability, "ok");
    }
}

#[tokio::test]
async fn a_fallback_is_unmatched_and_a_route_layer_sees_matches_alone() {
    let routes = || Router::new().route("/items/{id}", get(|| async { "item" }));
    let fallback = || async { (StatusCode::NOT_FOUND, "nothing") };
    let obs = Capture::new();
    let app = routes().fallback(fallback).layer(layer().routes("web"));
    assert_eq!(exchange(&obs, app, request("GET", "/x")).await.1, "nothing");
    assert_recorded(&obs, "web:unmatched", "not_found");

    let app = routes().route_layer(layer().routes("web")).fallback(fallback);
    let obs = Capture::new();
    exchange(&obs, app.clone(), request("GET", "/x")).await;
    assert!(obs.traces().all().is_empty());
    exchange(&obs, app, request("GET", "/items/1")).await;
    assert_recorded(&obs, "web:GET /items/{id}", "ok");
}

#[tokio::test]
async fn a_router_with_the_layer_is_merged_into_the_nodes_routes() {
    let mine = Router::new().route("/items/{id}", get(|| async { "item" })).layer(layer().routes("web"));
    let app = router(std::sync::Arc::new(obs_facade::doctor::NoBus)).merge(mine);
    let cases = [("/items/1", "web:GET /items/{id}", "ok"), ("/missing", "web:unmatched", "not_found")];
    for (path, capability, result) in cases {
        let obs = Capture::new();
        exchange(&obs, app.clone(), request("GET", path)).await;
        assert_recorded(&obs, capability, result);
    }
    let obs = Capture::new();
    exchange(&obs, app, request("GET", "/health")).await;
    assert!(obs.traces().all().is_empty(), "the node's own routes are not observed");
}

#[tokio::test]
async fn a_layer_around_the_router_sees_no_template() {
    let obs = Capture::new();
    let router = Router::new().route("/items/{id}", get(|| async { "item" }));
    let service = tower::Layer::layer(&layer().routes("web"), router);
    let answer = obs.scope(service.oneshot(request("GET", "/items/1"))).await.unwrap();
    obs.scope(answer.into_body().collect()).await.unwrap();
    assert_recorded(&obs, "web:unmatched", "ok");
}

#[tokio::test]
async fn the_headers_of_a_trace_are_those_of_a_bus_call() {
    let obs = Capture::new();
    let mut with_id = request("GET", "/items/1");
    with_id.headers_mut().insert(REQUEST_ID, ID.parse().unwrap());
    let answer = obs.scope(app().oneshot(with_id)).await.unwrap();
    assert_eq!(answer.headers()[REQUEST_ID], ID);
    obs.scope(answer.into_body().collect()).await.unwrap();
    assert_eq!(obs.traces().last().trace_id().to_string(), ID);

    let obs = Capture::new();
    let mut hostile = request("GET", "/items/1");
    hostile.headers_mut().insert(REQUEST_ID, "<script>".parse().unwrap());
    let answer = obs.scope(app().oneshot(hostile)).await.unwrap();
    assert_eq!(answer.headers()[REQUEST_ID].len(), 26);
    assert_eq!(obs.metrics().value("hearthnet_request_ids_fresh_total", [("reason", "malformed")]), 1.0);
}

/// Body that sends one piece and then waits for ever, or panics.
struct OnePiece {
    piece: Option<Bytes>,
    then_panic: bool,
}

fn one_piece(then_panic: bool) -> Body {
    Body::new(OnePiece { piece: Some(Bytes::from_static(b"piece")), then_panic })
}

impl http_body::Body for OnePiece {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.piece.take() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => {
                assert!(!self.then_panic, "body of the test");
                Poll::Pending
            }
        }
    }
}

fn observed(method: Method, answer: fn() -> Response<Body>) -> (Router, Request<Body>) {
    let app = Router::new().route("/{x}", any(move || async move { answer() })).layer(layer().routes("web"));
    (app, request(method.as_str(), "/1"))
}

#[tokio::test]
async fn a_request_without_a_body_on_the_wire_ends_with_its_head() {
    type Case = (&'static str, Method, fn() -> Response<Body>, &'static str);
    let cases: [Case; 5] = [
        ("HEAD", Method::HEAD, || one_piece(false).into_response(), "ok"),
        ("HEAD of a failure", Method::HEAD, || StatusCode::CONFLICT.into_response(), "http_4xx"),
        ("204", Method::GET, || (StatusCode::NO_CONTENT, one_piece(false)).into_response(), "ok"),
        ("304", Method::GET, || (StatusCode::NOT_MODIFIED, one_piece(false)).into_response(), "ok"),
        ("no length", Method::GET, || ([(CONTENT_LENGTH, "0")], one_piece(false)).into_response(), "ok"),
    ];
    for (case, method, answer, result) in cases {
        let obs = Capture::new();
        let (app, request) = observed(method.clone(), answer);
        let answer = obs.scope(app.oneshot(request)).await.unwrap();
        // Before the body is polled or dropped.
        assert_recorded(&obs, &format!("web:{method} /{{x}}"), result);
        obs.run(|| drop(answer));
        assert_eq!(obs.traces().all().len(), 1, "{case}");
    }
}

#[tokio::test]
async fn a_body_that_is_dropped_early_is_cancelled() {
    let obs = Capture::new();
    let (app, request) = observed(Method::GET, || one_piece(false).into_response());
    let mut answer = obs.scope(app.oneshot(request)).await.unwrap();
    obs.scope(answer.body_mut().frame()).await.unwrap().unwrap();
    assert!(obs.traces().all().is_empty(), "the request goes on");
    obs.run(|| drop(answer));
    assert_recorded(&obs, "web:GET /{x}", "cancelled");
}

#[tokio::test]
async fn a_panic_in_a_handler_or_body_is_recorded_once() {
    let obs = Capture::new();
    async fn unwind() -> StatusCode {
        panic!("handler of the test")
    }
    let app = Router::new().route("/{x}", get(unwind)).layer(layer().routes("web"));
    let caught = tokio::spawn({
        let obs = obs.clone();
        async move { obs.scope(app.oneshot(request("GET", "/1"))).await.map(drop) }
    });
    assert!(caught.await.unwrap_err().is_panic());
    assert_recorded(&obs, "web:GET /{x}", "internal_error");
    assert_eq!(obs.traces().last().status().as_str(), "panic");

    let obs = Capture::new();
    let (app, request) = observed(Method::GET, || one_piece(true).into_response());
    let answer = obs.scope(app.oneshot(request)).await.unwrap();
    let read = tokio::spawn({
        let obs = obs.clone();
        async move { obs.scope(answer.into_body().collect()).await.map(drop) }
    });
    assert!(read.await.unwrap_err().is_panic());
    assert_recorded(&obs, "web:GET /{x}", "internal_error");
}

#[tokio::test]
async fn the_text_of_a_client_appears_nowhere() {
    let obs = Capture::new();
    let hostile = [
        ("GET", "/items/%3Cscript%3Ehostile"),
        ("GET", "/hostile/%00%0a%22%7D"),
        ("GET", "/api/users/hostile%2F..%2F..?hostile=1"),
        ("HOSTILE", "/items/hostile"),
        ("HOSTILE", "/hostile"),
        ("GET", "/api/deep/hostile%E2%80%AE"),
    ];
    for (method, path) in hostile {
        let mut request = request(method, path);
        for header in ["x-hearthnet-request-id", "traceparent", "tracestate", "host", "user-agent"] {
            request.headers_mut().insert(header, "hostile".parse().unwrap());
        }
        exchange(&obs, app(), request).await;
    }
    assert_eq!(obs.traces().all().len(), hostile.len());
    let traces = format!("{:?}", obs.traces().all());
    let lines = format!("{:?}", obs.logs().all());
    let page = obs.run(|| metrics::render(metrics::Format::Text));
    assert!(page.contains("web:other /items/{id}") && page.contains("web:unmatched"), "{page}");
    for (kind, text) in [("traces", traces), ("lines", lines), ("page", page)] {
        assert!(!text.to_lowercase().contains("hostile"), "{kind}: {text}");
    }
}

#[tokio::test]
async fn a_flood_of_names_does_not_push_a_route_out() {
    let obs = Capture::new();
    let app = app();
    for n in 0..1_000 {
        let mut call = request("POST", "/bus/v1/call");
        call.headers_mut().insert(CAPABILITY, format!("made.up.{n}").parse().unwrap());
        exchange(&obs, app.clone(), call).await;
    }
    exchange(&obs, app, request("GET", "/items/1")).await;
    let routes = [("capability", "web:GET /items/{id}"), ("result", "ok")];
    assert_eq!(obs.metrics().value("hearthnet_requests_total", routes), 1.0);
    assert_eq!(obs.metrics().value("hearthnet_requests_total", []), 1_001.0);
}
