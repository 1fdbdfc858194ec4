//! Outgoing requests: headers, span and outcome of each attempt.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use obs_facade::http::client::{self, ResendCount};
use obs_facade::testing::Capture;
use obs_facade::trace::{self, SpanRecord};
use tower::retry::Policy;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

/// Runs `future` in a trace of the capture, and returns its output and the spans.
async fn traced<F: Future>(obs: &Capture, future: F) -> (F::Output, Vec<SpanRecord>) {
    let output = obs.scope(async { trace::new_trace("rag.query").scope(future).await });
    let output = tokio::time::timeout(Duration::from_secs(30), output).await.expect("the test ends");
    (output, obs.traces().last().spans())
}

fn text(span: &SpanRecord, key: &str) -> String {
    span.field(key).map(ToString::to_string).unwrap_or_default()
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

/// A server that returns these statuses, one after the other, and the headers that it got.
fn answering(
    statuses: &'static [u16],
) -> impl Service<
    Request<()>,
    Response = Response<HeaderMap>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<HeaderMap>, Infallible>> + Send,
> + Clone {
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    tower::service_fn(move |request: Request<()>| {
        let status = statuses[calls.fetch_add(1, Ordering::Relaxed) % statuses.len()];
        let mut answer = Response::new(request.headers().clone());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        async move { Ok(answer) }
    })
}

#[tokio::test]
async fn a_request_sends_the_trace_and_is_a_span() {
    let obs = Capture::new();
    let service = client::layer().layer(answering(&[200]));
    let request = get("http://ann:hunter2@node.example:7080/secret/path?token=hush");
    let (answer, spans) = traced(&obs, service.oneshot(request)).await;
    let (id, headers) = (obs.traces().last().trace_id(), answer.unwrap().into_body());
    assert_eq!(headers["x-hearthnet-request-id"], id.to_string());
    let parent = headers["traceparent"].to_str().unwrap();
    assert!(parent.contains(&spans[0].span_id().to_string()), "{parent} is the span's");
    let fields: Vec<_> = spans[0].fields().iter().map(|(key, value)| (*key, value.to_string())).collect();
    let expected = [
        ("http.request.method", "GET"),
        ("server.address", "node.example"),
        ("server.port", "7080"),
        ("http.response.status_code", "200"),
    ];
    assert_eq!(fields, expected.map(|(key, value)| (key, value.to_owned())));
    assert_eq!(spans[0].name(), "GET");
    let record = format!("{:?} {:?}", obs.traces().all(), obs.logs().all());
    for secret in ["hunter2", "secret", "hush"] {
        assert!(!record.contains(secret), "{record}");
    }
}

#[tokio::test]
async fn a_tracestate_of_the_caller_is_sent_on() {
    let state = trace::propagation::TraceState::parse([b"foo=1".as_slice()]).unwrap();
    let parent = trace::SpanId::from_bytes([1; 8]).unwrap();
    let remote = trace::Remote::new(trace::TraceId::generate()).parent(parent).state(state);
    let trace = trace::new_trace_from(remote, "rag.query");
    let service = client::layer().layer(answering(&[200]));
    let answer = trace.scope(service.oneshot(get("http://node/"))).await.unwrap();
    assert_eq!(answer.into_body()["tracestate"], "foo=1");
}

#[tokio::test]
async fn a_third_party_gets_the_traceparent_alone() {
    let obs = Capture::new();
    let service = client::layer().third_party().layer(answering(&[200]));
    let (answer, spans) = traced(&obs, service.oneshot(get("http://model/"))).await;
    let headers = answer.unwrap().into_body();
    assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["traceparent"]);
    assert!(headers["traceparent"].to_str().unwrap().contains(&spans[0].span_id().to_string()));
}

#[tokio::test]
async fn without_a_trace_the_request_is_unchanged() {
    let service = client::layer().layer(answering(&[500]));
    let request = Request::get("http://node/").header("traceparent", "of the caller").body(()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (500, 1));
    assert_eq!(answer.body()["traceparent"], "of the caller");
}

