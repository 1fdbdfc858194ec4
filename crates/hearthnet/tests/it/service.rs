//! A node as a service: its console for collectors, its log for others, and the service manager.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, text_of};

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

#[test]
fn latest_log_is_todays_file_and_no_line_is_shown_twice() {
    let home = Home::new().start("observability = { log_latest = true }").stop();
    let target = fs::read_link(home.log().join("latest.log")).unwrap();
    assert_eq!(target.to_str().unwrap(), chrono::Utc::now().format("%Y-%m-%d.log").to_string());
    assert_eq!(fs::read_to_string(home.log().join("latest.log")).unwrap(), home.log_text());
    let shown = text_of(&home.run(&["log"]).stdout);
    assert_eq!(shown.lines().count(), home.lines().len(), "{shown}");

    let home = Home::new().start("").stop();
    assert!(home.log().join("latest.log").symlink_metadata().is_err());
}

#[test]
fn a_group_may_read_the_log() {
    let gid = fs::metadata("/proc/self").unwrap().gid();
    let home =
        Home::new().start(&format!("observability = {{ log_group = \"{gid}\", log_latest = true }}")).stop();
    let of = |path: &Path| {
        let there = fs::metadata(path).unwrap();
        (there.mode() & 0o777, there.gid())
    };
    assert_eq!(of(&home.log()), (0o750, gid));
    assert_eq!(of(&home.log().join("latest.log")), (0o640, gid));

    let home = Home::new();
    home.configure_free_port("observability = { log_group = \"no-such-group\" }");
    let refused = home.run(&["run"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = text_of(&refused.stderr);
    assert!(
        why.contains("log_group: the group `no-such-group` does not exist; make it with `groupadd`"),
        "{why}"
    );
}

/// A closed terminal hangs up on the node, and so does its shell.
#[tokio::test]
async fn a_hangup_ends_a_node_in_order_and_a_second_one_changes_nothing() {
    let node = Home::new().start_under(&["env", "--default-signal"]);
    node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
    for _ in 0..5 {
        node.signal("HUP");
    }
    let (status, home) = node.wait();
    assert_eq!(status.code(), Some(0));
    let lines = home.lines();
    let stopping = lines.iter().find(|line| line["msg"] == "stopping").unwrap();
    assert_eq!(stopping["signal"], "SIGHUP");
    assert_eq!(lines.last().unwrap()["msg"], "stopped");
}

/// The service manager of a test: it gets what the node sends.
struct Manager {
    socket: UnixDatagram,
    got: String,
}

impl Manager {
    fn start(home: Home, config: &str) -> (Manager, Node) {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let port = home.configure_free_port(config);
        let mut command = Command::new("env");
        let node = home.command(&["run"]);
        command.arg("--default-signal").arg(node.get_program()).args(node.get_args());
        command.envs(node.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").stdin(Stdio::null());
        (Manager { socket, got: String::new() }, Node::start_by(command, home, port))
    }

    /// Waits until the node has sent all of `texts` since the last call, in any order.
    fn wait_for(&mut self, texts: &[&str]) -> String {
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        while !texts.iter().all(|text| self.got.contains(text)) {
            // The watchdog's messages come for ever, so that the socket's own limit is not enough.
            assert!(begun.elapsed() < Duration::from_secs(20), "no {texts:?} in {}", self.got);
            let bytes =
                self.socket.recv(&mut buffer).unwrap_or_else(|_| panic!("no {texts:?} in {}", self.got));
            self.got += str::from_utf8(&buffer[..bytes]).unwrap();
            self.got.push('\n');
        }
        std::mem::take(&mut self.got)
    }
}

#[tokio::test]
async fn a_service_manager_hears_of_start_life_reload_and_end() {
    let (mut manager, node) = Manager::start(Home::new(), "");
    manager.wait_for(&["READY=1", "STATUS=listening on 127.0.0.1:"]);
    for _ in 0..3 {
        manager.wait_for(&["WATCHDOG=1"]);
    }
    let levels = |level: &str| {
        let text = fs::read_to_string(node.home.config()).unwrap();
        let limits = text.replace("rate_limit_hard_rps = 0", "rate_limit_hard_rps = 3");
        let section = format!("[observability]\nlog_level = \"{level}\"\n");
        let rest = limits.split("[observability]").next().unwrap();
        node.home.write_config(&format!("{rest}\n[discovery]\nudp_port = 9\n{section}"));
    };

    levels("error,hearthnet.run=info");
    node.signal("HUP");
    let told = manager.wait_for(&["READY=1"]);
    assert!(told.contains("RELOADING=1") && told.contains("MONOTONIC_USEC="), "{told}");
    let reloaded = |home: &Home, text: &str| home.lines().into_iter().find(|line| line["msg"] == text);
    wait_until(|| reloaded(&node.home, "configuration reloaded").is_some());
    let line = reloaded(&node.home, "configuration reloaded").unwrap();
    assert_eq!((&line["rate_limit_hard_rps"], &line["needs_restart"]), (&json!(3), &json!("discovery")));
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(node.call(ECHO, &json!({})).send().await.unwrap().status().as_u16());
    }
    assert!(statuses.contains(&429) && statuses.contains(&200), "{statuses:?}");

    // A change of the levels at run time goes on over a reload, and ends in the new configuration.
    let changed = node.home.run(&["log", "level", "hearthnet.levels=debug", "--for", "10m"]);
    assert!(changed.status.success(), "{}", text_of(&changed.stderr));
    let text = fs::read_to_string(node.home.config()).unwrap();
    node.home.write_config(&text.replace("error,hearthnet", "warning,hearthnet"));
    node.signal("HUP");
    manager.wait_for(&["READY=1"]);
    wait_until(|| {
        node.home.lines().iter().filter(|line| line["msg"] == "configuration reloaded").count() == 2
    });
    let now = node.get("/log/level").await;
    assert_eq!(now["in_force"], "warning,hearthnet.run=info,hearthnet.levels=debug");
    assert!(node.home.run(&["log", "level", "--reset"]).status.success());
    assert_eq!(node.get("/log/level").await["in_force"], "warning,hearthnet.run=info");
    node.home.write_config(&text);
    node.signal("HUP");
    manager.wait_for(&["READY=1"]);

    // A mistake changes nothing, and the log says what it is.
    fs::write(node.home.config(), "[observability]\nlog_level = \"loud\"").unwrap();
    node.signal("HUP");
    manager.wait_for(&["READY=1"]);
    wait_until(|| reloaded(&node.home, "configuration not reloaded: nothing has changed").is_some());
    let line = reloaded(&node.home, "configuration not reloaded: nothing has changed").unwrap();
    assert!(line["error"].as_str().unwrap().contains("observability.log_level: `loud`"), "{line}");

    node.signal("TERM");
    manager.wait_for(&["STOPPING=1"]);
    let (status, home) = node.wait();
    assert_eq!(status.code(), Some(0));
    assert!(home.done(None).is_empty(), "the level was error");
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
