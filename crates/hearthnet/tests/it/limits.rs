//! A node under limits of its process (`ulimit`): it goes on, or ends with a sentence.

use serde_json::json;

use crate::node::{ECHO, Home};

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
