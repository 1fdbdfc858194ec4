//! Three nodes, and both chains of servers that watch them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::programs_are_there;
use super::servers::{self, Server, Victoria};
use super::trial::Trial;
use super::webhook::Webhook;
use crate::case::{Outcome, failed};
use crate::harness::home::Home;
use crate::harness::http::Client;
use crate::harness::node::Node;
use crate::harness::{Lab, fake_llm, free_port, wait};

const ECHO: &str = "experimental.echo";
/// Time between two rounds of calls.
const PAUSE: Duration = Duration::from_millis(100);

/// Nodes and servers. Dropping it ends them.
pub(crate) struct Chains {
    /// Ends first, so that no caller meets a node that has ended.
    _traffic: Traffic,
    pub(super) ada: Node,
    /// Absent while it is down.
    pub(super) bob: Mutex<Option<Node>>,
    /// Collector of `ada`, which takes or refuses the export.
    pub(super) collector: Webhook,
    pub(super) failing: Arc<AtomicBool>,
    /// Each chain's receiver of alerts, with the name of the chain.
    pub(super) told: [(&'static str, Webhook); 2],
    pub(super) prometheus: Server,
    pub(super) victoria: Victoria,
    alertmanagers: [Server; 2],
    pub(super) trial: Trial,
}

impl Chains {
    /// Returns the chains that all cases share. The first use starts them.
    pub(super) fn of(lab: &Lab) -> Outcome<&Self> {
        lab.chains(Self::start)
    }

    fn start(lab: &Lab) -> Outcome<Self> {
        programs_are_there(lab)?;
        let trial = Trial::new(lab)?;
        let (first, second, collector) = (Webhook::start()?, Webhook::start()?, Webhook::start()?);
        // The servers start while the nodes do.
        let alertmanagers = [
            servers::alertmanager(&trial, "alertmanager-of-prometheus", first.address())?,
            servers::alertmanager(&trial, "alertmanager-of-vmalert", second.address())?,
        ];
        let prometheus = servers::prometheus(&trial, &alertmanagers[0])?;
        let victoria = servers::victoria(&trial, &alertmanagers[1])?;

        let bob = Node::start(home(lab, "bob")?)?;
        let ada = home(lab, "ada")?;
        ada.configure("discovery", "static_peers", vec![bob.base().to_owned()])?;
        ada.configure("observability", "otlp_endpoint", format!("http://{}", collector.address()))?;
        fake_llm::configure(&ada)?;
        let ada = Node::start(ada)?;
        let failing = Arc::new(AtomicBool::new(false));
        let traffic = Traffic::start(ada.client(), Arc::clone(&failing));

        let told = [("Prometheus", first), ("VictoriaMetrics", second)];
        let bob = Mutex::new(Some(bob));
        let chains = Self {
            _traffic: traffic,
            ada,
            bob,
            collector,
            failing,
            told,
            prometheus,
            victoria,
            alertmanagers,
            trial,
        };
        chains.list_targets()?;
        chains.wait()?;
        Ok(chains)
    }

    /// Writes the target file of `node`, and returns whether the node answered.
    pub(super) fn list_peers_of(&self, node: &Node, out: &Path) -> bool {
        let out = out.to_string_lossy();
        let ran = node.home().hearthnet(&["export", "targets", "--port", node.port(), "--out", &out]);
        ran.is_ok_and(|ran| ran.code == Some(0))
    }

    /// Writes the target file once `ada` knows the name of its peer.
    fn list_targets(&self) -> Outcome {
        let file = self.trial.targets().join("nodes.json");
        let listed = || {
            self.list_peers_of(&self.ada, &file)
                && std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"bob\""))
        };
        match wait::until(Duration::from_secs(30), listed) {
            true => Ok(()),
            false => Err(failed("the targets of both nodes within 30 s", self.ada.output())),
        }
    }

    fn wait(&self) -> Outcome {
        for server in &self.alertmanagers {
            server.wait("/-/ready")?;
        }
        self.prometheus.wait("/-/ready")?;
        for server in [&self.victoria.store, &self.victoria.agent, &self.victoria.alert] {
            server.wait("/health")?;
        }
        Ok(())
    }

    /// Returns the servers that answer queries, with their names.
    pub(super) fn stores(&self) -> [(&'static str, &Server); 2] {
        [("Prometheus", &self.prometheus), ("VictoriaMetrics", &self.victoria.store)]
    }

    /// Kills `bob`, and returns what starts it again.
    pub(super) fn kill_bob(&self) -> Outcome<(Home, u16)> {
        let bob = self.bob.lock().unwrap_or_else(PoisonError::into_inner).take();
        let bob = bob.ok_or_else(|| failed("bob runs", "it is down already"))?;
        let port = bob.port().parse()?;
        let home =
            Arc::try_unwrap(bob.kill()).map_err(|_| failed("one owner of bob's folders", "several"))?;
        Ok((home, port))
    }

    /// Starts `bob` again.
    pub(super) fn start_bob(&self, (home, port): (Home, u16)) -> Outcome {
        let node = Node::start_on(home, port)?;
        *self.bob.lock().unwrap_or_else(PoisonError::into_inner) = Some(node);
        Ok(())
    }
}

/// Creates the folders of a node that leaves this machine alone.
pub(super) fn home(lab: &Lab, name: &str) -> Outcome<Home> {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    home.configure("identity", "display_name", name)?;
    home.configure("transport", "host", "127.0.0.1")?;
    for setting in ["mdns_enabled", "udp_enabled"] {
        home.configure("discovery", setting, false)?;
    }
    // This address refuses at once.
    home.configure("emergency", "probe_targets", vec![format!("127.0.0.1:{}", free_port())])?;
    home.configure("observability", "doctor_clock_anchors", Vec::<String>::new())?;
    // The shortest interval.
    home.configure("observability", "doctor_interval_seconds", 10)?;
    Ok(home)
}

/// Calls of one caller until this is dropped.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(client: Client, failing: Arc<AtomicBool>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                // A call that fails is what the case wants; the servers see it.
                let _ = round(&client, failing.load(Ordering::SeqCst));
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

fn round(client: &Client, failing: bool) -> Outcome {
    let call = |capability: &str, input: serde_json::Value| {
        let body = json!({ "params": {}, "input": input }).to_string();
        client.call(capability, body.as_bytes(), &[]).map(drop)
    };
    call(ECHO, json!({ "text": "hello" }))?;
    // The caller's own mistake.
    call(ECHO, json!({ "frames": "many" }))?;
    call("llm.chat", json!({ "messages": [{ "role": "user", "content": "hello" }] }))?;
    match failing {
        true => call(ECHO, json!({ "fail": "timeout" })),
        false => Ok(()),
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread has no result.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
