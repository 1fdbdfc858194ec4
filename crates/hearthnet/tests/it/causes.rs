//! Each error code of the protocol, and the line of the log that explains it.
//!
//! `docs/causes.md` is that table. After a change of wording, `UPDATE_CAUSES=1 cargo test -p hearthnet --test it causes`
//! rewrites it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::backend::{Backend, Script};
use crate::node::{ECHO, Home, Node, events, free_port, request_id};
use crate::peer::node_with_peer;

const HEAD: &str = "\
# Causes of failed calls

Each error code of the protocol, the way in which a test provokes it, and the line that explains it. The line is from \
`hearthnet log --level warning`, without its time, trace ID and advice. The advice is the last column. The span of the call \
has the same text in its field `cause` (`hearthnet trace recent`).

A line has the level `error` if this node failed, else `warning`. There is at most one a second for each capability, code \
and server; `suppressed` is the number of lines that were left out.

| code | provoked by | line | what to do |
|---|---|---|---|
";

#[derive(Default)]
struct Table(String);

impl Table {
    /// Makes `call`, and adds the line that explains its failure.
    async fn add(&mut self, code: &str, provoked_by: &str, node: Node, call: RequestBuilder) {
        let answer = call.send().await.unwrap();
        let id = request_id(&answer);
        let streamed = answer.status() == StatusCode::OK;
        let body = answer.text().await.unwrap();
        let last = match streamed {
            true => events(&body).pop().unwrap().1,
            false => serde_json::from_str::<Value>(&body).unwrap(),
        };
        assert_eq!(last["error"], code, "{provoked_by}: {body}");
        let trace = node.trace(&id).await;
        let home = node.stop();
        let lines: Vec<_> = home.lines().into_iter().filter(|line| line["trace_id"] == id).collect();

        let failed: Vec<_> = lines.iter().filter(|line| line["msg"] == "call failed").collect();
        let [line] = failed[..] else { panic!("one line that explains {code}: {lines:#?}") };
        let level = if code == "internal_error" { "error" } else { "warning" };
        assert_eq!((&line["level"], &line["code"]), (&json!(level), &json!(code)), "{line}");
        let done = lines.iter().find(|line| line["msg"] == "done").unwrap();
        assert_eq!((&done["level"], &done["status"]), (&json!("warning"), &json!(code)));
        let spans = trace["spans"].as_array().unwrap();
        let is_it =
            |span: &&Value| span["fields"]["error"] == code && span["fields"]["cause"] == line["cause"];
        assert!(spans.iter().any(|span| is_it(&span)), "no span with {}: {trace}", line["cause"]);

        let shown = home.run(&["log", "--level", "warning"]);
        let shown = String::from_utf8(shown.stdout).unwrap();
        let shown = shown.lines().find(|line| line.contains("call failed")).unwrap();
        let (_, shown) = shown.split_once(' ').unwrap();
        let (shown, rest) = shown.split_once(" advice=").unwrap();
        let advice = line["advice"].as_str().unwrap();
        assert!(rest.starts_with(advice), "{rest}");
        writeln!(self.0, "| `{code}` | {provoked_by} | `{}` | {advice} |", without_ports(shown)).unwrap();
    }
}

/// Replaces the ports of this run.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        write!(out, "127.0.0.1:PORT{rest}").unwrap();
    }
    out
}

fn chat() -> Value {
    json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }] } })
}

async fn node_with_model(script: Script) -> Node {
    let backend = Backend::start(script).await;
    Home::new().start(&backend.section())
}

/// Starts a peer that refuses every call of `rag.query`, and a node that knows it.
async fn node_with_refusing_peer(status: u16, code: &'static str) -> Node {
    let refusal = json!({ "error": code, "message": format!("refused as {code}") }).to_string();
    node_with_peer(post(move || async move { (StatusCode::from_u16(status).unwrap(), refusal) })).await
}

