//! `llm.chat` with a backend.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::backend::{Backend, Script};
use crate::node::{Home, Node, events, request_id};

fn chat(stream: bool) -> Value {
    json!({
        "params": { "model": "tiny" },
        "input": { "messages": [{ "role": "user", "content": "Hi" }], "stream": stream, "max_tokens": 9 },
    })
}

async fn start(script: Script) -> (Backend, Node) {
    let backend = Backend::start(script).await;
    let node = Home::new().start(&backend.section());
    (backend, node)
}

#[tokio::test]
async fn tokens_are_streamed_counted_and_leased() {
    let (go, delay) = (Arc::new(Notify::new()), Duration::from_millis(10));
    let script =
        Script { tokens: vec!["Sie ", "können "], delay, go: Some(go.clone()), ..Script::default() };
    let (backend, node) = start(script).await;
    assert!(node.get("/manifest").await["capabilities"].to_string().contains("llm.chat"));
    assert_eq!(node.metric("hearthnet_llm_concurrent", "tiny").await, Some(0.0));

    let call = tokio::spawn(node.call("llm.chat", &chat(true)).send());
    node.wait_for_metric("hearthnet_llm_concurrent", "model=\"tiny\"", 1.0).await;
    node.wait_for_metric("hearthnet_active_streams", "llm.chat", 1.0).await;
    go.notify_one();
    let frames = events(&call.await.unwrap().unwrap().text().await.unwrap());
    let text: String = frames
        .iter()
        .filter(|(name, _)| name == "token")
        .map(|(_, data)| data["text"].as_str().unwrap())
        .collect();
    assert_eq!(text, "Sie können ");
    let (name, done) = frames.last().unwrap();
    assert_eq!(
        (name.as_str(), &done["tokens_out"], &done["stop_reason"]),
        ("done", &json!(2), &json!("max_tokens"))
    );
    assert!(done["ms"].as_u64().unwrap() >= 40);

    node.wait_for_metric("hearthnet_llm_concurrent", "model=\"tiny\"", 0.0).await;
    let labels = "model=\"tiny\",backend=\"fake\"";
    assert_eq!(node.metric("hearthnet_llm_tokens_generated_total", labels).await, Some(2.0));
    let seen = backend.seen.lock().unwrap();
    assert_eq!((&seen[0].0["model"], &seen[0].0["max_tokens"]), (&json!("tiny"), &json!(9)));
}

#[tokio::test]
async fn a_whole_answer_has_the_backends_own_count() {
    let (_backend, node) =
        start(Script { tokens: vec!["Ja", "."], usage: Some(17), ..Script::default() }).await;
    let answer: Value = node.call("llm.chat", &chat(false)).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["output"]["message"], json!({ "role": "assistant", "content": "Ja." }));
    assert_eq!((&answer["meta"]["tokens_out"], &answer["meta"]["tokens_in"]), (&json!(17), &json!(3)));
    assert_eq!(answer["meta"]["stop_reason"], "end");
    assert_eq!(node.metric("hearthnet_llm_tokens_generated_total", "tiny").await, Some(17.0));

    let stream = node.call("llm.chat", &chat(true)).send().await.unwrap().text().await.unwrap();
    assert_eq!(events(&stream).last().unwrap().1["tokens_out"], 17);
    node.wait_for_metric("hearthnet_llm_tokens_generated_total", "tiny", 34.0).await;
}

