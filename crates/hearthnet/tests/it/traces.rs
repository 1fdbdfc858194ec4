//! `hearthnet trace`: filters, one trace over several nodes, and reasons for empty results.

use std::net::TcpListener;
use std::process::Output;

use serde_json::{Value, json};

use crate::backend::{Backend, Script};
use crate::node::{ECHO, Home, Node, free_port, request_id, text_of};
use crate::pty;

fn chat() -> Value {
    json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }], "stream": false } })
}

fn code(ran: &Output) -> Option<i32> {
    ran.status.code()
}

/// Returns the short form in which the commands show an ID.
fn short(id: &str) -> String {
    format!("{}…{}", &id[..6], &id[22..])
}

/// Returns a node without peers whose language model is stopped, and the ID of a call that failed.
async fn node_with_a_failed_call() -> (Node, String) {
    let gone = format!("http://127.0.0.1:{}", free_port());
    let node = Home::new().start(&format!("[[llm.backends]]\nname = \"gone\"\nurl = \"{gone}/v1\"\n"));
    let answer = node.call("llm.chat", &chat()).send().await.unwrap();
    let id = request_id(&answer);
    node.trace(&id).await;
    (node, id)
}

#[tokio::test]
async fn recent_traces_are_filtered_and_empty_results_say_why() {
    let (node, failed) = node_with_a_failed_call().await;
    let ok = request_id(&node.call(ECHO, &json!({ "input": {} })).send().await.unwrap());
    node.trace(&ok).await;
    let ids = |args: &[&str]| {
        let ran = node.home.run(&[&["trace", "recent", "--json"], args].concat());
        assert_eq!(code(&ran), Some(0), "{args:?}: {ran:?}");
        let answer: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let id = |trace: &Value| trace["trace_id"].as_str().unwrap().to_owned();
        answer["traces"].as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), [ok.as_str(), &failed]);
    assert_eq!(ids(&["--status", "failed"]), [failed.as_str()]);
    assert_eq!(ids(&["--status", "partition"]), [failed.as_str()]);
    assert_eq!(ids(&["--status", "ok", "--slowest"]), [ok.as_str()]);
    assert_eq!(ids(&["--min-ms", "0", "1", "--slowest"]).len(), 1);
    assert!(ids(&["--min-ms", "100000"]).is_empty());
    assert!(ids(&["--active"]).is_empty());

    let said = |args: &[&str], exit: i32, words: &[&str]| {
        let ran = node.home.run(&[&["trace"], args].concat());
        let said = text_of(&ran.stderr);
        assert_eq!(code(&ran), Some(exit), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: {said}\nlacks {word}");
        }
    };
    said(&["recent", "--capability", "llm.chta"], 0, &["no trace matches", "did you mean `llm.chat`?"]);
    said(&["recent", "--status", "cancelled"], 0, &["--status cancelled", "keeps the last 10 000, and more"]);
    said(&["recent", "--active"], 0, &["no call runs"]);
    said(&["recent", "--status", "timout"], 2, &["did you mean `timeout`?", "allowed: ok, failed"]);
    said(&["recent", "--status", "Partition"], 2, &["allowed: ok, failed, cancelled"]);
    said(&["recent", "--min-ms", "soon"], 2, &["milliseconds"]);
    said(&["recent", "--min-ms", "-1"], 2, &["milliseconds, 0 or more"]);
    said(&["recent", "--url", "garage"], 2, &["the port is missing", "garage:7080"]);
    said(&["recent", "--url", "ftp://garage:1"], 2, &["`http` or `https`"]);
    said(&["show", "nonsense!"], 2, &["26 characters", "01HXR3…K0JD"]);
    said(
        &["show", "01M0000000000000000000ZZZZ"],
        1,
        &["keeps the last 10 000 traces, and more of the failed"],
    );
    let closed = format!("127.0.0.1:{}", free_port());
    said(&["recent", "--url", &closed], 3, &["no node is running"]);
    let url = format!("http://127.0.0.1:{}/", node.port);
    let elsewhere = Home::new().run(&["trace", "recent", "--url", &url]);
    assert!(text_of(&elsewhere.stdout).contains("llm.chat"), "{elsewhere:?}");
}

