//! Node under test: a process with a home of its own, and access to its records.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use crate::free_port::free_port;

pub(crate) const ECHO: &str = "experimental.echo";

/// Folders of a user, empty at first.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("config/hearthnet/config.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data/hearthnet")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("state/hearthnet/log")
    }

    pub(crate) fn write_config(&self, text: &str) {
        fs::create_dir_all(self.config().parent().unwrap()).unwrap();
        fs::write(self.config(), text).unwrap();
    }

    /// Returns the command with this home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearthnet"));
        command
            .args(args)
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts a node without probes and rate limits. `more` is appended to its configuration.
    pub(crate) fn start(self, more: &str) -> Node {
        let port = self.configure_free_port(more);
        Node::start(self, port)
    }

    /// Starts a node through `prefix`, a command that runs another command.
    pub(crate) fn start_under(self, prefix: &[&str]) -> Node {
        let port = self.configure_free_port("");
        let node = self.command(&["run"]);
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).arg(node.get_program()).args(node.get_args());
        command.envs(node.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null());
        Node::start_by(command, self, port)
    }

    pub(crate) fn configure_free_port(&self, more: &str) -> u16 {
        let port = free_port();
        self.write_config(&format!(
            "transport = {{ host = \"127.0.0.1\", port = {port}, rate_limit_soft_rps = 0, rate_limit_hard_rps = 0 }}\n\
             emergency = {{ probe_targets = [] }}\n{more}"
        ));
        port
    }

    /// Starts a node that trusts the certificates in this file and no others.
    pub(crate) fn start_trusting(self, certificates: &Path, more: &str) -> Node {
        let port = free_port();
        self.write_config(&format!(
            "transport = {{ host = \"127.0.0.1\", port = {port} }}\nemergency = {{ probe_targets = [] }}\n{more}"
        ));
        let mut command = self.command(&["run"]);
        command.env("SSL_CERT_FILE", certificates).env_remove("SSL_CERT_DIR");
        Node::start_by(command, self, port)
    }

    pub(crate) fn log_text(&self) -> String {
        let mut days: Vec<_> = fs::read_dir(self.log()).unwrap().map(|day| day.unwrap().path()).collect();
        // `latest.log` is a link to one of them.
        days.retain(|day| day.extension().is_some_and(|end| end == "log") && !day.is_symlink());
        days.sort();
        days.iter().map(|day| fs::read_to_string(day).unwrap()).collect()
    }

    /// Returns the lines of the day files. Each must be one JSON object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.log_text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Returns the `done` lines of the trace `id`, or of all traces.
    pub(crate) fn done(&self, id: Option<&str>) -> Vec<Value> {
        let of_it = |line: &Value| line["msg"] == "done" && id.is_none_or(|id| line["trace_id"] == id);
        self.lines().into_iter().filter(of_it).collect()
    }
}

/// Running node. Dropping it ends the process.
pub(crate) struct Node {
    pub(crate) home: Home,
    pub(crate) port: u16,
    /// Output up to the address of the node.
    pub(crate) greeting: String,
    process: Child,
    pub(crate) http: Client,
}

impl Node {
    pub(crate) fn start(home: Home, port: u16) -> Node {
        Node::start_by(home.command(&["run"]), home, port)
    }

    /// Starts a node whose output goes elsewhere.
    pub(crate) fn start_silent(mut command: Command, home: Home, port: u16) -> Node {
        let process = command.spawn().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Node { home, port, greeting: String::new(), process, http }
    }

