//! `hearthnet top` at a terminal: what it shows, and the terminal after its end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::node::{ECHO, Home, Node, free_port};
use crate::pty::{Ended, Session};

const ENTER_SCREEN: &str = "\x1b[?1049h";
const LEAVE_SCREEN: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Returns `hearthnet top` for the node on `port`.
fn top(home: &Home, port: u16) -> Command {
    let url = format!("127.0.0.1:{port}");
    let mut command = home.command(&["top", "--interval", "0.2", "--url", &url]);
    // The environment of the test must not decide about colours and letters.
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE"] {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8").env("TERM", "xterm-256color");
    command
}

#[track_caller]
fn assert_restored(ended: &Ended) {
    assert!(ended.is_cooked, "{ended:?}");
    let after = |text| ended.output.rfind(text).unwrap_or_else(|| panic!("no {text:?} in {ended:?}"));
    assert!(after(LEAVE_SCREEN) > after(ENTER_SCREEN), "{ended:?}");
    assert!(after(SHOW_CURSOR) > after("\x1b[?25l"), "{ended:?}");
}

#[tokio::test]
async fn calls_and_causes_are_shown_until_a_key_ends_the_view() {
    let closed = free_port();
    let llm =
        format!("[[llm.backends]]\nname = \"stopped\"\nurl = \"http://127.0.0.1:{closed}\"\nmodel = \"m\"\n");
    let node = Home::new().start(&llm);
    node.call(ECHO, &json!({})).send().await.unwrap();
    let chat = json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }] } });
    let failed = node.call("llm.chat", &chat).send().await.unwrap();
    let id = crate::node::request_id(&failed);
    let mut session = Session::start(top(&node.home, node.port), (100, 30));
    for text in [
        "2 problems open",
        "CAPABILITIES 3",
        ECHO,
        "CAUSES 1",
        "connection refused",
        "CALLERS",
        "PEERS",
        "CHECKS AND LOSSES",
    ] {
        session.wait_for(text);
    }
    session.press("\t\r");
    let command = format!("hearthnet trace show {id} --url 127.0.0.1:{}", node.port);
    session.wait_for(&command);
    session.press("q");
    let ended = session.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_restored(&ended);
}

#[test]
fn a_signal_and_a_key_restore_the_terminal() {
    let node = Home::new().start("");
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        let mut session = Session::start(top(&node.home, node.port), (80, 24));
        session.wait_for("CAPABILITIES");
        session.signal(signal);
        let ended = session.end();
        assert_eq!(ended.code, Some(code), "{signal}");
        assert_restored(&ended);
    }
    // Escape, which takes a moment to be told from a sequence, and Ctrl-C.
    for key in ["\x1b", "\x03"] {
        let mut session = Session::start(top(&node.home, node.port), (20, 5));
        session.wait_for("CALLS");
        session.press(key);
        let ended = session.end();
        assert_eq!(ended.code, Some(0), "{key:?}");
        assert_restored(&ended);
    }
}

#[test]
fn a_terminal_that_is_closed_ends_the_view() {
    let node = Home::new().start("");
    let mut session = Session::start(top(&node.home, node.port), (80, 24));
    session.wait_for("CAPABILITIES");
    session.hang_up();
    assert_eq!(session.end().code, Some(129));
}

#[test]
fn a_suspended_view_gives_the_terminal_back_and_returns() {
    let node = Home::new().start("");
    let mut session = Session::start(top(&node.home, node.port), (80, 24));
    session.wait_for("CAPABILITIES");
    session.press("\x1a");
    session.wait_for_output(LEAVE_SCREEN, 1);
    // Without a shell above, the system ignores the stop.
    session.continue_until(ENTER_SCREEN, 2);
    session.wait_for("CAPABILITIES");
    session.press("q");
    let ended = session.end();
    assert_eq!(ended.code, Some(0));
    assert_restored(&ended);
}

