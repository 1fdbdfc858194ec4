//! Transport server: HTTP/1.1 with bounds on the cost of a connection, and an orderly shutdown.

pub(crate) mod caller_name;
mod connection_limit;
pub(crate) mod descriptors;
pub(crate) mod local_only;
pub(crate) mod own_user;
mod silent;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use obs_facade::console::ConnectionUser;
use obs_facade::http::LocalAddress;
use obs_facade::{Logger, debug, info, warn_limited};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_service::Service as _;

use self::connection_limit::ConnectionLimit;
use self::descriptors::Bound;
use self::silent::{Flag, Silent};
use crate::wire::host::is_localhost;

static LOG: Logger = Logger::new(module_path!());

/// Maximum time to send the head of a request, and maximum idle time between requests.
// Long enough for a slow link, short enough that idle clients give their connections back.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
// hyper's default is 400 KiB. Each connection may use this much.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Maximum time for which a client may leave received data unread. After it the client is disconnected.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval at which a full server checks whether its limit was raised.
const FULL_INTERVAL: Duration = Duration::from_secs(1);

/// Serves connections until `end`, then lets open requests finish until `grace` of its outcome. Requests that do not
/// finish in time are cancelled. When this returns, none is left. Returns the outcome of `grace` if it came first.
pub(crate) async fn serve<T, G: Future>(
    listener: TcpListener,
    app: Router,
    end: impl Future<Output = T>,
    grace: impl FnOnce(T) -> G,
) -> Option<G::Output> {
    let own = only_address(&listener);
    let (bound, limit) = (Bound::measured(), ConnectionLimit::default());
    let (graceful, mut connections) = (GracefulShutdown::new(), JoinSet::new());
    let mut silent = Silent::default();
    let mut end = std::pin::pin!(end);
    let ended = loop {
        // One system call for each connection. A changed limit takes effect at the next one.
        let all = bound.connections();
        let full = connections.len() >= all;
        tokio::select! {
            ended = &mut end => break ended,
            // Finished tasks would stay in memory otherwise.
            Some(_) = connections.join_next() => {}
            () = sleep(FULL_INTERVAL), if full => {}
            accepted = listener.accept(), if !full || !silent.is_empty() => match accepted {
                Ok((stream, remote)) => match limit.acquire(remote.ip(), all) {
                    Some(permit) => {
                        if full && silent.close_oldest() {
                            warn_limited!(LOG, "silent", open = all; "closed a connection without a request for a new one");
                            // The closed connection gives its descriptor back now.
                            connections.join_next().await;
                        }
                        let flag = Flag::default();
                        let served =
                            connection(stream, app.clone(), (ConnectInfo(remote), own), graceful.watcher(), flag.clone());
                        let task = connections.spawn(async move {
                            served.await;
                            drop(permit);
                        });
                        if is_localhost(remote.ip()) {
                            silent.add(flag, task, all);
                        }
                    }
                    None => {
                        warn_limited!(LOG, "places", host:% = remote.ip(); "too many connections are open");
                    }
                },
                Err(error) => accept_failed(&error).await,
            },
        }
    };
    // New clients are refused at once instead of waiting in the backlog.
    drop(listener);
    let cut_short = tokio::select! {
        // If both are ready, the requests have ended in time.
        biased;
        () = graceful.shutdown() => None,
        why = grace(ended) => Some(why),
    };
    if cut_short.is_some() {
        info!(logger: LOG, open = connections.len(); "cancelling the requests that are still open");
    }
    connections.shutdown().await;
    cut_short
}

/// Returns the address of a listener that listens at this one only, and not on loopback. Callers on this machine have it too,
/// because they cannot use loopback. A listener at all addresses has none: [`LocalAddress`] says why.
fn only_address(listener: &TcpListener) -> Option<LocalAddress> {
    let own = listener.local_addr().ok()?;
    let ip = own.ip().to_canonical();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(LocalAddress(own))
}

async fn connection(
    stream: TcpStream,
    app: Router,
    (remote, own): (ConnectInfo<SocketAddr>, Option<LocalAddress>),
    watcher: Watcher,
    requested: Flag,
) {
    // Tokens are small, and Nagle's algorithm would delay them.
    let _ = stream.set_nodelay(true);
    disconnect_unread(&stream);
    let user = ConnectionUser::default();
    let service = service_fn(move |mut request: Request<Incoming>| {
        requested.raise();
        request.extensions_mut().insert(remote);
        request.extensions_mut().insert(user.clone());
        if let Some(own) = own {
            request.extensions_mut().insert(own);
        }
        // `Router::poll_ready` is always ready, so that it need not be polled.
        app.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(logger: LOG, error:% = error; "connection ended early");
    }
}

/// Sets `TCP_USER_TIMEOUT`, so that a client that stops reading is disconnected. HTTP has no such limit.
fn disconnect_unread(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, UNREAD_TIMEOUT.as_millis() as u32);
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, UNREAD_TIMEOUT);
}

/// Handles an error of `accept`. A broken connection concerns its client alone. Any other error, such as a lack of
/// descriptors, is logged, and the server waits before it tries again.
async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        warn_limited!(LOG, "accept", error:% = error; "cannot accept connections");
        // Without the pause, a lack of descriptors would be a busy loop: the connection stays in the backlog.
        sleep(Duration::from_millis(500)).await;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_at_all_addresses_has_none_of_its_own() {
        for all in ["0.0.0.0:0", "127.0.0.1:0", "127.0.0.2:0"] {
            let listener = TcpListener::bind(all).await.unwrap();
            assert_eq!(only_address(&listener), None, "{all}");
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_disconnected() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_caller, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (stream, _) = accepted.unwrap();
        disconnect_unread(&stream);
        assert_eq!(rustix::net::sockopt::tcp_user_timeout(&stream).unwrap(), 30_000);
    }
}