#[tokio::test]
async fn the_server_is_named_by_the_uri_or_the_host() {
    let cases = [
        ("http://node.example/", None, "node.example", "80"),
        ("https://node.example/", None, "node.example", "443"),
        ("http://192.0.2.7:1/", None, "192.0.2.7", "1"),
        ("http://[2001:db8::1]:7080/", None, "2001:db8::1", "7080"),
        ("/path", Some("node.example:7080"), "node.example", "7080"),
        ("/path", Some("ann:hunter2@node.example"), "node.example", ""),
        ("/path", Some("not a host"), "", ""),
        ("/path", None, "", ""),
    ];
    for (uri, host, address, port) in cases {
        let obs = Capture::new();
        let mut request = get(uri);
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        let service = client::layer().layer(answering(&[200]));
        let (_, spans) = traced(&obs, service.oneshot(request)).await;
        let found = (text(&spans[0], "server.address"), text(&spans[0], "server.port"));
        assert_eq!(found, (address.to_owned(), port.to_owned()), "{uri} {host:?}");
    }
    let obs = Capture::new();
    let long = format!("http://{}/", "a".repeat(10_000));
    let service = client::layer().layer(answering(&[200]));
    let (_, spans) = traced(&obs, service.oneshot(get(&long))).await;
    assert!(text(&spans[0], "server.address").len() <= 256);
}