#[tokio::test]
async fn a_trace_is_shown_by_every_form_of_its_id_with_its_cause_and_lines() {
    let (node, id) = node_with_a_failed_call().await;
    let hex: String =
        id.parse::<ulid::Ulid>().unwrap().to_bytes().iter().map(|b| format!("{b:02x}")).collect();
    for form in
        [&id, &id.to_lowercase(), &short(&id), &short(&id).replace('…', "~"), &id[18..].to_owned(), &hex]
    {
        let ran = node.home.run(&["trace", "show", form]);
        let shown = text_of(&ran.stdout);
        assert_eq!(code(&ran), Some(0), "{form}: {ran:?}");
        for part in
            [&id, "llm.chat  partition", "backend", "connection refused", "began 2", "call failed", "done"]
        {
            assert!(shown.contains(part), "{form}: {shown}\nlacks {part}");
        }
    }
    let ran = node.home.run(&["trace", "show", &id, "--json"]);
    let shown: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(shown["trace_id"], id);
    assert_eq!(shown["parts"][0]["trace"]["status"], "partition");
    assert!(shown["log"].as_array().unwrap().iter().any(|line| line["msg"] == "done"), "{shown}");

    // The cause is whole at every width.
    for columns in [40, 80, 200] {
        for args in [&["trace", "show", &id][..], &["trace", "recent"]] {
            let mut command = node.home.command(args);
            command.env("NO_COLOR", "1");
            let (shown, exit) = pty::run(command, columns, "");
            assert_eq!(exit, Some(0), "{shown}");
            let joined: String = shown.split_whitespace().collect();
            assert!(joined.contains("connectionrefused(oserror111)"), "{columns}: {shown}");
        }
    }

    // Two calls of one second have the same beginning.
    let other = format!("{}{}", &id[..22], if id.ends_with("ZZZZ") { "YYYY" } else { "ZZZZ" });
    let header = ("X-HearthNet-Request-Id", other.as_str());
    node.call(ECHO, &json!({ "input": {} })).header(header.0, header.1).send().await.unwrap();
    node.trace(&other).await;
    let ran = node.home.run(&["trace", "show", &id[..20]]);
    let said = text_of(&ran.stderr);
    assert_eq!(code(&ran), Some(2), "{said}");
    assert!(said.contains(&id) && said.contains(&other) && said.contains("llm.chat, partition"), "{said}");

    // The node is gone: the log has its lines.
    let home = node.stop();
    let ran = home.run(&["trace", "show", &short(&id)]);
    assert_eq!(code(&ran), Some(0), "{ran:?}");
    assert!(text_of(&ran.stdout).contains("call failed"), "{ran:?}");
    assert!(text_of(&ran.stderr).contains("no node is running"), "{ran:?}");
    let ran = home.run(&["trace", "show", "01M0000000000000000000ZZZZ"]);
    assert_eq!(code(&ran), Some(3), "{ran:?}");
    let log = text_of(&ran.stderr);
    assert!(log.contains("no node is running") && log.contains("no line of the trace"), "{log}");
}

