//! A running node.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::case::{Outcome, failed};
use crate::harness::children::Kept;
use crate::harness::home::Home;
use crate::harness::http::Client;
use crate::harness::{free_port, process, wait};

const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(15);

/// `hearthnet run` in a home of its own. Dropping it kills the node.
pub(crate) struct Node {
    home: Arc<Home>,
    child: Kept,
    base: String,
    output: Output,
}

/// Output of a node so far, from stdout and stderr.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<String>>>);

impl Node {
    /// Starts a node on a free port and waits until it listens.
    pub(crate) fn start(home: Home) -> Outcome<Self> {
        Self::start_on(home, free_port())
    }

    /// Starts a node on this port.
    pub(crate) fn start_on(home: Home, port: u16) -> Outcome<Self> {
        let mut command = home.command();
        command.args(["run", "--port", &port.to_string()]);
        Self::start_by(command, home, port)
    }

    /// Starts a node by a command that ends as `hearthnet run` on this port.
    pub(crate) fn start_by(mut command: Command, home: Home, port: u16) -> Outcome<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Kept::spawn(&mut command)?;
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        let mut node = Self { home: Arc::new(home), child, base: format!("http://127.0.0.1:{port}"), output };
        node.wait_for_address(port)?;
        Ok(node)
    }

    fn wait_for_address(&mut self, port: u16) -> Outcome {
        let listens = || {
            self.output
                .text()
                .lines()
                .any(|line| line.contains("http://") && line.contains(&format!(":{port}")))
        };
        let mut ended = false;
        let came = wait::until(START, || {
            ended = matches!(self.child.try_wait(), Ok(Some(_)));
            ended || listens()
        });
        if came && !ended {
            return Ok(());
        }
        let ended = if ended { "it ended" } else { "it printed none" };
        Err(failed("the node prints its address once it listens", format!("{ended}: {}", self.output.text())))
    }

    /// Returns `http://127.0.0.1:port`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    pub(crate) fn port(&self) -> &str {
        self.base.rsplit(':').next().unwrap_or_default()
    }

    /// Returns the ID of the node's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the node's output so far.
    pub(crate) fn output(&self) -> String {
        self.output.text()
    }

    /// Ends the node with SIGTERM and returns its home. The node must end with exit code 0.
    pub(crate) fn stop(self) -> Outcome<Arc<Home>> {
        self.end(Signal::TERM)
    }

    /// Ends the node with SIGKILL.
    pub(crate) fn kill(self) -> Arc<Home> {
        Arc::clone(&self.home)
    }

    /// Sends a signal. The node must end with exit code 0.
    pub(crate) fn end(mut self, signal: Signal) -> Outcome<Arc<Home>> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal)?;
        let Some(status) = process::wait(&mut self.child, END) else {
            return Err(failed(format!("an end within {END:?} of {signal:?}"), "still running"));
        };
        if status.code() != Some(0) {
            return Err(failed(
                format!("exit code 0 after {signal:?}"),
                format!("{status}: {}", self.output.text()),
            ));
        }
        Ok(Arc::clone(&self.home))
    }
}

impl Output {
    fn collect(&self, source: Option<impl Read + Send + 'static>) {
        let lines = self.clone();
        std::thread::spawn(move || {
            for line in source.into_iter().flat_map(|source| BufReader::new(source).lines()) {
                let Ok(line) = line else { return };
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}