/// The server of the model belongs to a third party. It gets the standard trace header and nothing else.
#[tokio::test]
async fn a_call_to_a_model_is_a_client_span_by_the_conventions_and_carries_traceparent_alone() {
    let (backend, node) =
        start(Script { tokens: vec!["Ja", "."], usage: Some(17), ..Script::default() }).await;
    for stream in [true, false] {
        let call = node.call("llm.chat", &chat(stream));
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02";
        let answer = call.header("traceparent", parent).header("tracestate", "foo=1").send().await.unwrap();
        let id = request_id(&answer);
        answer.text().await.unwrap();
        let trace = node.trace(&id).await;
        let spans = trace["spans"].as_array().unwrap();
        let span = spans.iter().find(|span| span["name"] == "backend").unwrap();
        let mut expected = json!({
            "backend": "fake", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "tiny", "gen_ai.request.stream": stream, "gen_ai.usage.output_tokens": 17,
            "server.address": "127.0.0.1",
            "server.port": backend.url.rsplit_once(':').unwrap().1.parse::<u16>().unwrap(),
        });
        if !stream {
            expected["gen_ai.response.model"] = json!("tiny-q4");
            expected["gen_ai.usage.input_tokens"] = json!(3);
        }
        assert_eq!(span["fields"], expected);

        let seen = backend.seen.lock().unwrap();
        let (_, _, headers) = seen.last().unwrap();
        let told = headers["traceparent"].to_str().unwrap();
        assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-03"), "{told}");
        assert!(!told.contains("b7ad6b7169203331"), "the span of this node");
        let names = headers.keys().map(|name| name.as_str());
        let ours: Vec<_> = names.filter(|name| name.contains("hearthnet") || *name == "tracestate").collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

#[tokio::test]
async fn failures_of_a_backend_have_their_codes() {
    async fn check(script: Script, code: &str) {
        let (_backend, node) = start(script).await;
        for stream in [true, false] {
            let answer = node.call("llm.chat", &chat(stream)).send().await.unwrap();
            assert!(!answer.status().is_success(), "{code}");
            let id = request_id(&answer);
            assert_eq!(answer.json::<Value>().await.unwrap()["error"], code);
            let span = &node.trace(&id).await["spans"][0];
            assert_eq!((&span["name"], &span["fields"]["error"]), (&json!("backend"), &json!(code)));
        }
    }
    for (status, code) in [
        (400, "bad_request"),
        (401, "internal_error"),
        (404, "internal_error"),
        (413, "bad_request"),
        (429, "capacity_exceeded"),
        (500, "internal_error"),
        (502, "partition"),
        (503, "capacity_exceeded"),
    ] {
        check(Script { status: Some(status), ..Script::default() }, code).await;
        // A server behind a proxy sends the same status in the body.
        let body = json!({ "error": { "message": "secret", "code": status } }).to_string();
        let raw = Some(("application/json", vec![body.into_bytes()]));
        check(Script { status: Some(500), raw, ..Script::default() }, code).await;
    }

    let nobody = format!("http://127.0.0.1:{}", crate::node::free_port());
    let node = Home::new().start(&format!("[[llm.backends]]\nname = \"gone\"\nurl = \"{nobody}/v1\"\n"));
    let answer = node.call("llm.chat", &chat(true)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "partition");
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_stops_ends_in_an_error_frame() {
    let last = async |node: &Node| {
        let answer = node.call("llm.chat", &chat(true)).send().await.unwrap();
        let id = request_id(&answer);
        let (name, data) = events(&answer.text().await.unwrap()).pop().unwrap();
        assert_eq!(name, "error");
        let trace = node.trace(&id).await;
        let mut spans = trace["spans"].as_array().unwrap().iter();
        let span = spans.find(|span| span["name"] == "backend").expect("it lasts as long as the stream");
        assert_eq!(span["fields"]["error"], data["error"]);
        data["error"].as_str().unwrap().to_owned()
    };
    let (_backend, node) = start(Script { tokens: vec!["a"], breaks: true, ..Script::default() }).await;
    assert_eq!(last(&node).await, "partition");
    assert_eq!(node.metric("hearthnet_llm_tokens_generated_total", "tiny").await, Some(1.0));

    let delay = Duration::from_secs(5);
    let (_backend, node) = start(Script { tokens: vec!["a"], delay, ..Script::default() }).await;
    assert_eq!(last(&node).await, "timeout");
}

#[tokio::test]
async fn another_model_or_a_strange_conversation_is_refused() {
    let (backend, node) = start(Script::default()).await;
    for (body, code) in [
        (json!({ "params": { "model": "huge" }, "input": chat(true)["input"] }), "not_implemented"),
        (json!({ "input": { "messages": [] } }), "bad_request"),
        (json!({ "input": { "messages": "Hi" } }), "schema_mismatch"),
        (
            json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }], "stream": "yes" } }),
            "schema_mismatch",
        ),
    ] {
        let answer: Value = node.call("llm.chat", &body).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["error"], code, "{body}");
    }
    assert!(backend.seen.lock().unwrap().is_empty());
}

/// Sends a stream byte by byte. Returns the text and the stop reason that the caller gets, or the error.
async fn streamed(kind: &'static str, pieces: Vec<Vec<u8>>) -> (String, Value) {
    let (_backend, node) = start(Script { raw: Some((kind, pieces)), ..Script::default() }).await;
    let answer = node.call("llm.chat", &chat(true)).send().await.unwrap();
    let is_frames = answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream");
    let body = answer.text().await.unwrap();
    assert!(!body.contains("secret"), "the server's words stay here: {body}");
    if !is_frames {
        return (String::new(), serde_json::from_str::<Value>(&body).unwrap()["error"].clone());
    }
    let frames = events(&body);
    let tokens = frames.iter().filter(|(name, _)| name == "token");
    let text = tokens.map(|(_, data)| data["text"].as_str().unwrap()).collect();
    let (name, last) = frames.last().unwrap();
    (text, if name == "done" { last["stop_reason"].clone() } else { last["error"].clone() })
}

