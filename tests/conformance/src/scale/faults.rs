//! The alerts that no other case makes fire: each by a fault of a node, and by the end of the fault.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use super::alerts::told;
use super::chains::{self, Chains};
use crate::case::{Outcome, failed};
use crate::harness::home::Home;
use crate::harness::http::Client;
use crate::harness::node::Node;
use crate::harness::{Lab, free_port};

const ECHO: &str = "experimental.echo";
/// Time between two rounds of calls. Without it a fast machine makes so many that the slow ones are no hundredth of them, and the
/// alert looks at the slowest hundredth.
const PAUSE: Duration = Duration::from_millis(200);

/// Alerts of the faults, each with the node that has the fault.
pub(super) const EXPECTED: [(&str, &str); 9] = [
    ("HearthnetOffline", "dora"),
    ("HearthnetCapabilityUnhealthy", "dora"),
    ("HearthnetSlowCapability", "dora"),
    ("HearthnetCheckFailed", "dora"),
    ("HearthnetSeriesOverflow", "dora"),
    ("HearthnetInvalidSignatures", "dora"),
    ("HearthnetRateLimited", "finn"),
    ("HearthnetRestarts", "gwen"),
    ("HearthnetBlockedWorkers", "hugo"),
];
/// The alert of a node that has hardly a file descriptor left.
pub(super) const FILES: [(&str, &str); 1] = [("HearthnetFileDescriptors", "finn")];
/// The alert of a server without nodes, which names none.
pub(super) const NONE: [(&str, &str); 1] = [("HearthnetNoTargets", "")];

/// Both chains tell of each fault, and of its end.
pub(super) fn fire_and_resolve(lab: &Lab) -> Outcome {
    let chains = Chains::of(lab)?;
    let targets = chains.trial.targets();
    let internet = free_port();
    let dora = dora(lab, internet)?;
    let finn = finn(lab)?;
    let gwen = Node::start(chains::home(lab, "gwen")?)?;
    for (node, file) in [(&dora, "dora.json"), (&finn, "finn.json"), (&gwen, "gwen.json")] {
        if !chains.list_peers_of(node, &targets.join(file)) {
            return Err(failed(format!("the targets of {file}"), node.output()));
        }
    }
    let hugo = Hugo::start(&targets)?;
    let gwen = Restarts::begin(gwen);

    open_key(&dora, true)?;
    let slow = SlowCalls::start(&dora.client());
    let (of_dora, of_finn) = (dora.client(), finn.client());
    told(chains, &EXPECTED, "firing", || {
        // What the calls answer is no part of the case.
        let _ = call_badly(&of_dora);
        let _ = (0..5).try_for_each(|_| call(&of_finn, ECHO, json!({ "text": "hello" })));
        hugo.block();
        std::thread::sleep(PAUSE);
    })?;
    let _gwen = gwen.end()?;
    // Both servers are connected to the node by now. They could not connect any more.
    let files = getrlimit(Resource::Nofile);
    // Again and again, as the node has more files open at one moment than at the next.
    told(chains, &FILES, "firing", || drop(leave_files(&finn)))?;

    drop(slow);
    open_key(&dora, false)?;
    limit_files(&finn, files)?;
    let _online = TcpListener::bind(("127.0.0.1", internet))?;
    told(chains, &EXPECTED, "resolved", || {
        let _ = (0..5).try_for_each(|_| call(&of_dora, ECHO, json!({ "text": "hello" })));
    })?;
    told(chains, &FILES, "resolved", || ())
}

/// Both chains tell that there are no nodes to watch, and that there are some again.
pub(super) fn no_targets(lab: &Lab) -> Outcome {
    let chains = Chains::of(lab)?;
    // There were none at the start of the chains either.
    chains.told.iter().for_each(|(_, webhook)| webhook.forget(NONE[0].0));
    let (targets, away) = (chains.trial.targets(), chains.trial.path().join("away"));
    std::fs::rename(&targets, &away)?;
    std::fs::create_dir(&targets)?;
    told(chains, &NONE, "firing", || ())?;
    std::fs::remove_dir(&targets)?;
    std::fs::rename(&away, &targets)?;
    told(chains, &NONE, "resolved", || ())
}

