//! A node as a service: its console for collectors, its log for others, and the service manager.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node};

#[tokio::test]
async fn with_json_on_the_console_every_line_of_the_process_is_an_object() {
    let home = Home::new();
    let port = home.configure_free_port("observability = { log_console = \"json\" }");
    let mut command = home.command(&["run"]);
    let output = home.path().join("output");
    // One stream, as journald and a container get it.
    let both = fs::File::create(&output).unwrap();
    command.stdout(both.try_clone().unwrap()).stderr(Stdio::from(both));
    let node = Node::start_silent(command, home, port);
    wait_until(|| fs::read_to_string(&output).unwrap().contains("listening on http://127.0.0.1"));
    node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
    let home = node.stop();
    let text = fs::read_to_string(output_in(&home)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for key in ["ts", "level", "logger", "msg"] {
        assert!(lines.iter().all(|line| line[key].is_string()), "{key}: {text}");
    }
    let shown = |message: &str| lines.iter().filter(|line| line["msg"] == message).count();
    for message in ["made the device key", "listening", "done", "stopping", "stopped"] {
        assert_eq!(shown(message), 1, "{message}: {text}");
    }
    let done = lines.iter().find(|line| line["msg"] == "done").unwrap();
    let of_file = &home.done(None)[0];
    assert_eq!(done["trace_id"], of_file["trace_id"]);
    assert_eq!(done["capability"], ECHO);
}

fn output_in(home: &Home) -> std::path::PathBuf {
    home.path().join("output")
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never was so");
        std::thread::sleep(Duration::from_millis(10));
    }
}
