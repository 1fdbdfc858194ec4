//! An honest start: how the last run ended, where the node listens, and who can read it.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port};

const TOLD: &str = "the last run did not end in order";

fn kill(node: Node) -> Home {
    node.signal("KILL");
    node.wait().1
}

/// Returns the lines that tell of an end out of order.
fn told(home: &Home) -> Vec<Value> {
    home.lines().into_iter().filter(|line| line["msg"] == TOLD).collect()
}

#[tokio::test]
async fn after_a_kill_the_next_start_says_so_and_after_an_end_in_order_it_does_not() {
    let port = free_port();
    let home = Home::new();
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port} }}\nemergency = {{ probe_targets = [] }}\n"
    ));
    let first = Node::start(home, port);
    assert!(!first.greeting.contains("last run"), "{}", first.greeting);
    assert_eq!(first.get("/status").await["last_run"]["ended"], "none");
    for _ in 0..20 {
        first.call(ECHO, &json!({})).send().await.unwrap();
    }

    let second = Node::start(kill(first), port);
    assert!(second.greeting.contains("the last run was killed: last sign of life 20"), "{}", second.greeting);
    let last = &second.get("/status").await["last_run"];
    assert_eq!((&last["ended"], &last["machine_restarted"]), (&json!("killed"), &json!(false)));
    let recovered = last["recovered_lines"].as_u64().unwrap();
    let banner = format!("{recovered} log line");
    assert!(second.greeting.contains(&banner), "{recovered}: {}", second.greeting);

    let home = second.stop();
    let lines = told(&home);
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["level"], &lines[0]["last_sign_of_life"]), (&json!("warning"), &last["at"]));
    assert_eq!(lines[0]["recovered_lines"], recovered);

    let third = Node::start(home, port);
    assert!(!third.greeting.contains("last run"), "{}", third.greeting);
    let last = &third.get("/status").await["last_run"];
    assert!(last["ended"] == "in_order" && last["at"].is_string(), "{last}");
    assert_eq!(told(&third.stop()).len(), 1);
}

#[tokio::test]
async fn nodes_that_share_a_home_are_not_taken_for_each_other() {
    let ports = [free_port(), free_port()];
    let home = Home::new();
    home.write_config("transport = { host = \"127.0.0.1\" }\nemergency = { probe_targets = [] }\n");
    // Nodes of one home each, whose folders are those of `home`.
    let start = |port: u16| {
        let mut command = home.command(&["run", "--port", &port.to_string()]);
        command.stdin(Stdio::null());
        Node::start_by(command, Home::new(), port)
    };
    let (one, two) = (start(ports[0]), start(ports[1]));
    assert_eq!(two.get("/status").await["last_run"]["ended"], "unknown", "the other one runs");
    drop(kill(one));
    let again = start(ports[0]);
    assert_eq!(again.get("/status").await["last_run"]["ended"], "killed");
    two.signal("TERM");
    two.wait();
    let two = start(ports[1]);
    assert_eq!(two.get("/status").await["last_run"]["ended"], "in_order");
    assert!(!two.greeting.contains("last run"), "{}", two.greeting);
}

/// Returns a running node and what it printed at its start.
async fn banner(host: &str, more: &str) -> (Node, String) {
    let (home, port) = (Home::new(), free_port());
    home.write_config(&format!(
        "transport = {{ host = \"{host}\", port = {port} }}\nemergency = {{ probe_targets = [] }}\n{more}"
    ));
    let output = home.path().join("output");
    let mut command = home.command(&["run"]);
    command.stdout(fs::File::create(&output).unwrap()).stderr(Stdio::null());
    let node = Node::start_silent(command, home, port);
    let begun = Instant::now();
    // The banner is printed before the first request is answered.
    while node.http.get(node.url("/health")).send().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the node does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (node, fs::read_to_string(output).unwrap())
}

#[tokio::test]
async fn the_banner_says_where_the_node_listens_and_who_can_read_it() {
    let (node, text) = banner("0.0.0.0", "").await;
    assert!(text.contains(&format!("listening on http://0.0.0.0:{}\n", node.port)), "{text}");
    assert!(text.contains("the network can read /metrics and /trace/recent without credentials\n"), "{text}");
    assert!(text.contains("host = \"127.0.0.1\" under [transport] closes it"), "{text}");
    assert!(text.contains(&format!("config   {}\n", node.home.config().display())), "{text}");
    assert_eq!(node.get("/status").await["listening"][0]["reachable_from"], "network");

    let (_node, text) = banner("127.0.0.1", "").await;
    assert!(!text.contains("credentials") && !text.contains("unused"), "{text}");
    let (_node, text) = banner("127.0.0.1", "rag = {}\nui = { port = 1 }\n").await;
    assert!(text.contains("  unused   rag, ui  (settings of a later version)\n"), "{text}");
    let (_node, text) = banner("0.0.0.0", "rag = {}\nobservability = { log_console = \"json\" }").await;
    let line = text.lines().find(|line| line.contains("listening on")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let open = line["readable_from_network_without_credentials"].as_str().unwrap();
    assert!(open.contains("/metrics") && open.contains("127.0.0.1"), "{line}");
    assert_eq!(line["unused_settings"], "rag");
}

#[tokio::test]
async fn a_node_alone_by_configuration_is_ready() {
    let alone = "[discovery]\nmdns_enabled = false\nudp_enabled = false\n";
    let node = Home::new().start(alone);
    assert_eq!(node.http.get(node.url("/ready")).send().await.unwrap().status(), 200);
    let peer = format!("{alone}static_peers = [\"http://127.0.0.1:{}\"]\n", free_port());
    for waits in ["", &peer] {
        let node = Home::new().start(waits);
        assert_eq!(node.http.get(node.url("/ready")).send().await.unwrap().status(), 503, "{waits}");
    }
}