#[tokio::test]
async fn streams_of_every_server_are_understood() {
    let table = [
        // A byte order mark, CR alone, fields without meaning, and no blank line after the end.
        (
            "\u{feff}: hi\rid: 1\rretry: 2\rdata:{\"choices\":[{\"delta\":{\"content\":\"J\u{e4}\"}}]}\r\rdata: [DONE]",
            "J\u{e4}",
            "end",
        ),
        // A role, reasoning, tools, usage in a frame of its own, and no [DONE].
        (
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n\
             data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\",\"reasoning\":\"hm\"}}]}\n\n\
             data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n\
             data\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n\
             data: {\"choices\":[],\"usage\":{\"completion_tokens\":3}}\n\n",
            "",
            "tool_calls",
        ),
        ("data: {\"choices\":[{\"delta\":{\"refusal\":\"No\"}}]}\n\ndata: [DONE]\n\n", "No", "end"),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":\"secret\"}\n\n",
            "a",
            "internal_error",
        ),
        ("data: {\"error\":{\"message\":\"secret\",\"code\":429}}\n\n", "", "capacity_exceeded"),
        ("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DO", "a", "partition"),
        // Errors by the name of the event, without a blank line, in a field of their own, and beside a choice.
        ("event: error\ndata: secret\n\n", "", "internal_error"),
        (
            "event: error\ndata: {\"type\":\"invalid_request_error\",\"message\":\"secret\"}\n\n",
            "",
            "bad_request",
        ),
        (
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
            "",
            "capacity_exceeded",
        ),
        ("event: error\ndata: {\"error\":{\"code\":504}}", "", "timeout"),
        ("error: {\"code\":400,\"message\":\"secret\"}\n\n", "", "bad_request"),
        (
            "data: {\"object\":\"error\",\"type\":\"BadRequestError\",\"message\":\"secret\"}\n\n",
            "",
            "bad_request",
        ),
        ("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n", "", "internal_error"),
    ];
    for (body, text, reason) in table {
        let pieces = body.bytes().map(|byte| vec![byte]).collect();
        let got = streamed("Text/Event-Stream; charset=utf-8", pieces).await;
        assert_eq!(got, (text.to_owned(), json!(reason)), "{body:?}");
    }
    let endless = vec![[b"data: ".as_slice(), &vec![b'a'; 2 << 20]].concat()];
    assert_eq!(streamed("text/event-stream", endless).await.1, "internal_error");
    let whole = br#"{"choices":[{"message":{"content":"Ja."},"finish_reason":"length"}]}"#.to_vec();
    let got = streamed("Application/JSON; charset=utf-8", vec![whole]).await;
    assert_eq!(got, ("Ja.".to_owned(), json!("max_tokens")));
}

#[tokio::test]
async fn whole_completions_of_every_server_are_understood() {
    let of = |message: Value| json!({ "choices": [{ "message": message, "finish_reason": "stop" }] });
    let table = [
        (of(json!({ "content": null })), Ok("")),
        (of(json!({ "role": "assistant" })), Ok("")),
        (of(json!({ "content": null, "refusal": "No" })), Ok("No")),
        (
            of(json!({ "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] })),
            Ok("ab"),
        ),
        (of(json!({ "content": null, "tool_calls": [{ "id": "1" }], "reasoning_content": "hm" })), Ok("")),
        (of(json!({ "content": 3 })), Err("internal_error")),
        (json!({ "choices": [] }), Err("internal_error")),
        (json!({ "error": "secret" }), Err("internal_error")),
        (json!({ "error": { "message": "secret", "type": "invalid_request_error" } }), Err("bad_request")),
        (json!({ "object": "error", "message": "secret", "code": 504 }), Err("timeout")),
    ];
    for (body, expected) in table {
        let raw = Some(("application/json", vec![body.to_string().into_bytes()]));
        let (_backend, node) = start(Script { raw, ..Script::default() }).await;
        let text = node.call("llm.chat", &chat(false)).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("secret"), "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        match expected {
            Ok(content) => assert_eq!(answer["output"]["message"]["content"], content, "{body}"),
            Err(code) => assert_eq!(answer["error"], code, "{body}"),
        }
    }
}

#[tokio::test]
async fn a_model_that_the_caller_named_and_the_server_lacks_is_not_implemented() {
    let backend = Backend::start(Script { status: Some(404), ..Script::default() }).await;
    let section = backend.section().replace("model = \"tiny\"\n", "");
    let node = Home::new().start(&section);
    let answer: Value = node.call("llm.chat", &chat(true)).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], "not_implemented");
}

#[tokio::test]
async fn failures_of_a_model_are_one_line_a_second_with_a_count() {
    let raw = Some(("application/json", vec![br#"{"error":{"message":"secret","code":400}}"#.to_vec()]));
    let (_backend, node) = start(Script { status: Some(400), raw, ..Script::default() }).await;
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        node.call("llm.chat", &chat(true)).send().await.unwrap().bytes().await.unwrap();
    }
    let seconds = begun.elapsed().as_secs() as usize;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    node.call("llm.chat", &chat(true)).send().await.unwrap().bytes().await.unwrap();
    let lines = node.stop().lines();
    let lines: Vec<_> = lines.iter().filter(|line| line["msg"] == "call failed").collect();
    assert!((2..=seconds + 3).contains(&lines.len()), "{lines:?}");
    let cause = lines[0]["cause"].as_str().unwrap();
    assert!(cause.ends_with("/v1/chat/completions: HTTP 400: secret"), "{cause}");
    let suppressed: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    assert_eq!(lines.len() as u64 + suppressed, 201);
}
