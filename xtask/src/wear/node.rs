//! Node with everything on: log, traces, history and problems.
//!
//! Two folders are its home. What it observes is in the one that is measured. Its keys, its community's events and its sign of
//! life are in the other one, unless a whole node is measured.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Maximum time of a start, an answer and an end, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Running node. Dropping it kills the process.
pub(super) struct Node {
    process: Child,
    port: u16,
    home: Home,
}

/// Folders of a node.
#[derive(Clone)]
pub(super) struct Home {
    /// Folder of the configuration and of what the node is.
    pub(super) own: PathBuf,
    /// Folder of what the node observes.
    pub(super) observed: PathBuf,
}

impl Node {
    /// Makes the home of a node: its keys and its community, and nothing of what it observes.
    pub(super) fn init(binary: &Path, home: &Home) -> Result<(), String> {
        let done = command(binary, home).arg("init").stdout(Stdio::null()).status();
        match done {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("hearthnet init: {status}")),
            Err(error) => Err(format!("{} cannot be started: {error}", binary.display())),
        }
    }

    /// Starts the node with this home.
    pub(super) fn start(binary: &Path, home: Home) -> Result<Node, String> {
        let said = |error: std::io::Error| format!("the node cannot be started: {error}");
        let port = free_port().map_err(said)?;
        let config = home.own.join("config/hearthnet");
        fs::create_dir_all(&config).map_err(said)?;
        // Without limits and probes, which have lines of their own.
        let text = format!(
            "transport = {{ host = \"127.0.0.1\", port = {port}, rate_limit_soft_rps = 0, rate_limit_hard_rps = 0 }}\n\
             emergency = {{ probe_targets = [] }}\n"
        );
        fs::write(config.join("config.toml"), text).map_err(said)?;
        let mut command = command(binary, &home);
        command.arg("run").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(said)?;
        if let Some(stderr) = process.stderr.take() {
            pass_on(stderr);
        }
        let node = Node { process, port, home };
        node.wait_until_it_listens()?;
        Ok(node)
    }

    /// Returns the folder of the log.
    pub(super) fn log(&self) -> PathBuf {
        self.home.observed.join("state/hearthnet/log")
    }

    fn wait_until_it_listens(&self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > end {
                return Err("the node does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Makes a call, which has one line in the log, or some if it fails.
    pub(super) fn call(&self, is_failing: bool) -> Result<(), String> {
        let said = |error: std::io::Error| format!("the node does not answer: {error}");
        let input =
            if is_failing { r#"{"input":{"fail":"timeout"}}"# } else { r#"{"input":{"text":"hello"}}"# };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(said)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(said)?;
        let request = format!(
            "POST /bus/v1/call HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             X-HearthNet-Capability: experimental.echo\r\nContent-Length: {}\r\n\r\n{input}",
            self.port,
            input.len()
        );
        stream.write_all(request.as_bytes()).map_err(said)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(said)?;
        let status = if is_failing { "HTTP/1.1 408" } else { "HTTP/1.1 200" };
        match answer.starts_with(status) {
            true => Ok(()),
            false => {
                Err(format!("the call did not end with {status}: {}", answer.lines().next().unwrap_or("")))
            }
        }
    }

    /// Ends the node in order.
    pub(super) fn stop(mut self) -> Result<(), String> {
        super::output("kill", &["-TERM", &self.process.id().to_string()])?;
        let end = Instant::now() + PATIENCE;
        while self.process.try_wait().map_err(|error| error.to_string())?.is_none() {
            if Instant::now() > end {
                return Err("the node does not end".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the command with this home.
fn command(binary: &Path, home: &Home) -> Command {
    let mut command = Command::new(binary);
    command
        .env("HOME", &home.own)
        .env("XDG_CONFIG_HOME", home.own.join("config"))
        .env("XDG_DATA_HOME", home.own.join("data"))
        .env("XDG_STATE_HOME", home.observed.join("state"))
        .stdin(Stdio::null());
    command
}

/// Prints what the node says on stderr, such as that a file cannot be used.
fn pass_on(stderr: std::process::ChildStderr) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            crate::say(&format!("node: {line}"));
        }
    });
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
