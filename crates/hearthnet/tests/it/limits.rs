//! Node under limits of its process (`ulimit`). It goes on, or ends with an error message.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::backend::{Backend, Script};
use crate::node::{ECHO, Home, Node};

#[tokio::test]
async fn a_limit_on_file_sizes_does_not_end_the_node() {
    let node = Home::new().start_under(&["bash", "-c", "ulimit -f 4096; exec \"$@\"", "bash"]);
    node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
    let home = node.stop();
    assert_eq!(home.done(None).len(), 1);
    assert_eq!(home.lines().last().unwrap()["msg"], "stopped");

    // The event log and the day file need more.
    let node = home.start_under(&["bash", "-c", "ulimit -f 8; exec \"$@\"", "bash"]);
    for _ in 0..100 {
        node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
    }
    assert_eq!(node.get("/health").await["status"], "ok");
    node.signal("TERM");
    let (status, home) = node.wait();
    assert_eq!(status.code(), Some(0));
    home.lines();
}

/// Returns the command under a limit in the syntax of `ulimit`.
fn under(home: &Home, limit: &str, words: &[&str]) -> Command {
    let node = home.command(words);
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit {limit}; exec \"$@\""), "bash"]);
    command.arg(node.get_program()).args(node.get_args());
    command.envs(node.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

#[test]
fn a_limit_that_is_too_low_for_a_node_is_an_error() {
    for (command, limit, said) in [
        ("run", "-f 0", "File too large"),
        ("run", "-n 12", "cannot start the runtime: Too many open files"),
        ("run", "-n 5", "`ulimit -n` is 5 and the node needs"),
        ("run", "-n 20", "`ulimit -n` is 20 and the node needs"),
        ("run", "-n 50", "raise the limit, such as with `ulimit -n 1024`"),
    ] {
        ends_with(under(&Home::new(), limit, &[command]), said);
    }
    for (command, more, said) in [
        ("run", 0, "the log's writer could not be started: Resource temporarily unavailable"),
        ("run", 1600, "cannot start the runtime: Resource temporarily unavailable"),
        ("trace recent", 0, "no thread can be started"),
    ] {
        let (home, words) = (Home::new(), command.split(' ').collect::<Vec<_>>());
        let limit = least_memory(&home, &words) + more;
        ends_with(under(&home, &format!("-d {limit}"), &words), said);
    }
}

fn ends_with(mut command: Command, said: &str) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {stderr}");
    assert!(stderr.contains(said) && !stderr.contains("panicked"), "{command:?}: {stderr}");
}

/// Returns the least limit of its data, in kilobytes, with which the system loads the program. It grows with the program.
fn least_memory(home: &Home, words: &[&str]) -> u32 {
    /// Exit code of a program that the system could not load.
    const NOT_LOADED: i32 = 127;
    let is_loaded = |limit: &u32| {
        let code = under(home, &format!("-d {limit}"), words).output().unwrap().status.code();
        code.is_some_and(|code| code != NOT_LOADED)
    };
    (1000..10_000).step_by(100).find(is_loaded).unwrap()
}

