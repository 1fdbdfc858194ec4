//! Upgraded connections: the request of a WebSocket ends when its socket does.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use http::header::{CONNECTION, UPGRADE};
use obs_facade::http::{layer, traced};
use obs_facade::testing::Capture;
use obs_facade::trace::TraceRecord;
use obs_facade::{info, trace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite;

/// Runs a test with a total deadline.
async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), test).await.expect("the test ends")
}

/// Serves a router under the layer, in the capture, and returns its address.
async fn serve(obs: &Capture, app: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.layer(InCapture(obs.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Layer that runs each request in a capture. axum has a task for each connection, which a capture does not follow.
#[derive(Clone)]
struct InCapture(Capture);

#[derive(Clone)]
struct Captured<S>(Capture, S);

impl<S> tower::Layer<S> for InCapture {
    type Service = Captured<S>;

    fn layer(&self, inner: S) -> Captured<S> {
        Captured(self.0.clone(), inner)
    }
}

impl<S, R> tower::Service<R> for Captured<S>
where
    S: tower::Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = obs_facade::testing::Scoped<S::Future>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.1.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let inner = self.0.run(|| self.1.call(request));
        self.0.scope(inner)
    }
}

/// Waits until the capture has a completed trace.
async fn ended(obs: &Capture) -> Arc<TraceRecord> {
    loop {
        if let [record] = obs.traces().all() {
            return Arc::clone(record);
        }
        tokio::task::yield_now().await;
    }
}

/// An echo whose handler tells when it has its socket, and runs in the capture and the request's trace.
fn echo(obs: &Capture) -> Router {
    let obs = obs.clone();
    let handler = move |upgrade: WebSocketUpgrade| async move {
        let talk = traced(|mut socket: WebSocket| async move {
            info!("connected");
            while let Some(Ok(message)) = socket.recv().await {
                match message {
                    Message::Text(text) if text == "panic" => panic!("handler of the test"),
                    Message::Text(_) => trace::in_span("echo", || ()),
                    _ => continue,
                }
                socket.send(message).await.unwrap();
            }
            drop(socket);
        });
        upgrade.on_upgrade(move |socket| obs.scope(talk(socket)))
    };
    Router::new().route("/rooms/{name}", any(handler)).layer(layer().routes("web"))
}

type Client = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

async fn connect(address: std::net::SocketAddr) -> Client {
    let (client, answer) =
        tokio_tungstenite::connect_async(format!("ws://{address}/rooms/kitchen")).await.unwrap();
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["x-hearthnet-request-id"].len(), 26);
    client
}

/// Sends a text and waits for its echo.
async fn talk(client: &mut Client, text: &str) {
    client.send(tungstenite::Message::text(text)).await.unwrap();
    let echoed = client.next().await.unwrap().unwrap();
    assert_eq!(echoed.into_text().unwrap(), text);
}

const NAME: &str = "web:GET /rooms/{name}";

/// Asserts one count with this result, and no open stream.
fn assert_counted(obs: &Capture, result: &str) {
    let labels = [("capability", NAME), ("result", result)];
    assert_eq!(obs.metrics().value("hearthnet_requests_total", labels), 1.0, "{result}");
    assert_eq!(obs.metrics().value("hearthnet_requests_total", []), 1.0);
    assert_eq!(obs.metrics().value("hearthnet_active_streams", []), 0.0);
}

