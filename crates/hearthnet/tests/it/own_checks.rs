//! The doctor's checks of observability itself, on real faults, and its results on the page without any setting.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port};

/// Maximum wait for a state. Each is reached within a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the result of one check, by the command.
fn check(home: &Home, name: &str) -> Value {
    let output = home.run(&["doctor", "--offline", "--json", "--check", name]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON alone on stdout");
    report["checks"][0].clone()
}

/// Waits until the check has this status, and returns its result.
#[track_caller]
fn wait_for(home: &Home, name: &str, status: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let result = check(home, name);
        if result["status"] == status {
            return result;
        }
        assert!(Instant::now() < until, "{name} is not {status}: {result:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn says(result: &Value, detail: &str, fix: &str) {
    let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
    assert!(text("detail").contains(detail) && text("fix").contains(fix), "{result:#}");
}

/// Names of all checks.
fn names(home: &Home) -> Vec<String> {
    let output = home.run(&["doctor", "--list", "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed.as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_check_is_on_the_page_without_a_setting_and_none_where_it_is_turned_off() {
    let node = Home::new().start("discovery = { mdns_enabled = false }\n");
    let off = Home::new().start("observability = { doctor_interval_seconds = 0 }\n");
    node.wait_for_metric("hearthnet_doctor_runs_total", "", 1.0).await;
    for name in names(&node.home) {
        let labels = format!("{{check=\"{name}\"}}");
        assert_eq!(node.metric("hearthnet_doctor_check_ok", &labels).await, Some(1.0), "{name}");
        // Nothing is sent to other machines.
        let skipped = node.metric("hearthnet_doctor_check_skipped", &labels).await;
        if ["udp_multicast", "clock_sanity"].contains(&name.as_str()) {
            assert_eq!(skipped, Some(1.0), "{name}");
        } else if name.starts_with("log_") || name == "clock_steps" {
            assert_eq!(skipped, Some(0.0), "{name}");
        }
    }
    let checks = &node.get("/status").await["checks"];
    assert!(checks["ran_at"].is_string() && checks["failed"] == json!([]), "{checks:#}");
    assert_eq!(off.metric("hearthnet_doctor_check_ok", "{check=\"keys_present\"}").await, None);
    assert_eq!(off.get("/status").await["checks"]["ran_at"], Value::Null);
}

#[test]
fn a_kill_leaves_a_file_behind_and_an_end_in_order_clears_all() {
    let home = Home::new();
    let port = home.configure_free_port("observability = { doctor_interval_seconds = 0 }\n");
    assert!(home.run(&["init", "--non-interactive"]).status.success());
    let node = Node::start(home, port);
    assert_eq!(check(&node.home, "log_handover")["status"], "pass");
    assert_eq!(check(&node.home, "last_stop")["detail"], "this is the first run");
    node.signal("KILL");
    let home = node.wait().1;
    let left = check(&home, "log_handover");
    assert_eq!(left["status"], "warn");
    says(&left, "1 hand-over file", "`hearthnet run`");
    assert_eq!(check(&home, "last_stop")["skip_reason"], "no_node");

    let node = Node::start(home, port);
    wait_for(&node.home, "log_handover", "pass");
    let killed = check(&node.home, "last_stop");
    assert_eq!(killed["status"], "warn");
    says(&killed, "the last run was killed at 20", "restart in order");
    let node = Node::start(node.stop(), port);
    assert_eq!(check(&node.home, "last_stop")["status"], "pass");
}

/// A file system of its own, unmounted at the end.
struct Disk(PathBuf);

impl Disk {
    /// Mounts `megabytes` of memory on `place`; `None` where this user may not mount.
    fn mount(place: &Path, megabytes: u32) -> Option<Disk> {
        fs::create_dir_all(place).unwrap();
        let size = format!("size={megabytes}m,mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(place).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Disk(place.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_of_the_log_is_seen_and_room_mends_it() {
    let home = Home::new();
    let place = home.path().join("disk");
    let Some(disk) = Disk::mount(&place, 128) else {
        let _ = writeln!(std::io::stderr(), "skipped: needs the right to mount");
        return;
    };
    let ballast = place.join("ballast");
    let fill = || {
        let mut file = fs::File::create(&ballast).unwrap();
        let block = [0; 64 << 10];
        while file.write_all(&block).is_ok() {}
    };
    let settings = format!("observability = {{ log_dir = \"{}\" }}\n", place.display());
    let port = home.configure_free_port(&settings);
    fill();
    let node = Node::start(home, port);
    // No hand-over file fits.
    says(&wait_for(&node.home, "log_crash_safety", "fail"), "loses its last lines", "free space");
    says(&check(&node.home, "log_folder"), "0 MB free on the disk of the log", "df -h");
    node.call(ECHO, &json!({})).send().await.unwrap();
    says(&wait_for(&node.home, "log_writes", "fail"), "write error", "df -h");

    fs::remove_file(&ballast).unwrap();
    assert_eq!(check(&node.home, "log_folder")["status"], "pass");
    let node = Node::start(node.stop(), port);
    assert_eq!(check(&node.home, "log_crash_safety")["status"], "pass");
    assert_eq!(check(&node.home, "log_writes")["status"], "pass");
    drop(node);
    drop(disk);
}

/// Answers every request with 200 and no body.
fn collect(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let mut request = Vec::new();
            let _ = stream.read_to_end(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
}

#[tokio::test]
async fn a_collector_that_is_down_is_seen_and_its_start_mends_it() {
    let collector = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let node = Home::new().start(&format!("observability = {{ otlp_endpoint = \"http://{collector}\" }}\n"));
    let call = async || node.call(ECHO, &json!({})).send().await.unwrap();
    call().await;
    says(
        &wait_for(&node.home, "trace_export", "fail"),
        "the collector does not accept traces",
        "otlp_endpoint",
    );
    collect(collector);
    let until = Instant::now() + PATIENCE;
    while check(&node.home, "trace_export")["status"] == "fail" {
        assert!(Instant::now() < until, "{:#}", check(&node.home, "trace_export"));
        call().await;
    }
    let metric = node.metric("hearthnet_trace_export_failing", "").await;
    assert_eq!(metric, Some(0.0));
}
