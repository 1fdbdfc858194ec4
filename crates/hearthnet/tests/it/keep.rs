//! Marks between two nodes: in the answer of a forwarded call, by a signed request after a lost answer, and from a hostile
//! signer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::node::{ECHO, Home, Node, request_id};
use crate::signed::Signer;

const KEEP: &str = "x-hearthnet-keep";
const MARKS: &str = "hearthnet_trace_marks_total";
const REQUESTS: &str = "hearthnet_trace_mark_requests_total";

/// Link to a node that loses the answers to calls while it is told to.
async fn link_to(port: u16, loses: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, port, loses.clone()));
        }
    });
    own
}

/// Passes bytes on in both directions, until an answer to a call is to be lost.
async fn relay(mut client: TcpStream, port: u16, loses: Arc<AtomicBool>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut is_call = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                is_call |= asked[..read].starts_with(b"POST /bus/v1/call");
                if server.write_all(&asked[..read]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                // The node has answered, and its caller never learns of it.
                if is_call && loses.load(Ordering::Relaxed) {
                    return;
                }
                if client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn sum(node: &Node, family: &str, labels: &str) -> f64 {
    node.metric(family, labels).await.unwrap_or_default()
}

#[tokio::test]
async fn a_failed_part_is_kept_on_both_nodes_and_a_good_call_costs_no_request() {
    let two = Home::new().start("");
    let loses = Arc::new(AtomicBool::new(false));
    let link = link_to(two.port, loses.clone()).await;
    let more = format!("bus.offer = []\ndiscovery.static_peers = [\"http://127.0.0.1:{link}\"]\n");
    let one = Home::new().start(&more);
    one.wait_for_metric("hearthnet_nodes_online", &two.id().await, 1.0).await;
    let call = async |input: Value| one.call(ECHO, &json!({ "input": input })).send().await.unwrap();

    let good = call(json!({ "text": "hi" })).await;
    assert_eq!(good.status(), 200);
    assert!(!good.headers().contains_key(KEEP));
    let streamed = call(json!({ "frames": 2 })).await;
    assert!(!streamed.text().await.unwrap().contains(KEEP));

    // The peer fails: its answer has the mark, and needs no request.
    let failed = call(json!({ "fail": "capacity_exceeded" })).await;
    assert_eq!(failed.headers()[KEEP], "error");
    let id = request_id(&failed);
    let spans = one.trace(&id).await["spans"].clone();
    assert!(spans.as_array().unwrap().iter().any(|span| span["fields"]["peer_keeps"] == true), "{spans}");
    assert_eq!(sum(&one, MARKS, "direction=\"answer\"").await, 1.0);
    assert_eq!(sum(&one, REQUESTS, "").await, 0.0);

    // The answer of the peer is lost: it believes that all is well, until it is told.
    loses.store(true, Ordering::Relaxed);
    let lost = call(json!({ "text": "hi" })).await;
    loses.store(false, Ordering::Relaxed);
    assert_eq!(lost.status(), 503);
    let id = request_id(&lost);
    assert_eq!(two.trace(&id).await["status"], "ok");
    two.wait_for_metric(MARKS, "direction=\"received\",result=\"kept\"", 1.0).await;
    one.wait_for_metric(REQUESTS, "result=\"ok\"", 1.0).await;
    assert_eq!(sum(&two, MARKS, "direction=\"received\"").await, 1.0, "no other mark came");
}

#[tokio::test]
async fn a_mark_without_a_signature_or_for_the_trace_of_another_keeps_nothing() {
    let node = Home::new().start("");
    let (ada, eve) = (Signer::new(9), Signer::new(8));
    // The ID of every signed call of this test.
    let answer = ada.signed_call(&node, &json!({ "input": {} })).send().await.unwrap();
    let id = request_id(&answer);
    node.trace(&id).await;
    let body = json!({ "ids": [id, "01HXR3F2Q4T6V8X0Z2B4D6F8HK"] });

    let unsigned = node.http.post(node.url("/trace/keep")).body(body.to_string()).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    let forged = eve.signed_request(&node, "/trace/keep", "trace.keep", &body).send().await.unwrap();
    assert_eq!(forged.status(), 401);
    for malformed in [json!({}), json!({ "ids": "all" }), json!({ "ids": vec![id.clone(); 257] })] {
        let refused =
            eve.signed_request(&node, "/trace/keep", "/trace/keep", &malformed).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{malformed}");
    }
    let foreign = eve.signed_request(&node, "/trace/keep", "/trace/keep", &body).send().await.unwrap();
    assert_eq!(foreign.json::<Value>().await.unwrap(), json!({ "left": body["ids"] }));
    assert_eq!(sum(&node, MARKS, "result=\"kept\"").await, 0.0);

    let own = ada.signed_request(&node, "/trace/keep", "/trace/keep", &body).send().await.unwrap();
    assert_eq!(own.json::<Value>().await.unwrap(), json!({ "left": [body["ids"][1]] }));
    assert_eq!(sum(&node, MARKS, "result=\"kept\"").await, 1.0);
    assert_eq!(sum(&node, MARKS, "result=\"foreign\"").await, 1.0);
    assert_eq!(sum(&node, MARKS, "result=\"unknown\"").await, 2.0);
}
