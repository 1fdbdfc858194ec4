//! `hearthnet call` against real nodes, and against servers that answer badly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backend::{Backend, Script};
use crate::node::{ECHO, Home, Node, free_port, text_of};
use crate::pty;

/// Maximum time of everything that a test waits for.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a command to its end, with `input` on its stdin.
fn finish(mut command: Command, input: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    finish_child(child, input)
}

fn finish_child(mut child: Child, input: &str) -> Output {
    let (pid, stdin) = (child.id(), child.stdin.take());
    let (done, ended) = mpsc::channel();
    let input = input.to_owned();
    std::thread::spawn(move || {
        // A command that refuses its input does not read all of it.
        let _ = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
        done.send(child.wait_with_output())
    });
    ended.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("the command {pid} goes on")).unwrap()
}

/// Calls from the home of `node`.
fn call(node: &Node, args: &[&str]) -> Output {
    finish(node.home.command(&[&["call"], args].concat()), "")
}

/// Returns the trace ID that the command told.
fn told_id(done: &Output) -> String {
    let said = text_of(&done.stderr);
    let (_, rest) = said.split_once("hearthnet: trace ").unwrap_or_else(|| panic!("no trace ID: {said}"));
    let id = rest[..26].to_owned();
    assert!(said.contains(&format!("`hearthnet trace show {id}")), "{said}");
    id
}

#[tokio::test]
async fn a_call_prints_its_output_and_its_trace_and_is_signed() {
    let node = Home::new().start("");
    let done = call(&node, &[ECHO, "--body", r#"{"text": "Grüße"}"#]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(serde_json::from_slice::<Value>(&done.stdout).unwrap(), json!({ "text": "Grüße" }));
    let id = told_id(&done);
    assert_eq!(node.trace(&id).await["status"], "ok");
    let us = node.id().await;

    let done = call(&node, &[&format!("{ECHO}@1.0"), "--json"]);
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&answer["output"], &answer["trace_id"]), (&json!({ "text": "" }), &json!(told_id(&done))));

    // The body of stdin has both parts.
    let body = r#"{"params": {}, "input": {"text": "from stdin"}}"#;
    let done = finish(node.home.command(&["call", ECHO, "--body", "-"]), body);
    assert!(text_of(&done.stdout).contains("from stdin"), "{done:?}");

    // The log of a node that has ended is whole.
    let home = node.stop();
    let routed = home.lines().into_iter().find(|line| line["msg"] == "routed").unwrap();
    assert_eq!((&routed["from"], &routed["trace_id"]), (&json!(us), &json!(id)));
}