/// Connects to `node` from `127.0.0.<host>` and sends nothing.
async fn idle(node: &Node, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    let connected = socket.connect(([127, 0, 0, 1], node.port).into());
    tokio::time::timeout(Duration::from_secs(10), connected).await.unwrap().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_callers_leave_descriptors_for_this_machine_and_the_log() {
    for hosts in [1, 20] {
        let node = Home::new().start_under(&["bash", "-c", "ulimit -n 64; exec \"$@\"", "bash"]);
        let mut callers = Vec::new();
        for caller in 0..100 {
            callers.push(idle(&node, 2 + caller % hosts).await);
        }
        assert_eq!(node.get("/health").await["status"], "ok");
        assert_eq!(node.call(ECHO, &json!({})).send().await.unwrap().status(), 200);
        drop(callers);
        let home = node.stop();
        assert_eq!(home.done(None).len(), 1);
        let log = home.log_text();
        assert!(log.contains("too many connections are open") && !log.contains("cannot accept"), "{log}");
    }
}

/// Programs of this machine may be idle too. They hold no connection that another program of this machine needs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_callers_of_this_machine_leave_connections_for_its_commands() {
    let node = Home::new().start_under(&["bash", "-c", "ulimit -n 64; exec \"$@\"", "bash"]);
    // A connection that was used is kept.
    let client = reqwest::Client::new();
    let health = || client.get(format!("http://127.0.0.1:{}/health", node.port)).send();
    assert_eq!(health().await.unwrap().status(), 200);
    let mut callers = Vec::new();
    for _ in 0..100 {
        callers.push(idle(&node, 1).await);
    }
    let begun = std::time::Instant::now();
    assert_eq!(node.get("/health").await["status"], "ok");
    assert_eq!(node.call(ECHO, &json!({})).send().await.unwrap().status(), 200);
    assert_eq!(health().await.unwrap().status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(callers);
    let log = node.stop().log_text();
    assert!(log.contains("closed a connection without a request") && !log.contains("cannot accept"), "{log}");
}

/// The log gets a new file and a peer is called while idle callers hold all connections.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_callers_leave_descriptors_for_a_new_log_file_and_for_a_peer() {
    let backend = Backend::start(Script { tokens: vec!["Ja", "."], ..Script::default() }).await;
    let peer = Home::new().start(&backend.section());
    let home = Home::new();
    let port = home.configure_free_port(&format!(
        "discovery = {{ static_peers = [\"http://127.0.0.1:{}\"] }}\nobservability = {{ log_max_bytes = 1048576 }}\n",
        peer.port
    ));
    // The lines of the calls below do not fit into the rest of this file.
    let line = json!({ "msg": "earlier", "text": "x".repeat(950) }).to_string() + "\n";
    let today = chrono::Utc::now().format("%F.log").to_string();
    std::fs::create_dir_all(home.log()).unwrap();
    std::fs::write(home.log().join(today), line.repeat(1 << 20 >> 10)).unwrap();
    // The lowest limit with which the node starts. It inherits the descriptors of this test.
    let refused = under(&home, "-n 20", &["run"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    let (_, needed) = said.split_once("the node needs ").unwrap();
    let needed = needed.split(';').next().unwrap();
    let node = Node::start_by(under(&home, &format!("-n {needed}"), &["run"]), home, port);
    node.wait_for_metric("hearthnet_nodes_online", &peer.id().await, 1.0).await;
    let mut callers = Vec::new();
    for caller in 0..100 {
        callers.push(idle(&node, 2 + caller % 20).await);
    }
    for _ in 0..200 {
        assert_eq!(node.call(ECHO, &json!({})).send().await.unwrap().status(), 200);
    }
    let chat = json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }], "stream": false } });
    for _ in 0..20 {
        let answer: serde_json::Value =
            node.call("llm.chat", &chat).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["output"]["message"]["content"], "Ja.", "{answer}");
    }
    drop(callers);
    let home = node.stop();
    assert!(std::fs::read_dir(home.log()).unwrap().count() > 1, "a file is full");
    assert_eq!(home.done(None).len(), 220);
}

/// The bound on connections follows a limit that changes while the node runs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_raised_limit_makes_room_for_connections() {
    let node = Home::new().start_under(&["bash", "-c", "ulimit -S -n 64; exec \"$@\"", "bash"]);
    let mut callers = Vec::new();
    for _ in 0..20 {
        callers.push(idle(&node, 2).await);
    }
    assert!(open_connections(&node) < 20, "{}", open_connections(&node));
    let pid = rustix::process::Pid::from_raw(node.pid() as i32);
    let usual = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: Some(512), ..usual };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, raised).unwrap();
    let mut more = Vec::new();
    for _ in 0..60 {
        more.push(idle(&node, 3).await);
    }
    let begun = Instant::now();
    while open_connections(&node) < 60 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", open_connections(&node));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the number of open sockets of the node. A few of them are not connections.
#[cfg(target_os = "linux")]
fn open_connections(node: &Node) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap();
    let links = open.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// The limit of a running process can be lowered below the number of its open descriptors.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_node_without_descriptors_waits_and_goes_on_when_there_are_some() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let node = Home::new().start("");
    let usual = getrlimit(Resource::Nofile);
    let limit = |current: Option<u64>| {
        let pid = Pid::from_raw(node.pid() as i32);
        prlimit(pid, Resource::Nofile, Rlimit { current, ..usual }).unwrap();
    };
    limit(Some(3));
    let waiting = idle(&node, 1).await;
    let begun = Instant::now();
    while !node.home.log_text().contains("cannot accept connections") {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = processor_time(&node);
    // Long enough to tell a busy loop from a waiting one.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = processor_time(&node) - before;
    assert!(used < 50, "{used} ticks of 200 in two seconds");
    limit(usual.current);
    assert_eq!(node.get("/health").await["status"], "ok");
    drop(waiting);
    node.stop();
}

/// Returns the CPU time of the process, in ticks of 10 ms.
#[cfg(target_os = "linux")]
fn processor_time(node: &Node) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