#[tokio::test]
async fn the_request_of_a_websocket_ends_with_the_socket() {
    within(async {
        let obs = Capture::new();
        let mut client = connect(serve(&obs, echo(&obs)).await).await;
        for text in ["a", "b"] {
            talk(&mut client, text).await;
        }
        let large = "x".repeat(1 << 20);
        talk(&mut client, &large).await;
        assert!(obs.traces().all().is_empty(), "the socket is open");
        assert_eq!(obs.metrics().value("hearthnet_active_streams", [("capability", NAME)]), 1.0);
        client.close(None).await.unwrap();
        let record = ended(&obs).await;
        assert_eq!((record.capability(), record.status().as_str()), (NAME, "ok"));
        assert_eq!(record.spans().len(), 3, "of the handler, in the trace of the request");
        let id = record.trace_id().to_string();
        obs.logs().single("connected").field("trace_id", id.as_str());
        obs.logs().single("done").field("trace_id", id).field("http_status", 101);
        assert_counted(&obs, "ok");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_vanishes_ends_the_request() {
    within(async {
        let obs = Capture::new();
        let mut client = connect(serve(&obs, echo(&obs)).await).await;
        talk(&mut client, "a").await;
        drop(client);
        assert_eq!(ended(&obs).await.status().as_str(), "ok");
        assert_counted(&obs, "ok");
    })
    .await;
}

#[tokio::test]
async fn a_panic_of_the_socket_s_handler_is_that_of_its_request() {
    within(async {
        let obs = Capture::new();
        let mut client = connect(serve(&obs, echo(&obs)).await).await;
        client.send(tungstenite::Message::text("panic")).await.unwrap();
        assert_eq!(ended(&obs).await.status().as_str(), "panic");
        assert_counted(&obs, "internal_error");
    })
    .await;
}

/// Sends the head of a request that asks for an upgrade.
async fn ask(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "GET /rooms/x HTTP/1.1\r\nhost: node\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads up to the end of a head.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_refused_upgrade_ends_with_its_answer() {
    within(async {
        let obs = Capture::new();
        let app = Router::new().route("/rooms/{name}", any(|| async { StatusCode::FORBIDDEN }));
        let address = serve(&obs, app.layer(layer().routes("web"))).await;
        let mut stream = ask(address).await;
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 403"));
        // The connection stays open.
        assert_eq!(ended(&obs).await.status().as_str(), "revoked");
        assert_counted(&obs, "revoked");
    })
    .await;
}

/// Clients that ask for an upgrade with each request leave no task behind.
#[tokio::test]
async fn refused_upgrades_of_one_connection_leave_nothing_behind() {
    within(async {
        let obs = Capture::new();
        let app = Router::new().route("/rooms/{name}", any(|| async { StatusCode::NO_CONTENT }));
        let address = serve(&obs, app.layer(layer().routes("web"))).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /rooms/x HTTP/1.1\r\nhost: node\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n";
        for _ in 0..100 {
            stream.write_all(request.as_bytes()).await.unwrap();
            assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 204"));
        }
        // The tasks of the server and of its connection.
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(obs.traces().all().len(), 100);
        assert!(obs.traces().all().iter().all(|record| record.status().is_ok()));
    })
    .await;
}

fn switching() -> Response {
    (StatusCode::SWITCHING_PROTOCOLS, [(CONNECTION, "upgrade"), (UPGRADE, "raw")]).into_response()
}

/// A handler that uses hyper's upgrade itself, with bytes that the client sends along with its request.
#[tokio::test]
async fn a_raw_upgrade_passes_every_byte() {
    within(async {
        let obs = Capture::new();
        let (done, mut is_done) = oneshot::channel();
        let done = Arc::new(std::sync::Mutex::new(Some(done)));
        let captured = obs.clone();
        let handler = move |request: axum::extract::Request| async move {
            let done = done.lock().unwrap().take();
            let raw = async move {
                let upgraded = hyper::upgrade::on(request).await.unwrap();
                let mut io = hyper_util::rt::TokioIo::new(upgraded);
                let mut bytes = [0; 10];
                io.read_exact(&mut bytes).await.unwrap();
                io.write_all(&bytes).await.unwrap();
                io.shutdown().await.unwrap();
                drop(io);
                _ = done.unwrap().send(());
            };
            tokio::spawn(captured.scope(raw));
            switching()
        };
        let app = Router::new().route("/rooms/{name}", any(handler)).layer(layer().routes("web"));
        let mut stream = ask(serve(&obs, app).await).await;
        stream.write_all(b"01234").await.unwrap();
        read_head(&mut stream).await;
        assert!(is_done.try_recv().is_err() && obs.traces().all().is_empty());
        stream.write_all(b"56789").await.unwrap();
        let mut echoed = Vec::new();
        stream.read_to_end(&mut echoed).await.unwrap();
        assert_eq!(echoed, b"0123456789");
        is_done.await.unwrap();
        assert_eq!(ended(&obs).await.status().as_str(), "ok");
        assert_counted(&obs, "ok");
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_that_no_handler_takes_ends_when_the_server_drops_it() {
    within(async {
        let obs = Capture::new();
        let app = Router::new().route("/rooms/{name}", any(|| async { switching() }));
        let address = serve(&obs, app.layer(layer().routes("web"))).await;
        let mut stream = ask(address).await;
        read_head(&mut stream).await;
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "the server closes");
        assert_eq!(ended(&obs).await.status().as_str(), "ok");
    })
    .await;
}

/// Many sockets at once, each opened, used and closed or dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_socket_is_recorded_once() {
    const SOCKETS: usize = 40;
    within(async {
        let obs = Capture::new();
        let address = serve(&obs, echo(&obs)).await;
        let clients: Vec<_> = (0..SOCKETS)
            .map(|n| {
                tokio::spawn(async move {
                    let mut client = connect(address).await;
                    talk(&mut client, "a").await;
                    if n % 2 == 0 {
                        client.close(None).await.unwrap();
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        while obs.traces().all().len() < SOCKETS {
            tokio::task::yield_now().await;
        }
        let counted = || obs.metrics().value("hearthnet_requests_total", [("capability", NAME)]);
        while counted() < SOCKETS as f64 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counted(), SOCKETS as f64);
        assert_eq!(obs.metrics().value("hearthnet_active_streams", []), 0.0);
        assert!(obs.traces().all().iter().all(|record| record.status().is_ok()));
    })
    .await;
}
