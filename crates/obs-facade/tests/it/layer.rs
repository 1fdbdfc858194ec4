//! The request layer: each bus call is one trace, one line and one count, up to the end of its body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use obs_facade::http::{CAPABILITY, REQUEST_ID, ResultCode, layer};
use obs_facade::testing::Capture;
use obs_facade::trace;
use tower::ServiceExt;

const ID: &str = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";

fn call(capability: &'static str) -> Request<Body> {
    Request::post("/bus/v1/call")
        .header(CAPABILITY, capability)
        .header(REQUEST_ID, ID)
        .body(Body::empty())
        .unwrap()
}

fn app<H, T>(handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    Router::new().route("/bus/v1/call", post(handler)).route("/health", get(|| async { "up" })).layer(layer())
}

async fn send(obs: &Capture, app: Router, request: Request<Body>) -> Response<Body> {
    obs.scope(app.oneshot(request)).await.unwrap()
}

/// Reads a body to its end inside the capture, as a server inside the test would.
async fn read(obs: &Capture, response: Response<Body>) -> Bytes {
    obs.scope(response.into_body().collect()).await.unwrap().to_bytes()
}

/// Asserts one trace, one line and one count with this result and status.
fn assert_recorded(obs: &Capture, capability: &str, result: &str, status: &str) {
    assert_eq!(obs.traces().all().len(), 1, "one trace");
    assert_eq!(obs.traces().last().status().as_str(), status);
    obs.logs().single("done").field("capability", capability).field("status", status);
    let labels = [("capability", capability), ("result", result)];
    assert_eq!(obs.metrics().value("hearthnet_requests_total", labels), 1.0);
    assert_eq!(obs.metrics().value("hearthnet_requests_total", []), 1.0);
    assert_eq!(obs.metrics().value("hearthnet_active_streams", []), 0.0);
}

#[tokio::test]
async fn a_handler_that_blocks_is_counted_logged_and_noted() {
    let obs = Capture::new();
    let handler = || async {
        // Longer than the threshold by more than a busy machine takes away.
        trace::span("read").wrap(async { std::thread::sleep(Duration::from_millis(40)) }).await;
    };
    read(&obs, send(&obs, app(handler), call("llm.chat")).await).await;
    let labels = [("capability", "llm.chat"), ("span", "read")];
    assert_eq!(obs.metrics().value("hearthnet_blocked_polls_total", labels), 1.0);
    obs.logs()
        .single("a poll blocked its worker")
        .field("level", "warning")
        .field("logger", "hearthnet.trace")
        .field("trace_id", ID)
        .field("capability", "llm.chat")
        .field("span", "read");
    let traces = obs.traces();
    let record = traces.last();
    assert!(record.spans()[0].field("blocked_ms").is_some(), "{record:?}");
    assert!(record.blocked() > Duration::from_millis(10));
}

#[tokio::test]
async fn a_plain_call_is_recorded_under_its_request_id() {
    let obs = Capture::new();
    let answer = send(&obs, app(|| async { "answer" }), call("llm.chat")).await;
    assert_eq!(answer.headers()[REQUEST_ID], ID);
    assert_eq!(read(&obs, answer).await, "answer");
    assert_recorded(&obs, "llm.chat", "ok", "ok");
    assert_eq!(obs.traces().last().trace_id().to_string(), ID);
    obs.logs().single("done").field("trace_id", ID);
}

#[tokio::test]
async fn a_bad_request_id_is_replaced_counted_and_never_echoed() {
    for (values, reason) in [
        (&[][..], "missing"),
        (&[ID, ID], "repeated"),
        (&["8ZZZZZZZZZZZZZZZZZZZZZZZZZ"], "malformed"),
        (&["<script>"], "malformed"),
    ] {
        let obs = Capture::new();
        let mut request = Request::post("/bus/v1/call");
        for value in values {
            request = request.header(REQUEST_ID, *value);
        }
        let answer = send(&obs, app(|| async {}), request.body(Body::empty()).unwrap()).await;
        let fresh = answer.headers()[REQUEST_ID].to_str().unwrap().to_owned();
        assert!(fresh.len() == 26 && !values.contains(&fresh.as_str()), "{values:?}: {fresh}");
        assert_eq!(obs.metrics().value("hearthnet_request_ids_fresh_total", [("reason", reason)]), 1.0);
        assert_recorded(&obs, "unknown", "ok", "ok");
        obs.logs().single("done").field("trace_id", fresh);
    }
}

#[tokio::test]
async fn the_result_comes_from_the_trace_then_the_extension_then_the_status() {
    async fn by_trace() -> impl IntoResponse {
        trace::current_trace().unwrap().fail("capacity_exceeded");
        (StatusCode::TOO_MANY_REQUESTS, axum::Extension(ResultCode("rate_limited")))
    }
    async fn by_extension() -> impl IntoResponse {
        (StatusCode::BAD_REQUEST, axum::Extension(ResultCode("schema_mismatch")))
    }
    let cases = [
        (app(by_trace), "capacity_exceeded"),
        (app(by_extension), "schema_mismatch"),
        (app(|| async { StatusCode::NOT_FOUND }), "not_found"),
        (app(|| async { StatusCode::PAYLOAD_TOO_LARGE }), "bad_request"),
    ];
    for (app, code) in cases {
        let obs = Capture::new();
        let answer = send(&obs, app, call("rag.query")).await;
        read(&obs, answer).await;
        assert_recorded(&obs, "rag.query", code, code);
    }
}

