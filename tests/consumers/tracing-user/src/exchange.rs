//! One call over a socket, from a client to a server of the same process.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower_http::trace::TraceLayer;

use crate::{Failure, database};

/// Maximum time of the call.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls the server once and returns its answer.
pub(crate) async fn run() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server: JoinHandle<Result<(), Failure>> = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(router());
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        Ok(builder.serve_connection(TokioIo::new(stream), service).await?)
    });
    let stream = TcpStream::connect(address).await?;
    let answer = tokio::time::timeout(PATIENCE, call(stream)).await??;
    tokio::time::timeout(PATIENCE, server).await???;
    Ok(answer)
}

async fn call(stream: TcpStream) -> Result<String, Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post("http://node/bus/v1/call")
        .header("x-hearthnet-capability", "peers.count")
        .body(String::new())?;
    let response = sender.send_request(request).await?;
    let answer = response.into_body().collect().await?.to_bytes();
    // The connection ends with its last sender, and the server with the connection.
    drop(sender);
    connection.await??;
    Ok(String::from_utf8(answer.to_vec())?)
}

/// Router with the layer of tower-http inside of that of the facade.
fn router() -> Router {
    Router::new()
        .route(
            "/bus/v1/call",
            post(async || {
                database::count_peers().map_or_else(|error| error.to_string(), |peers| peers.to_string())
            }),
        )
        .layer(TraceLayer::new_for_http())
        .layer(obs_facade::http::layer())
}