/// Starts a node that probes a port of this machine for the internet.
fn dora(lab: &Lab, internet: u16) -> Outcome<Node> {
    let home = chains::home(lab, "dora")?;
    home.configure("emergency", "probe_targets", vec![format!("127.0.0.1:{internet}")])?;
    Node::start(home)
}

/// Starts a node that limits its callers.
fn finn(lab: &Lab) -> Outcome<Node> {
    let home = chains::home(lab, "finn")?;
    home.configure("transport", "rate_limit_soft_rps", 1)?;
    Node::start(home)
}

fn call(client: &Client, capability: &str, input: serde_json::Value) -> Outcome {
    let body = json!({ "params": {}, "input": input }).to_string();
    client.call(capability, body.as_bytes(), &[]).map(drop)
}

/// Calls that fail, a capability that nobody offers, and a signature that is wrong.
fn call_badly(client: &Client) -> Outcome {
    call(client, ECHO, json!({ "fail": "timeout" }))?;
    call(client, "made.up", json!({}))?;
    let wrong = [("x-hearthnet-from", "nobody"), ("x-hearthnet-signature", "ed25519:AAAA")];
    client.call(ECHO, br#"{"params":{},"input":{}}"#, &wrong).map(drop)
}

/// Lets other users read the key of a node, or no longer.
fn open_key(node: &Node, is_open: bool) -> Outcome {
    let mode = if is_open { 0o644 } else { 0o600 };
    std::fs::set_permissions(node.home().key_file(), std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Leaves a node six files that it may open.
fn leave_files(node: &Node) -> Outcome {
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.pid()))?.count() as u64;
    limit_files(node, Rlimit { current: Some(open + 6), maximum: getrlimit(Resource::Nofile).maximum })
}

fn limit_files(node: &Node, limit: Rlimit) -> Outcome {
    prlimit(Pid::from_raw(node.pid().cast_signed()), Resource::Nofile, limit)?;
    Ok(())
}

/// Calls that take longer than an alert accepts, until this is dropped.
struct SlowCalls(Arc<AtomicBool>);

impl SlowCalls {
    const THREADS: usize = 4;

    fn start(client: &Client) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..Self::THREADS {
            let (client, is_over) = (client.clone(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                while !is_over.load(Ordering::SeqCst)
                    && call(&client, ECHO, json!({ "delay_ms": 5_500 })).is_ok()
                {}
            });
        }
        Self(is_over)
    }
}

impl Drop for SlowCalls {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Restarts of a node by a thread, until this is dropped.
struct Restarts {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Outcome<Node>>>,
}

impl Restarts {
    /// Long enough for both servers to scrape the node.
    const RUNS_FOR: Duration = Duration::from_secs(3);

    fn begin(node: Node) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let port = node.port().parse()?;
            let mut node = node;
            loop {
                std::thread::sleep(Self::RUNS_FOR);
                if ends.load(Ordering::SeqCst) {
                    return Ok(node);
                }
                let home: Home = Arc::try_unwrap(node.kill())
                    .map_err(|_| failed("one owner of gwen's folders", "several"))?;
                node = Node::start_on(home, port)?;
            }
        });
        Self { is_over, thread: Some(thread) }
    }

    /// Returns the node, which runs on.
    fn end(mut self) -> Outcome<Node> {
        self.is_over.store(true, Ordering::SeqCst);
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.ok_or_else(|| failed("gwen restarts", "its thread panicked"))?
    }
}

impl Drop for Restarts {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Page of a node whose workers are held up. A node has no capability that does so, and so it is not a real one.
struct Hugo(Arc<AtomicU64>);

impl Hugo {
    fn start(targets: &Path) -> Outcome<Self> {
        let polls = Arc::new(AtomicU64::new(0));
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let target =
            json!([{ "targets": [listener.local_addr()?.to_string()], "labels": { "node_name": "hugo" } }]);
        std::fs::write(targets.join("hugo.json"), target.to_string())?;
        let hugo = Self(Arc::clone(&polls));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // A request is one packet. A scraper that ends halfway asks again.
                let _ = stream.read(&mut [0; 4096]);
                let page = format!(
                    "# TYPE hearthnet_blocked_polls_total counter\n\
                     hearthnet_blocked_polls_total{{capability=\"rag.query\",span=\"read\"}} {}\n",
                    polls.load(Ordering::SeqCst)
                );
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                    page.len()
                );
            }
        });
        Ok(hugo)
    }

    fn block(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
