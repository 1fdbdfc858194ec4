//! Traces of a node that was killed, on the node that was started after it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port, request_id, text_of};

async fn traces(node: &Node) -> Vec<Value> {
    node.get("/trace/recent?n=10000").await["traces"].as_array().unwrap().clone()
}

/// Returns the traces once one with this ID is among them. They are read behind the start.
async fn traces_with(node: &Node, id: &str) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let found = traces(node).await;
        if found.iter().any(|trace| trace["trace_id"] == id) {
            return found;
        }
        assert!(Instant::now() < end, "{id} is not among {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_killed_node_has_its_traces_again() {
    let port = free_port();
    let home = Home::new();
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port} }}\nemergency = {{ probe_targets = [] }}\n"
    ));
    let first = Node::start(home, port);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(request_id(&first.call(ECHO, &json!({ "input": {} })).send().await.unwrap()));
    }
    // A call is recorded after the last byte of its answer.
    first.trace(&ids[4]).await;
    let before = traces(&first).await;
    first.signal("KILL");
    let home = first.wait().1;

    let second = Node::start(home, port);
    let new = request_id(&second.call(ECHO, &json!({ "input": {} })).send().await.unwrap());
    second.trace(&new).await;
    let after = traces_with(&second, &ids[4]).await;
    assert_eq!(after[0]["trace_id"], new.as_str(), "new ones go before");
    assert_eq!(after[0].get("restored"), None);
    let mut restored = after.into_iter().filter(|trace| trace["restored"] == true).collect::<Vec<_>>();
    restored.iter_mut().for_each(|trace| drop(trace.as_object_mut().unwrap().remove("restored")));
    for trace in &before {
        assert!(restored.contains(trace), "{trace} is not among {restored:?}");
    }

    let shown = second.home.run(&["trace", "show", &ids[2]]);
    assert!(text_of(&shown.stdout).contains(ECHO), "{shown:?}");
    // The start of the node is no bound of what it keeps.
    let none = second.home.run(&["trace", "show", "01M0000000000000000000ZZZZ"]);
    let said = text_of(&none.stderr);
    assert!(said.contains("no trace 01M0") && !said.contains("since its start"), "{said}");
    let recent = second.home.run(&["trace", "recent", "--json"]);
    let recent = text_of(&recent.stdout);
    assert!(ids.iter().all(|id| recent.contains(id.as_str())) && recent.contains("restored"), "{recent}");
    // Ends in order, which changes nothing.
    let third = Node::start(second.stop(), port);
    traces_with(&third, &new).await;
}