#[tokio::test]
async fn the_owner_of_a_node_calls_through_it_and_names_another_one() {
    let first = Home::new().start("");
    let second = Home::new().start(&format!(
        "discovery = {{ static_peers = [\"http://127.0.0.1:{}\"] }}\nbus = {{ offer = [] }}\n",
        first.port
    ));
    second.wait_for_metric("hearthnet_nodes_online", &first.id().await, 1.0).await;
    // Signed with the key of the second node, and forwarded by it.
    let done = call(&second, &[ECHO, "--body", r#"{"text": "over two nodes"}"#]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let id = told_id(&done);
    for node in [&first, &second] {
        assert_eq!(node.trace(&id).await["status"], "ok");
    }
    // A caller without a home. The command to show the trace names the same node.
    let url = format!("127.0.0.1:{}", first.port);
    let home = Home::new();
    let done = finish(home.command(&["call", ECHO, "--url", &url]), "");
    let said = text_of(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("the call is not signed: ") && said.contains(&format!(" --url {url}`")), "{said}");
}

#[tokio::test]
async fn the_exit_code_follows_the_outcome() {
    let node = Home::new().start("");
    for (args, code, wanted) in [
        (&[ECHO, "--body", r#"{"fail": "timeout"}"#][..], 1, "timeout: as asked for"),
        (&[ECHO, "--body", r#"{"fail": "invalid_signature"}"#], 4, "invalid_signature: "),
        (&[ECHO, "--body", r#"{"frames": 2, "fail": "partition"}"#], 1, "partition: as asked for"),
        (&["experimental.echo@2.0"], 1, "schema_mismatch: this capability has the version 1.0"),
        (&["experimental.ecko"], 1, "; did you mean `experimental.echo`?"),
        (&["rag.query"], 1, "not_found: no known node offers this capability; `hearthnet caps` lists"),
        (&[ECHO, "--body", "{\"text\":\n hello}"], 2, "line 2 column 2"),
        (&[ECHO, "--body", "[]"], 2, "the body is an array"),
        (&["no such name"], 2, "`hearthnet caps` lists the names"),
        (&[ECHO, "--bdoy", "{}"], 2, "'--body'"),
    ] {
        let done = call(&node, args);
        let said = text_of(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(wanted), "{args:?}: {said}");
        assert_eq!(text_of(&done.stdout), "", "{args:?}");
        assert_eq!(said.contains("hearthnet: trace "), code != 2, "{said}");
    }
    // A program gets the code as JSON.
    let done = call(&node, &[ECHO, "--json", "--body", r#"{"fail": "expired"}"#]);
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&answer["error"], done.status.code()), (&json!("expired"), Some(1)));

    let too_large = "x".repeat(2 << 20);
    let done = finish(node.home.command(&["call", ECHO, "--body", "-"]), &too_large);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert!(text_of(&done.stderr).contains("1 MiB"), "{done:?}");
}

#[test]
fn without_a_node_the_exit_code_is_3() {
    let home = Home::new();
    home.run(&["init", "--non-interactive"]);
    let port = free_port().to_string();
    for args in [&["call", ECHO][..], &["caps"]] {
        let done = finish(home.command(&[args, &["--port", &port]].concat()), "");
        let said = text_of(&done.stderr);
        assert_eq!(done.status.code(), Some(3), "{said}");
        assert!(said.contains("no node is running") && said.contains("hearthnet run"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_is_printed_as_text_whole_or_as_it_comes() {
    let script = Script { tokens: vec!["Hello", ",\n", "wor", "ld"], usage: Some(4), ..Script::default() };
    let backend = Backend::start(script).await;
    let node = Home::new().start(&backend.section());
    let body = r#"{"messages": [{"role": "user", "content": "Hi"}]}"#;
    for args in [&["llm.chat", "--body", body][..], &["llm.chat", "--stream", "--body", body]] {
        let done = call(&node, args);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        assert_eq!(text_of(&done.stdout), "Hello,\nworld\n");
        assert!(text_of(&done.stderr).contains("ok  ms="), "{done:?}");
    }
    let done = call(&node, &["llm.chat", "--json", "--stream", "--body", body]);
    let frames: Vec<Value> =
        text_of(&done.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = frames.iter().map(|frame| frame["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["token", "token", "token", "token", "done"]);
    assert_eq!(frames[4]["data"]["tokens_out"], 4);

    // Other capabilities send other frames. A failed stream leaves no half of an answer in a file.
    let done = call(&node, &[ECHO, "--body", r#"{"text": "a", "frames": 2}"#]);
    assert_eq!(text_of(&done.stdout), "{\"index\":0,\"text\":\"a\"}\n{\"index\":1,\"text\":\"a\"}\n");
    let done = call(&node, &[ECHO, "--stream", "--body", r#"{"text": "a", "frames": 1, "fail": "timeout"}"#]);
    assert_eq!((text_of(&done.stdout).lines().count(), done.status.code()), (1, Some(1)));
}

/// Server that answers the first call with `pieces`, and waits for a word on the channel between two of them.
fn server(pieces: Vec<String>) -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = listener.local_addr().unwrap().to_string();
    let (go_on, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&stream);
        for (i, piece) in pieces.iter().enumerate() {
            if i > 0 {
                let _ = told.recv_timeout(DEADLINE);
            }
            if stream.write_all(piece.as_bytes()).is_err() {
                break;
            }
        }
    });
    (url, go_on)
}

fn read_request(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn json_answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[test]
fn a_broken_stream_is_a_failure_that_says_so() {
    let home = Home::new();
    let token = "event: token\ndata: {\"text\":\"half an ans\"}\n\n";
    let done = "event: done\ndata: {}\n\n";
    for (body, wanted) in [
        (
            token.to_owned(),
            "broke after 1 frames, so the answer is incomplete: it ended without its last frame",
        ),
        (String::new(), "broke after 0 frames"),
        (format!("{token}event: done\ndata: {{\n\n"), "a frame is not JSON"),
        (format!("{token}event: d\u{1b}[2J\ndata: {{}}\n\n"), "the name of a frame is invalid"),
        (format!("{token}{done}{done}"), "it went on after its last frame"),
        (format!("{token}data: {}", "x".repeat(2 << 20)), "larger than 1 MiB"),
    ] {
        let (url, _go_on) = server(vec![format!("{STREAM}{body}")]);
        let done = finish(home.command(&["call", ECHO, "--url", &url]), "");
        let said = text_of(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(wanted) && !said.contains('\u{1b}'), "{wanted}: {said}");
        assert_eq!(text_of(&done.stdout), "", "no half of an answer");
    }
}

#[test]
fn tokens_are_printed_as_they_come_and_ctrl_c_ends_quietly() {
    let home = Home::new();
    let first = format!("{STREAM}event: token\ndata: {{\"text\":\"Hello\"}}\n\n");
    let last = "event: token\ndata: {\"text\":\" world\"}\n\nevent: done\ndata: {}\n\n".to_owned();
    for interrupt in [false, true] {
        let (url, go_on) = server(vec![first.clone(), last.clone()]);
        let mut command = home.command(&["call", ECHO, "--stream", "--url", &url]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (read, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut beginning = [0; 5];
            stdout.read_exact(&mut beginning).unwrap();
            read.send(beginning.to_vec()).unwrap();
            let mut rest = Vec::new();
            stdout.read_to_end(&mut rest).unwrap();
            read.send(rest).unwrap();
        });
        assert_eq!(shown.recv_timeout(DEADLINE).unwrap(), b"Hello", "before the rest is sent");
        let (code, rest) = match interrupt {
            true => (130, "\n"),
            false => (0, " world\n"),
        };
        match interrupt {
            true => assert!(
                Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success()
            ),
            false => go_on.send(()).unwrap(),
        }
        let done = finish_child(child, "");
        assert_eq!(text_of(&shown.recv_timeout(DEADLINE).unwrap()), rest);
        assert_eq!(done.status.code(), Some(code), "{done:?}");
        let said = text_of(&done.stderr);
        assert!(said.lines().all(|line| line.contains("trace ") || line.contains("not signed")), "{said}");
    }
}

#[test]
fn hostile_answers_are_harmless_on_a_terminal_and_unchanged_in_a_pipe() {
    let home = Home::new();
    let text = "\u{1b}[2J\u{202e}\u{9b}";
    let output = json!({ "text": text });
    let plain = json_answer("200 OK", &json!({ "output": output, "meta": { "a": text } }).to_string());
    let refusal = json_answer("500 X", &json!({ "error": text, "message": text }).to_string());
    let tokens = format!(
        "{STREAM}event: token\ndata: {output}\n\nevent: odd\ndata: {output}\n\nevent: done\ndata: {output}\n\n"
    );
    for answer in [&plain, &refusal, &tokens] {
        for option in [&[][..], &["--json"], &["--stream"]] {
            let (url, _go_on) = server(vec![answer.clone()]);
            let command = home.command(&[&["call", ECHO, "--url", &url], option].concat());
            let (shown, _) = pty::run(command, 200, "");
            let is_harmless = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
            assert!(shown.chars().all(is_harmless) && !shown.contains('\u{202e}'), "{option:?}: {shown:?}");
        }
    }
    let (url, _go_on) = server(vec![plain]);
    let done = finish(home.command(&["call", ECHO, "--url", &url]), "");
    assert_eq!(text_of(&done.stdout), format!("{output:#}\n"));
    // Another server on the port is no node.
    for answer in
        [json_answer("200 OK", "<html>"), json_answer("404 Not Found", "{}"), json_answer("200 OK", "{}")]
    {
        let (url, _go_on) = server(vec![answer]);
        let done = finish(home.command(&["call", ECHO, "--url", &url]), "");
        assert_eq!(done.status.code(), Some(3), "{done:?}");
        assert!(text_of(&done.stderr).contains("is no HearthNet node"), "{done:?}");
    }
}

#[test]
fn a_silent_node_and_a_reader_that_leaves_end_the_call() {
    let home = Home::new();
    let (url, _go_on) = server(vec![STREAM.to_owned(), String::new()]);
    let done = finish(home.command(&["call", ECHO, "--timeout", "1", "--url", &url]), "");
    let said = text_of(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("did not arrive within 1 s"), "{said}");

    let token = format!("event: token\ndata: {{\"text\":\"{}\"}}\n\n", "x".repeat(100_000));
    let (url, _go_on) = server(vec![format!("{STREAM}{}", token.repeat(50))]);
    let mut command = home.command(&["call", ECHO, "--stream", "--url", &url]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = finish_child(child, "");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(!text_of(&done.stderr).contains("cannot write"), "{done:?}");
}