/// A call from one node over another: one tree, with the peer that is down and the one that hangs named.
#[tokio::test]
async fn the_parts_of_other_nodes_are_joined_and_a_silent_one_is_named() {
    let backend = Backend::start(Script { tokens: vec!["Ja"], ..Script::default() }).await;
    let two = Home::new().start(&backend.section());
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let (down, hangs) = (free_port(), hanging.local_addr().unwrap().port());
    let peers = format!(
        "discovery = {{ static_peers = [\"http://127.0.0.1:{}\", \"http://127.0.0.1:{down}\", \"http://127.0.0.1:{hangs}\"] }}\n",
        two.port
    );
    let one = Home::new().start(&peers);
    one.wait_for_metric("hearthnet_nodes_online", &two.id().await, 1.0).await;
    let answer = one.call("llm.chat", &chat()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let id = request_id(&answer);
    one.trace(&id).await;
    two.trace(&id).await;

    let ran = one.home.run(&["trace", "show", &id, "--peers", "--json"]);
    assert_eq!(code(&ran), Some(0), "{ran:?}");
    let shown: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let parts = shown["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2, "{shown}");
    let forward =
        parts[0]["trace"]["spans"].as_array().unwrap().iter().position(|span| span["name"] == "forward");
    assert_eq!(parts[1]["parent"], json!({ "part": 0, "span": forward.unwrap() }), "{shown}");
    let errors: Vec<_> =
        shown["peers"].as_array().unwrap().iter().filter(|peer| !peer["error"].is_null()).collect();
    assert_eq!(errors.len(), 2, "{shown}");

    let ran = one.home.run(&["trace", "show", &id, "--peers"]);
    let (tree, said) = (text_of(&ran.stdout), text_of(&ran.stderr));
    let row = |text: &str| {
        tree.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {tree}"))
    };
    assert!(row("  forward") < row("    llm.chat") && row("    llm.chat") < row("      backend"), "{tree}");
    assert_eq!(tree.lines().filter(|line| line.starts_with("began")).count(), 1, "one tree: {tree}");
    for port in [down, hangs] {
        assert!(
            said.lines().any(|line| line.contains("left out") && line.contains(&port.to_string())),
            "{said}"
        );
    }

    // Asked from the other end, the caller's part is found too.
    let url = format!("127.0.0.1:{}", two.port);
    let ran = one.home.run(&["trace", "show", &id, "--peers", "--url", &url]);
    let from_two = text_of(&ran.stdout);
    assert_eq!(from_two.lines().filter(|line| line.starts_with("began")).count(), 1, "one tree: {from_two}");
    assert!(from_two.contains("  forward"), "{from_two}");
}

/// Another node may answer with anything.
#[tokio::test]
async fn a_hostile_peer_changes_no_terminal_and_ends_no_command() {
    let node = Home::new().start("");
    let id = request_id(&node.call(ECHO, &json!({ "input": {} })).send().await.unwrap());
    let own = node.trace(&id).await;
    let span = |at: usize| {
        json!({ "name": format!("\u{1b}[2J{at}"), "parent": at.checked_sub(1), "start_ms": -1e300, "duration_ms": 1e300,
                "span_id": "00000000000000b7", "fields": { "\u{9b}31m": "\u{202e}x".repeat(1000) } })
    };
    let record = |spans: usize, parent: &str| {
        json!({ "trace_id": id, "capability": "\u{1b}]0;x", "started_at": "\u{7}", "duration_ms": 1e300, "status": "\n",
                "spans": (0..spans).map(span).collect::<Vec<_>>(), "dropped_spans": u64::MAX,
                "span_id": "00000000000000b7", "parent_span_id": parent })
    };
    let mut traces = vec![record(5_000, "00000000000000b7")];
    traces.extend((0..500).map(|_| record(1, own["span_id"].as_str().unwrap_or("x"))));
    traces.push(json!({ "trace_id": "01M0000000000000000000ZZZZ" }));
    traces.push(json!("\u{1b}"));
    for body in [
        json!({ "traces": traces }).to_string(),
        "[".repeat(100_000),
        format!("{{\"traces\":[\"{}\"]}}", "x".repeat(8 << 20)),
        "\u{1b}[2J".to_owned(),
    ] {
        let peer = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", peer.local_addr().unwrap());
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = peer.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        });
        let home = Home::new();
        home.write_config(&format!("transport.port = {}\ndiscovery.static_peers = [{url:?}]\n", node.port));
        let (shown, exit) = pty::run(home.command(&["trace", "show", &id, "--peers"]), 80, "");
        assert_eq!(exit, Some(0), "{shown}");
        assert!(shown.contains(&id) && shown.lines().count() < 40_000, "{}", shown.lines().count());
        for letter in ['\u{9b}', '\u{202e}', '\u{7}'] {
            assert!(!shown.contains(letter), "{letter:?}");
        }
        assert!(!shown.contains("\u{1b}[2J") && !shown.contains("\u{1b}]"));
    }
}

#[tokio::test]
async fn a_call_that_runs_is_listed_and_shown() {
    let slow = std::time::Duration::from_secs(60);
    let backend = Backend::start(Script { tokens: vec!["a"], delay: slow, ..Script::default() }).await;
    let node = Home::new().start(&backend.section());
    let id = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";
    let mut streamed = chat();
    streamed["input"]["stream"] = true.into();
    let call = tokio::spawn(node.call("llm.chat", &streamed).header("X-HearthNet-Request-Id", id).send());
    let begun = std::time::Instant::now();
    while !node.get("/trace/active").await.to_string().contains(id) {
        assert!(begun.elapsed().as_secs() < 10, "the call does not run");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let listed = node.home.run(&["trace", "recent", "--active", "--min-ms", "0"]);
    assert!(text_of(&listed.stdout).contains("llm.chat  running"), "{listed:?}");
    let listed = node.home.run(&["trace", "recent", "--active", "--status", "failed", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap(), json!({ "traces": [] }));
    let shown = node.home.run(&["trace", "show", "F8HJ"]);
    assert!(text_of(&shown.stdout).contains("runs now"), "{shown:?}");
    call.abort();
}
