//! Peer of a node, with the answers that a test gives it.

use axum::Router;
use axum::routing::{MethodRouter, get};
use serde_json::json;
use tokio::net::TcpListener;

use crate::node::{Home, Node};

/// Starts a peer that offers `rag.query` and answers calls by `calls`, and a node that knows it.
pub(crate) async fn node_with_peer(calls: MethodRouter) -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let manifest =
        json!({ "node_id": "ed25519:peer", "community_id": "ed25519:peer", "capabilities": ["rag.query"] });
    let app = Router::new()
        .route("/manifest", get(|| async move { manifest.to_string() }))
        .route("/bus/v1/call", calls);
    tokio::spawn(crate::backend::serve(listener, app));
    let node = Home::new().start(&format!("discovery = {{ static_peers = [\"http://{address}\"] }}\n"));
    node.wait_for_metric("hearthnet_nodes_online", "ed25519:peer", 1.0).await;
    node
}