/// Body of `frames` frames that then ends, waits or panics.
struct Frames {
    frames: u32,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Wait,
    Panic,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert_eq!(trace::current_trace().unwrap().id().to_string(), ID, "the body runs inside the trace");
        if self.frames > 0 {
            self.frames -= 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: 1\n\n")))));
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Wait => Poll::Pending,
            Then::Panic => panic!("body of the test"),
        }
    }
}

fn streaming(frames: u32, then: Then) -> Router {
    app(move || async move {
        ([(http::header::CONTENT_TYPE, "text/event-stream")], Body::new(Frames { frames, then }))
    })
}

#[tokio::test]
async fn a_stream_counts_as_open_until_its_body_ends() {
    let obs = Capture::new();
    let mut answer = send(&obs, streaming(2, Then::End), call("llm.chat")).await;
    obs.scope(answer.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(obs.metrics().value("hearthnet_active_streams", [("capability", "llm.chat")]), 1.0);
    assert!(obs.traces().all().is_empty(), "the call goes on");
    read(&obs, answer).await;
    assert_recorded(&obs, "llm.chat", "ok", "ok");
}

#[tokio::test]
async fn a_dropped_body_is_cancelled_once() {
    let obs = Capture::new();
    let mut answer = send(&obs, streaming(1, Then::Wait), call("llm.chat")).await;
    obs.scope(answer.body_mut().frame()).await.unwrap().unwrap();
    obs.run(|| drop(answer));
    assert_recorded(&obs, "llm.chat", "cancelled", "cancelled");
}

#[tokio::test]
async fn a_dropped_handler_is_cancelled_once() {
    let obs = Capture::new();
    let waiting = app(|| async { std::future::pending::<()>().await });
    let mut request = Box::pin(obs.scope(waiting.oneshot(call("llm.chat"))));
    assert!(poll_once(request.as_mut()).is_pending());
    obs.run(|| drop(request));
    assert_recorded(&obs, "llm.chat", "cancelled", "cancelled");
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(std::task::Waker::noop()))
}

/// A panic in the handler and one in the body.
#[tokio::test]
async fn a_panic_is_recorded_once_and_counts_as_an_internal_error() {
    let obs = Capture::new();
    async fn unwind() -> StatusCode {
        panic!("handler of the test")
    }
    let unwinding = app(unwind);
    let caught = tokio::spawn({
        let obs = obs.clone();
        async move { obs.scope(unwinding.oneshot(call("llm.chat"))).await.map(drop) }
    });
    assert!(caught.await.unwrap_err().is_panic());
    assert_recorded(&obs, "llm.chat", "internal_error", "panic");

    let obs = Capture::new();
    let mut answer = send(&obs, streaming(1, Then::Panic), call("llm.chat")).await;
    obs.scope(answer.body_mut().frame()).await.unwrap().unwrap();
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        poll_once(std::pin::pin!(obs.scope(answer.body_mut().frame())))
    }));
    assert!(polled.is_err());
    // A server that has caught the panic drops the response.
    obs.run(|| drop(answer));
    assert_recorded(&obs, "llm.chat", "internal_error", "panic");
}

#[tokio::test]
async fn a_body_of_known_length_is_recorded_with_its_last_bytes() {
    let obs = Capture::new();
    let mut answer = send(&obs, app(|| async { "all there is" }), call("embed.text")).await;
    obs.scope(answer.body_mut().frame()).await.unwrap().unwrap();
    assert_recorded(&obs, "embed.text", "ok", "ok");
    obs.run(|| drop(answer));
    assert_recorded(&obs, "embed.text", "ok", "ok");
}

#[tokio::test]
async fn other_requests_pass_unchanged() {
    let obs = Capture::new();
    let request = Request::get("/health").header(REQUEST_ID, ID).body(Body::empty()).unwrap();
    let answer = send(&obs, app(|| async {}), request).await;
    assert!(answer.headers().get(REQUEST_ID).is_none());
    read(&obs, answer).await;
    assert!(obs.traces().all().is_empty() && obs.logs().all().is_empty());
}

#[tokio::test]
async fn a_capability_that_is_not_text_is_recorded_as_unknown() {
    let obs = Capture::new();
    let mut request = call("x");
    let hostile = http::HeaderValue::from_bytes(b"\xff\xfe\"}").unwrap();
    request.headers_mut().insert(CAPABILITY, hostile);
    read(&obs, send(&obs, app(|| async {}), request).await).await;
    assert_recorded(&obs, "unknown", "ok", "ok");
}