#[tokio::test]
async fn every_code_has_a_line_that_explains_it() {
    let mut table = Table::default();
    let empty = json!({});

    let node = Home::new().start("");
    let call = node.call(ECHO, &empty).body("{\"input\":");
    table.add("bad_request", "a body that is not JSON", node, call).await;

    let node = node_with_model(Script { status: Some(400), ..Script::default() }).await;
    let call = node.call("llm.chat", &chat());
    table.add("bad_request", "a language model that refuses the request", node, call).await;

    let node = Home::new().start("");
    let call = node.call(ECHO, &json!({ "input": { "frames": "3" } }));
    table.add("schema_mismatch", "a text in place of a number", node, call).await;

    let node = Home::new().start("");
    let call = node.call(ECHO, &empty).header("X-HearthNet-Signature", "ed25519:zz");
    table.add("invalid_signature", "a signature of the wrong form", node, call).await;

    for (status, code) in [(401, "unauthorized"), (403, "revoked")] {
        let node = node_with_refusing_peer(status, code).await;
        let call = node.call("rag.query", &empty);
        table.add(code, "a peer that refuses the call", node, call).await;
    }

    let node = Home::new().start("");
    let call = node.call("no.such.capability", &empty);
    table.add("not_found", "a capability that no node offers", node, call).await;

    let slow = Script { tokens: vec!["a"], delay: Duration::from_secs(20), ..Script::default() };
    let node = node_with_model(slow.clone()).await;
    let call = node.call("llm.chat", &chat());
    table.add("timeout", "a language model that stops in the middle of its answer", node, call).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let section = format!("[[llm.backends]]\nname = \"silent\"\nurl = \"{silent}\"\ntimeout_seconds = 1\n");
    let node = Home::new().start(&section);
    let call = node.call("llm.chat", &chat());
    table.add("timeout", "a language model that does not answer", node, call).await;

    let node = node_with_refusing_peer(410, "expired").await;
    let call = node.call("rag.query", &empty);
    table.add("expired", "a peer that refuses the call", node, call).await;

    let (home, port) = (Home::new(), free_port());
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port}, rate_limit_hard_rps = 1 }}\nemergency.probe_targets = []\n"
    ));
    let node = Node::start(home, port);
    assert_eq!(node.call(ECHO, &empty).send().await.unwrap().status(), 200);
    let call = node.call(ECHO, &empty);
    table.add("rate_limited", "two calls in one second with `rate_limit_hard_rps = 1`", node, call).await;

    let node = node_with_model(Script { status: Some(429), ..Script::default() }).await;
    let call = node.call("llm.chat", &chat());
    table.add("capacity_exceeded", "a busy language model", node, call).await;

    let refused = json!({ "error": { "message": "Incorrect API key provided: sk-abcdefghijkl." } });
    let raw = Some(("application/json", vec![refused.to_string().into_bytes()]));
    let node = node_with_model(Script { status: Some(401), raw, ..Script::default() }).await;
    let call = node.call("llm.chat", &chat());
    table.add("internal_error", "a language model that refuses the key of the node", node, call).await;

    let node = node_with_model(Script::default()).await;
    let call = node.call("llm.chat", &json!({ "params": { "model": "huge" }, "input": chat()["input"] }));
    table.add("not_implemented", "a model that the node does not offer", node, call).await;

    let gone = format!("http://127.0.0.1:{}", free_port());
    let node = Home::new().start(&format!("[[llm.backends]]\nname = \"gone\"\nurl = \"{gone}/v1\"\n"));
    let call = node.call("llm.chat", &chat());
    table.add("partition", "a language model that is stopped", node, call).await;

    let node = Home::new().start("observability.federated.enabled = true\n");
    let call = node.call("observability.federated_snapshot", &empty);
    table.add("aggregation_too_few_nodes", "a snapshot of a community of one node", node, call).await;

    compare(&format!("{HEAD}{}", table.0));
}

fn compare(now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/causes.md");
    if std::env::var_os("UPDATE_CAUSES").is_some() {
        std::fs::write(&file, now).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    let unknown: Vec<_> = now.lines().filter(|line| !known.lines().any(|known| known == *line)).collect();
    assert!(known == now, "not in {}:\n{}", file.display(), unknown.join("\n"));
}

#[tokio::test]
async fn calls_to_a_stopped_model_are_explained_once_a_second_with_a_count() {
    let gone = format!("http://127.0.0.1:{}", free_port());
    let node = Home::new().start(&format!("[[llm.backends]]\nname = \"gone\"\nurl = \"{gone}\"\n"));
    for _ in 0..3 {
        assert_eq!(node.call("llm.chat", &chat()).send().await.unwrap().status(), 503);
    }
    let home = node.stop();
    let lines = home.lines();
    assert_eq!(lines.iter().filter(|line| line["msg"] == "done" && line["level"] == "warning").count(), 3);
    let explained = lines.iter().filter(|line| line["msg"] == "call failed").count() as u64;
    let suppressed: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    assert_eq!(explained + suppressed, 3);
    let shown = String::from_utf8(home.run(&["log", "--level", "warning"]).stdout).unwrap();
    assert!(shown.contains("connection refused") && shown.contains(&gone), "{shown}");
}

/// A server of a third party and a peer write what they like.
#[tokio::test]
async fn no_cause_has_secrets_or_control_characters() {
    let hostile =
        "bad key my-secret-key at http://ada:hunter2@host/v1?key=hunter2 \u{1b}[2J\nINFO forged\u{202e}";
    let refused = json!({ "error": { "message": hostile } });
    let raw = Some(("application/json", vec![refused.to_string().into_bytes()]));
    let backend = Backend::start(Script { status: Some(401), raw, ..Script::default() }).await;
    let (home, port) = (Home::new(), free_port());
    let url = &backend.url;
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port} }}\nemergency.probe_targets = []\n\
         [[llm.backends]]\nname = \"fake\"\nurl = \"{url}\"\napi_key_env = \"KEY_OF_THE_TEST\"\n"
    ));
    let mut command = home.command(&["run"]);
    command.env("KEY_OF_THE_TEST", "my-secret-key");
    let node = Node::start_by(command, home, port);
    for body in [chat(), json!({ "input": { "messages": chat()["input"]["messages"], "stream": false } })] {
        let answer = node.call("llm.chat", &body).send().await.unwrap();
        let id = request_id(&answer);
        let trace = node.trace(&id).await.to_string();
        let body = answer.text().await.unwrap();
        assert!(!body.contains("host") && !body.contains("forged"), "{body}");
        assert!(trace.contains("[redacted]") && trace.contains("401"), "{trace}");
        for secret in ["my-secret-key", "hunter2", "ada", "\\u001b", "\u{202e}", "\\n"] {
            assert!(!trace.contains(secret), "{secret}: {trace}");
        }
    }
    let log = node.stop().log_text();
    assert!(log.contains("call failed"), "{log}");
    for secret in ["my-secret-key", "hunter2", "\\u001b", "\u{202e}", "\\nINFO"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// A caller that invents names gets no lines of its own.
#[tokio::test]
async fn invented_names_share_one_limit() {
    let node = Home::new().start("");
    let begun = std::time::Instant::now();
    for n in 0..100 {
        let answer = node.call(&format!("made.up.{n}"), &json!({})).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
    let seconds = begun.elapsed().as_secs() as usize;
    let lines = node.stop().lines();
    let explained = lines.iter().filter(|line| line["msg"] == "call failed").count();
    assert!((1..=seconds + 1).contains(&explained), "{explained} in {seconds} s");
    let suppressed: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    assert_eq!(explained as u64 + suppressed, 100);
}