#[test]
fn a_node_that_goes_away_is_shown_as_silent_until_it_is_back() {
    let node = Home::new().start("");
    let port = node.port;
    let watcher = Home::new();
    let mut session = Session::start(top(&watcher, port), (80, 24));
    session.wait_for("CAPABILITIES");
    let home = node.stop();
    let silent = session.wait_for("NO ANSWER since");
    assert!(silent.contains("connection refused") && silent.contains(ECHO), "{silent}");
    let _node = Node::start(home, port);
    // This line takes the place of the one about the silence.
    let back = session.wait_for("5 min: 0 calls");
    assert!(!back.contains("NO ANSWER"), "{back}");
    session.press("q");
    assert_restored(&session.end());
}

#[test]
fn without_a_terminal_the_advice_is_another_command() {
    let home = Home::new();
    let output = home.run(&["top"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && message.contains("`hearthnet status --json`"), "{message}");
    let mut dumb = top(&home, free_port());
    dumb.env("TERM", "dumb");
    let ended = Session::start(dumb, (80, 24)).end();
    assert!(ended.code == Some(2) && ended.output.contains("hearthnet status"), "{ended:?}");
    for interval in ["0", "-1", "4000", "soon", "NaN"] {
        let output = home.run(&["top", "--interval", interval]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && message.contains("0.2 to 3600"), "{message}");
    }
}

#[test]
fn without_a_node_the_terminal_is_not_touched() {
    let home = Home::new();
    let ended = Session::start(top(&home, free_port()), (80, 24)).end();
    assert!(ended.code == Some(3) && ended.output.contains("`hearthnet run`"), "{ended:?}");
    assert!(!ended.output.contains('\x1b') && ended.is_cooked, "{ended:?}");
}

/// Answers each request with `answer`, until the end of the process.
fn serve(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A request of the view is short and comes as one piece.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_bad_answer_ends_the_start_with_a_reason() {
    let home = Home::new();
    let long = format!("{{\"node\":{{}},\"a\":\"{}\"}}", "a".repeat(5 << 20));
    let cases = [
        (http("404 Not Found", "nothing"), 3, "is no HearthNet node"),
        (http("500 Oops", "nothing"), 1, "HTTP status 500"),
        (http("200 OK", "[1,2,3]"), 1, "not the status"),
        (http("200 OK", &long), 1, "more than"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned(), 1, "no answer"),
    ];
    for (answer, code, message) in cases {
        let ended = Session::start(top(&home, serve(answer)), (80, 24)).end();
        let output = ended.output.replace("\r\n", " ");
        assert!(ended.code == Some(code) && output.contains(message), "{ended:?}");
        assert!(ended.is_cooked && !output.contains('\x1b'));
    }
}

#[test]
fn colours_and_letters_follow_the_environment() {
    let home = Home::new();
    let body = json!({
        "node": { "name": "Küche", "id": "ed25519:abc" },
        "recent": { "causes": [{ "code": "timeout", "cause": "no \u{1b}[31m answer", "count": 1 }] },
    });
    let port = serve(http("200 OK", &body.to_string()));
    let shown = |name: &str, value: &str| {
        let mut command = top(&home, port);
        command.env(name, value);
        let mut session = Session::start(command, (80, 24));
        let screen = session.wait_for("timeout");
        session.press("q");
        let ended = session.end();
        assert_restored(&ended);
        (screen, ended.output.contains("\x1b[38;5;"))
    };
    let (usual, has_colour) = shown("LANG", "C.UTF-8");
    assert!(has_colour && usual.contains("Küche") && usual.contains("no \\u{1b}[31m answer"), "{usual}");
    let (plain, has_colour) = shown("NO_COLOR", "1");
    assert!(!has_colour && plain.contains("Küche"), "{plain}");
    let (ascii, _) = shown("LC_ALL", "C");
    assert!(ascii.is_ascii() && ascii.contains("K\\u{fc}che"), "{ascii}");
}
