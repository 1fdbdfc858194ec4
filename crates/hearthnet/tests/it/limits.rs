//! A node under limits of its process (`ulimit`): it goes on, or ends with a sentence.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::node::{ECHO, Home, Node};

#[tokio::test]
async fn a_limit_on_file_sizes_does_not_end_the_node() {
    let node = Home::new().start_under(&["bash", "-c", "ulimit -f 4096; exec \"$@\"", "bash"]);
    node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
    let home = node.stop();
    assert_eq!(home.done(None).len(), 1);
    assert_eq!(home.lines().last().unwrap()["msg"], "stopped");

    // Less than the event log and the day file need.
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

#[test]
fn a_limit_that_leaves_no_room_for_a_node_is_said() {
    for (command, limit, said) in [
        ("run", "-f 0", "File too large"),
        ("run", "-n 12", "cannot start the runtime: Too many open files"),
        ("run", "-d 5000", "cannot start the runtime: Resource temporarily unavailable"),
        ("trace recent", "-d 1800", "no thread can be started"),
    ] {
        let home = Home::new();
        let words: Vec<_> = command.split(' ').collect();
        let node = home.command(&words);
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &format!("ulimit {limit}; exec \"$@\""), "bash"]);
        command.arg(node.get_program()).args(node.get_args());
        command.envs(node.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{limit}: {stderr}");
        assert!(stderr.contains(said) && !stderr.contains("panicked"), "{limit}: {stderr}");
    }
}

/// Connects to `node` from `127.0.0.<host>`, and says nothing.
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

/// The limit of a process that runs can be lowered to less than it has open.
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
    // Long enough to tell a loop that spins from one that waits.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = processor_time(&node) - before;
    assert!(used < 50, "{used} ticks of 200 in two seconds");
    limit(usual.current);
    assert_eq!(node.get("/health").await["status"], "ok");
    drop(waiting);
    node.stop();
}

/// Ticks of 10 ms that the process has used.
#[cfg(target_os = "linux")]
fn processor_time(node: &Node) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
