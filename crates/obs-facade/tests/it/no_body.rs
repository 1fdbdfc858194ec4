//! Responses whose body the server does not send, or does not poll to its end. Each call ends with its own result.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use http::{Method, StatusCode};
use http_body::Frame;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use obs_facade::http::layer;
use obs_facade::testing::Capture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Body of one frame that never ends.
struct Endless {
    piece: Option<Bytes>,
}

fn endless() -> Body {
    Body::new(Endless { piece: Some(Bytes::from_static(b"piece")) })
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.piece.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
    }
}

/// Sends one request to a server with this layer, and returns the head of the response and the capture.
async fn exchange(method: Method, answer: fn() -> Response) -> (String, Capture) {
    let obs = Capture::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/bus/v1/call", any(move || async move { answer() })).layer(layer());
    let server = obs.scope(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(app);
        // The client sees an error as a missing response.
        _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
    });
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "{method} /bus/v1/call HTTP/1.1\r\nhost: node\r\nconnection: close\r\nx-hearthnet-capability: llm.chat\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let both = async { tokio::join!(server, client).1 };
    let answer = tokio::time::timeout(Duration::from_secs(30), both).await.expect("the connection ends");
    (answer.lines().next().unwrap_or_default().to_owned(), obs)
}

fn assert_ended_with(obs: &Capture, result: &str, case: &str) {
    let labels = [("capability", "llm.chat"), ("result", result)];
    assert_eq!(obs.metrics().value("hearthnet_requests_total", labels), 1.0, "{case}");
    assert_eq!(obs.metrics().value("hearthnet_requests_total", []), 1.0, "{case}");
    assert_eq!(obs.metrics().value("hearthnet_active_streams", []), 0.0, "{case}");
    assert_eq!(obs.traces().all().len(), 1, "{case}");
    obs.logs().single("done").field("status", result);
}

fn events() -> Response {
    ([(CONTENT_TYPE, "text/event-stream")], endless()).into_response()
}

fn upgrade() -> Response {
    (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "echo")], endless()).into_response()
}

#[tokio::test]
async fn a_call_without_a_body_on_the_wire_ends_with_its_head() {
    type Case = (&'static str, Method, fn() -> Response, &'static str, &'static str);
    let cases: [Case; 10] = [
        ("HEAD of a text", Method::HEAD, || "text".into_response(), "200", "ok"),
        ("HEAD of a body without end", Method::HEAD, || endless().into_response(), "200", "ok"),
        ("HEAD of an event stream", Method::HEAD, events, "200", "ok"),
        (
            "HEAD of a failure",
            Method::HEAD,
            || (StatusCode::NOT_FOUND, "none").into_response(),
            "404",
            "not_found",
        ),
        ("204", Method::POST, || (StatusCode::NO_CONTENT, endless()).into_response(), "204", "ok"),
        ("304", Method::POST, || (StatusCode::NOT_MODIFIED, endless()).into_response(), "304", "ok"),
        ("101", Method::GET, upgrade, "101", "ok"),
        (
            "a length of zero",
            Method::POST,
            || ([(CONTENT_LENGTH, "0")], endless()).into_response(),
            "200",
            "ok",
        ),
        (
            "a length that is reached",
            Method::POST,
            || ([(CONTENT_LENGTH, "5")], endless()).into_response(),
            "200",
            "ok",
        ),
        (
            "a 1xx that no server sends",
            Method::POST,
            || (StatusCode::PROCESSING, endless()).into_response(),
            "500",
            "internal_error",
        ),
    ];
    for (case, method, answer, status, result) in cases {
        let (head, obs) = exchange(method, answer).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{case}: {head}");
        assert_ended_with(&obs, result, case);
    }
}

/// A call must not end with its head when the client leaves before the whole body was sent.
#[tokio::test]
async fn a_body_dropped_short_of_its_length_is_cancelled() {
    let obs = Capture::new();
    let answer = || async { ([(CONTENT_LENGTH, "6")], endless()) };
    let app = Router::new().route("/bus/v1/call", any(answer)).layer(layer());
    let request = http::Request::post("/bus/v1/call").header("x-hearthnet-capability", "llm.chat");
    let request = request.body(Body::empty()).unwrap();
    let mut response = obs.scope(tower::ServiceExt::oneshot(app, request)).await.unwrap();
    obs.scope(http_body_util::BodyExt::frame(response.body_mut())).await.unwrap().unwrap();
    obs.run(|| drop(response));
    assert_ended_with(&obs, "cancelled", "short");
}

/// HTTP/2 has no connection that ends with the response. Its server looks at `is_end_stream`, sends the head, and then
/// drops the body without a poll, or polls it once and drops it when the stream is reset.
#[tokio::test]
async fn a_body_dropped_as_an_http2_server_drops_it_does_not_cancel_its_call() {
    type Case = (&'static str, Method, fn() -> Response, &'static str);
    let cases: [Case; 6] = [
        ("HEAD", Method::HEAD, || endless().into_response(), "ok"),
        ("HEAD of an event stream", Method::HEAD, events, "ok"),
        ("HEAD of a failure", Method::HEAD, || (StatusCode::NOT_FOUND, "none").into_response(), "not_found"),
        ("204", Method::POST, || (StatusCode::NO_CONTENT, endless()).into_response(), "ok"),
        ("304", Method::POST, || (StatusCode::NOT_MODIFIED, endless()).into_response(), "ok"),
        ("a length of zero", Method::POST, || ([(CONTENT_LENGTH, "0")], endless()).into_response(), "ok"),
    ];
    for (case, method, answer, result) in cases {
        for polls in [0, 1, 2] {
            let obs = Capture::new();
            let app =
                Router::new().route("/bus/v1/call", any(move || async move { answer() })).layer(layer());
            let request = http::Request::builder().method(method.clone()).uri("/bus/v1/call");
            let request = request.version(http::Version::HTTP_2).header("x-hearthnet-capability", "llm.chat");
            let request = request.body(Body::empty()).unwrap();
            let response = obs.scope(tower::ServiceExt::oneshot(app, request)).await.unwrap();
            let (_head, mut body) = response.into_parts();
            assert_ended_with(&obs, result, case);
            for _ in 0..polls {
                if !http_body::Body::is_end_stream(&body) {
                    let poll = Pin::new(&mut body);
                    _ = http_body::Body::poll_frame(poll, &mut Context::from_waker(std::task::Waker::noop()));
                }
            }
            obs.run(|| drop(body));
            assert_ended_with(&obs, result, case);
        }
    }
}