    pub(crate) fn start_by(mut command: Command, home: Home, port: u16) -> Node {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("listening on") {
            if stdout.read_line(&mut greeting).unwrap() == 0 {
                let mut why = String::new();
                process.stderr.take().unwrap().read_to_string(&mut why).unwrap();
                panic!("the node did not start: {why}");
            }
        }
        // No one reads the pipe from here on. The few lines that follow fit in it.
        process.stdout = Some(stdout.into_inner());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Node { home, port, greeting, process, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Prepares a call of `capability`.
    pub(crate) fn call(&self, capability: &str, body: &Value) -> RequestBuilder {
        self.post().header("X-HearthNet-Capability", capability).body(body.to_string())
    }

    /// Prepares a call without any header of the bus.
    pub(crate) fn post(&self) -> RequestBuilder {
        self.http.post(self.url("/bus/v1/call"))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http.get(self.url(path)).send().await.unwrap().json().await.unwrap()
    }

    /// Returns the sum of the samples of `family` whose labels contain `labels`. `None` if there are none.
    pub(crate) async fn metric(&self, family: &str, labels: &str) -> Option<f64> {
        let page = self.http.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let values = page.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let name = series.split('{').next()?;
            (name == family && series.contains(labels)).then(|| value.parse::<f64>().unwrap())
        });
        values.reduce(|sum, value| sum + value)
    }

    /// Waits until `family` has the value `wanted`.
    pub(crate) async fn wait_for_metric(&self, family: &str, labels: &str, wanted: f64) {
        let begun = Instant::now();
        loop {
            let found = self.metric(family, labels).await;
            if found == Some(wanted) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "{family}{{{labels}}} is {found:?}, not {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the trace `id` has ended, and returns its record.
    pub(crate) async fn trace(&self, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.get("/trace/recent?n=10000").await;
            let record = found["traces"].as_array().unwrap().iter().find(|trace| trace["trace_id"] == id);
            if let Some(record) = record {
                return record.clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{id} is not in {found}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the line `done` of the trace `id` is in a day file. The writer may be behind the traces.
    pub(crate) async fn wait_for_done(&self, id: &str) {
        let begun = Instant::now();
        while self.home.done(Some(id)).is_empty() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{id} has no line in {}",
                self.home.log_text()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the answer that a user of this machine gets. `None` if the tests may not become one.
    pub(crate) fn asked_as(&self, user: u32, path: &str) -> Option<String> {
        self.sent_as(user, &format!("GET {path}"), "")
    }

    /// Returns the answer that a user of this machine gets to a request with a body. `None` if the tests may not become one.
    pub(crate) fn sent_as(&self, user: u32, request: &str, body: &str) -> Option<String> {
        use std::os::unix::process::CommandExt as _;

        let port = self.port;
        let length = body.len();
        let head = "host: 127.0.0.1\r\nconnection: close\r\n";
        let message = format!("{request} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{body}");
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf %s \"$0\" >&3; exec timeout 30 cat <&3");
        let mut command = Command::new("bash");
        let output =
            command.args(["-c", &script, &message]).current_dir("/").uid(user).gid(user).output().ok()?;
        output.status.success().then(|| text_of(&output.stdout))
    }

    pub(crate) async fn id(&self) -> String {
        self.get("/health").await["node_id"].as_str().unwrap().to_owned()
    }

    /// Returns the peak memory of the process in bytes, where the system reports it.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
    }

    /// Sends `signal` to the process. The name is one of `kill`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.process.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the end of the process after a signal.
    pub(crate) fn wait(mut self) -> (ExitStatus, Home) {
        let status = self.process.wait().unwrap();
        (status, std::mem::replace(&mut self.home, Home::new()))
    }

    pub(crate) fn stop(self) -> Home {
        self.signal("TERM");
        let (status, home) = self.wait();
        assert_eq!(status.code(), Some(0));
        home
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the request ID in the headers of an answer.
pub(crate) fn request_id(response: &Response) -> String {
    response.headers()["x-hearthnet-request-id"].to_str().unwrap().to_owned()
}

/// Returns the events of a streamed answer, as name and data.
pub(crate) fn events(text: &str) -> Vec<(String, Value)> {
    text.split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| {
            let (name, data) = event.split_once("\ndata: ").unwrap();
            (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