#[tokio::test]
async fn the_outcome_is_the_status_or_the_kind_of_the_error() {
    for (status, error) in [(200, ""), (302, ""), (404, "404"), (503, "503")] {
        let obs = Capture::new();
        let statuses: &'static [u16] = Box::leak(Box::new([status]));
        let service = client::layer().layer(answering(statuses));
        let (answer, spans) = traced(&obs, service.oneshot(get("http://node/"))).await;
        assert_eq!(answer.unwrap().status(), status);
        assert_eq!(text(&spans[0], "http.response.status_code"), status.to_string());
        assert_eq!(text(&spans[0], "error"), error);
    }
    let cases = [
        (io::ErrorKind::ConnectionRefused, "connection_refused", "connection refused"),
        (io::ErrorKind::TimedOut, "timeout", "timed out"),
        (io::ErrorKind::Other, "_OTHER", "other error"),
    ];
    for (kind, code, cause) in cases {
        let obs = Capture::new();
        let failing =
            tower::service_fn(
                move |_: Request<()>| async move { Err::<Response<()>, _>(io::Error::from(kind)) },
            );
        let (answer, spans) = traced(&obs, client::layer().layer(failing).oneshot(get("http://node/"))).await;
        assert!(answer.unwrap_err().is::<io::Error>(), "the error is passed on");
        assert_eq!((text(&spans[0], "error").as_str(), text(&spans[0], "cause").as_str()), (code, cause));
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_is_cancelled() {
    let obs = Capture::new();
    let never = tower::service_fn(|_: Request<()>| std::future::pending::<io::Result<Response<()>>>());
    let request = async {
        let mut answer = client::layer().layer(never).oneshot(get("http://node/"));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::Pin::new(&mut answer).poll(&mut cx).is_pending());
    };
    let ((), spans) = traced(&obs, request).await;
    assert_eq!(text(&spans[0], "error"), "cancelled");
}

#[tokio::test]
async fn an_extension_method_is_other() {
    let obs = Capture::new();
    let request = Request::builder().method("PROPFIND").uri("http://node/").body(()).unwrap();
    let (_, spans) = traced(&obs, client::layer().layer(answering(&[200])).oneshot(request)).await;
    assert_eq!((spans[0].name(), text(&spans[0], "http.request.method").as_str()), ("HTTP", "_OTHER"));
    assert_eq!(text(&spans[0], "http.request.method_original"), "PROPFIND");
}

/// Policy that sends a request again after each status 5xx, up to a number of attempts.
#[derive(Clone)]
struct Again(usize);

impl<B, E> Policy<Request<()>, Response<B>, E> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<()>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<std::future::Ready<()>> {
        let has_failed = result.as_ref().map_or(true, |answer| answer.status().is_server_error());
        self.0 = self.0.saturating_sub(1);
        (has_failed && self.0 > 0).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn each_attempt_of_a_retry_is_a_span_with_its_number() {
    let counts = |spans: &[SpanRecord]| {
        spans.iter().map(|span| text(span, "http.request.resend_count")).collect::<Vec<_>>()
    };
    let obs = Capture::new();
    let mut service =
        ServiceBuilder::new().retry(Again(5)).layer(client::layer()).service(answering(&[503, 500, 200]));
    let twice = async {
        for _ in 0..2 {
            let answer = service.ready().await.unwrap().call(get("http://node/items")).await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    };
    let ((), spans) = traced(&obs, twice).await;
    assert_eq!(counts(&spans), ["", "1", "2", "", "1", "2"]);
    let statuses: Vec<_> = spans.iter().map(|span| text(span, "http.response.status_code")).collect();
    assert_eq!(statuses, ["503", "500", "200", "503", "500", "200"]);

    // Other requests of a service after a failure, and attempts that the program numbers.
    let obs = Capture::new();
    let mut service = client::layer().layer(answering(&[503]));
    let others = async {
        // A loop that is written by hand.
        for _ in 0..2 {
            service.call(get("http://node/loop")).await.unwrap();
        }
        for uri in ["http://node/a", "http://node/b", "http://other/b"] {
            service.call(get(uri)).await.unwrap();
        }
        let mut known = get("http://node/c");
        known.extensions_mut().insert(ResendCount(7));
        service.call(known).await.unwrap();
    };
    let ((), spans) = traced(&obs, others).await;
    assert_eq!(counts(&spans), ["", "1", "", "", "", "7"]);
}

#[cfg(feature = "reqwest")]
mod of_reqwest {
    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    async fn serve() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = |headers: HeaderMap| async move {
            headers["x-hearthnet-request-id"].to_str().unwrap().to_owned()
        };
        let app = Router::new().route("/items", get(echo));
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    fn http() -> reqwest::Client {
        // Another package of the build may turn on reqwest's TLS without a provider, which is then needed for plain HTTP too.
        _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    #[tokio::test]
    async fn a_request_has_headers_and_a_span() {
        let obs = Capture::new();
        let address = serve().await;
        let send = async {
            let items =
                client::send(http().get(format!("http://ann:hunter2@{address}/items?q=1"))).await.unwrap();
            let id = items.text().await.unwrap();
            let missing =
                client::resend(http().get(format!("http://{address}/missing")), ResendCount(1)).await;
            assert_eq!(missing.unwrap().status(), 404);
            id
        };
        let (id, spans) = traced(&obs, send).await;
        assert_eq!(id, obs.traces().last().trace_id().to_string());
        for (span, status) in spans.iter().zip(["200", "404"]) {
            assert_eq!(span.name(), "GET");
            assert_eq!(text(span, "server.address"), "127.0.0.1");
            assert_eq!(text(span, "server.port"), address.port().to_string());
            assert_eq!(text(span, "http.response.status_code"), status);
        }
        assert_eq!((text(&spans[0], "error"), text(&spans[1], "error").as_str()), (String::new(), "404"));
        assert_eq!(text(&spans[1], "http.request.resend_count"), "1");
        assert!(!format!("{:?}", obs.traces().all()).contains("hunter2"));
    }

    #[tokio::test]
    async fn a_refused_connection_has_its_cause() {
        let obs = Capture::new();
        // A port that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let url = format!("http://ann:hunter2@{address}/secret?token=hush");
        let (answer, spans) = traced(&obs, client::send(http().get(url))).await;
        assert!(answer.unwrap_err().is_connect());
        assert_eq!(text(&spans[0], "error"), "connection_refused");
        let cause = text(&spans[0], "cause");
        assert!(cause.to_lowercase().contains("connection refused"), "{cause}");
        for secret in ["hunter2", "secret", "hush"] {
            assert!(!cause.contains(secret), "{cause}");
        }
    }
}
