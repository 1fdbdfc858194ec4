//! Error codes that peers of later versions send.

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::node::{events, request_id};
use crate::peer::node_with_peer;

/// Refuses a call with the code and status of its input.
async fn refuse(body: Bytes) -> Response {
    let call: Value = serde_json::from_slice(&body).unwrap();
    let refusal = json!({ "error": call["input"]["code"], "message": "it is so" }).to_string();
    match call["input"]["status"].as_u64() {
        Some(status) => (StatusCode::from_u16(status as u16).unwrap(), refusal).into_response(),
        None => {
            let head = [(header::CONTENT_TYPE, "text/event-stream")];
            (head, format!("event: error\ndata: {refusal}\n\n")).into_response()
        }
    }
}

fn call(code: impl Into<Value>, status: Option<u16>) -> Value {
    json!({ "input": { "code": code.into(), "status": status } })
}

#[tokio::test]
async fn a_well_formed_code_is_kept_and_a_malformed_one_is_an_internal_error() {
    let node = node_with_peer(post(refuse)).await;
    let long = "a".repeat(41);
    let mut ids = Vec::new();
    for (code, counted_as) in [
        (json!("dht_lookup_failed"), "dht_lookup_failed"),
        (json!("foo_bar"), "foo_bar"),
        (json!("a".repeat(40)), &long[1..]),
        (json!(long), "internal_error"),
        (json!("Foo"), "internal_error"),
        (json!(""), "internal_error"),
        (json!("ok"), "internal_error"),
        (json!("__overflow__"), "internal_error"),
        (json!(7), "internal_error"),
    ] {
        for status in [Some(502), None] {
            let answer = node.call("rag.query", &call(code.clone(), status)).send().await.unwrap();
            let id = request_id(&answer);
            let expected = match (status, counted_as) {
                (None, _) => 200,
                // The peer's own status is kept with its code.
                (Some(_), "internal_error") => 500,
                (Some(status), _) => status,
            };
            assert_eq!(answer.status().as_u16(), expected, "{code}");
            let text = answer.text().await.unwrap();
            let body = match status {
                Some(_) => serde_json::from_str::<Value>(&text).unwrap(),
                None => events(&text).pop().unwrap().1,
            };
            assert_eq!(body["error"], counted_as, "{code}");
            assert_eq!(node.trace(&id).await["status"], counted_as);
            ids.push((id, counted_as));
        }
    }
    for (result, calls) in [("dht_lookup_failed", 2.0), ("foo_bar", 2.0), ("internal_error", 12.0)] {
        let labels = format!("capability=\"rag.query\",result=\"{result}\"");
        assert_eq!(node.metric("hearthnet_requests_total", &labels).await, Some(calls), "{result}");
    }
    let found = node.get("/trace/recent?status=foo_bar").await;
    assert_eq!(found["traces"].as_array().unwrap().len(), 2);
    let home = node.stop();
    for (id, counted_as) in ids {
        assert_eq!(home.done(Some(&id))[0]["status"], counted_as);
    }
}

#[tokio::test]
async fn invented_codes_take_a_bounded_number_of_series_and_no_call_is_uncounted() {
    let node = node_with_peer(post(refuse)).await;
    let letters = |n: u8| [n / 20, n % 20].map(|digit| char::from(b'a' + digit));
    for n in 0..200 {
        let code: String = letters(n).iter().collect();
        let answer = node.call("rag.query", &call(code.as_str(), Some(500))).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], code);
    }
    let of = "capability=\"rag.query\"";
    assert_eq!(node.metric("hearthnet_requests_total", of).await, Some(200.0));
    let rest = node.metric("hearthnet_requests_total", "result=\"__overflow__\"").await;
    assert_eq!(rest, Some(72.0), "128 codes have a series");
    let lines = node.stop().lines();
    let of_codes = lines.iter().filter(|line| line["msg"] == "call failed").count() as u64;
    let suppressed: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    assert_eq!(of_codes + suppressed, 200);
    assert!(of_codes < 100, "they share one limit");
}
