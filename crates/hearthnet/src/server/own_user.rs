//! Routes that only the user of this node and root see.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use obs_facade::console::is_own_socket;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::wire;

/// Refuses callers of other users of this machine. The routes show texts of the log, which other users cannot read, or change
/// what its owner sees. `port` is that of this node, and `advice` tells a refused caller what to do.
///
/// The caller hides the routes from other machines.
pub(crate) fn guard(routes: Router, port: u16, advice: &'static str) -> Router {
    routes.layer(middleware::from_fn_with_state((port, advice), only_own))
}

async fn only_own(
    State((port, advice)): State<(u16, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(remote)| *remote);
    let is_own = move || remote.and_then(|remote| is_own_socket(remote, Some(port)));
    // The table of sockets is a file. A panic in the reading admits no one.
    match is_admitted(spawn_blocking(is_own).await.unwrap_or(Some(false))) {
        true => next.run(request).await,
        false => refusal(advice),
    }
}

/// Returns whether a caller is admitted. Systems other than Linux do not tell the owner of a socket.
fn is_admitted(is_own: Option<bool>) -> bool {
    is_own.unwrap_or(cfg!(not(target_os = "linux")))
}

fn refusal(advice: &str) -> Response {
    let message = format!("only the user of this node and root are answered; {advice}");
    let body = wire::json(&json!({ "error": "forbidden", "message": message }));
    (StatusCode::FORBIDDEN, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_whose_user_is_unknown_is_refused_where_it_could_be_known() {
        assert!(is_admitted(Some(true)) && !is_admitted(Some(false)));
        assert_eq!(is_admitted(None), cfg!(not(target_os = "linux")));
    }
}
