//! Setting `[bus] offer`: a node that forwards calls of capabilities that it has, but does not offer.

use serde_json::json;

use crate::node::{ECHO, Home, Node, request_id, text_of};

#[tokio::test]
async fn a_node_forwards_calls_of_a_capability_that_it_does_not_offer() {
    let first = Home::new().start("");
    let second = Home::new().start(&format!(
        "discovery = {{ static_peers = [\"http://127.0.0.1:{}\"] }}\n\
         bus = {{ offer = [\"experimental.node.status\"] }}\n",
        first.port
    ));
    second.wait_for_metric("hearthnet_nodes_online", &first.id().await, 1.0).await;
    let offered = async |node: &Node| node.get("/manifest").await["capabilities"].as_array().unwrap().len();
    assert_eq!((offered(&first).await, offered(&second).await), (2, 1));

    let response = second.call(ECHO, &json!({ "input": { "text": "hello" } })).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let id = request_id(&response);
    for node in [&first, &second] {
        let trace = node.trace(&id).await;
        assert_eq!((&trace["capability"], &trace["status"]), (&json!(ECHO), &json!("ok")));
    }
}

#[test]
fn an_unknown_capability_is_refused_with_the_nearest_one() {
    let home = Home::new();
    home.write_config("[bus]\noffer = [\"experimental.ecko\"]\n");
    let refused = home.run(&["run"]);
    let said = text_of(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for part in ["config.toml:2:", "bus.offer", "`llm.chat`", "did you mean `experimental.echo`?"] {
        assert!(said.contains(part), "{said}");
    }
}
