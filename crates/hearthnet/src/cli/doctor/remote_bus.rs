//! View of the running node of this machine over HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use obs_facade::doctor::machine::{HttpError, HttpRequest, Machine};
use obs_facade::doctor::{self, BusError, CapabilityBus, Observability, Outcome};
use serde::Deserialize;
use serde::de::DeserializeOwned;

// A local node answers within milliseconds. Two requests must fit into the 2 s of a check.
const TIMEOUT: Duration = Duration::from_millis(800);
/// Maximum size of an answer: a hundred traces with all their spans.
const MAX_BODY_BYTES: usize = 16 << 20;

/// View of the node at an address. The first question looks for the node. A node whose ID differs from the device key
/// on this machine counts as not running.
#[derive(Debug)]
pub(crate) struct RemoteBus {
    base: String,
    /// Node ID that belongs to the device key on disk.
    ours: Option<String>,
    machine: Machine,
    // All checks of a run see the same answer, even if the node ends meanwhile.
    running: OnceLock<bool>,
    // Five checks read it.
    observability: OnceLock<Result<Observability, BusError>>,
}

#[derive(Deserialize)]
struct Health {
    node_id: String,
}

#[derive(Deserialize)]
struct Manifest {
    capabilities: Vec<Capability>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Capability {
    Described { name: String },
    Named(String),
}

#[derive(Deserialize)]
struct Ready {
    peer_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Status {
    // A node of an earlier version does not tell.
    #[serde(default)]
    observability: Option<Observability>,
}

#[derive(Deserialize)]
struct Traces {
    traces: Vec<Trace>,
}

#[derive(Deserialize)]
struct Trace {
    status: String,
}

impl RemoteBus {
    /// Returns a view of the node at `address`. Its key must be the one in `keys_dir`.
    pub(crate) fn new(address: SocketAddr, keys_dir: &Path) -> RemoteBus {
        RemoteBus {
            base: format!("http://{address}"),
            ours: doctor::device_node_id(keys_dir),
            machine: Machine::default(),
            running: OnceLock::new(),
            observability: OnceLock::new(),
        }
    }

    fn is_running(&self) -> bool {
        *self.running.get_or_init(|| self.is_ours_now())
    }

    fn is_ours_now(&self) -> bool {
        let health = self.get::<Health>("/health");
        // Without a device key no node can be ours, even one whose answer has no ID.
        self.ours.is_some() && health.ok().map(|health| health.node_id) == self.ours
    }

    /// Sends a request to the node, if it runs and is ours.
    fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, BusError> {
        if !self.is_running() {
            return Err(BusError::NotRunning);
        }
        match self.get(path) {
            // The node has ended since it was found, or another process has its port.
            Err(failed) if failed.is_gone && !self.is_ours_now() => Err(BusError::NotRunning),
            Err(failed) if failed.is_gone => self.get(path).map_err(Failed::into_unreachable),
            // A node that ends can lose a SYN, which the kernel repeats only after 1 s. A second request tells such a node
            // from one that hangs.
            Err(failed) if failed.is_unreached => match self.get(path) {
                Err(failed) if failed.is_gone => Err(BusError::NotRunning),
                answer => answer.map_err(Failed::into_unreachable),
            },
            answer => answer.map_err(Failed::into_unreachable),
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        let url = format!("{}{path}", self.base);
        // A proxy of the environment cannot reach loopback.
        let request = HttpRequest::get(url).direct().timeout(TIMEOUT).max_body_bytes(MAX_BODY_BYTES);
        let response = self.machine.http.send(&request).map_err(|error| Failed {
            is_gone: matches!(error, HttpError::Refused | HttpError::Closed),
            is_unreached: error == HttpError::Unreached,
            why: format!("GET {path}: {error}"),
        })?;
        // A node that is not ready answers `/ready` with 503 and the same fields.
        serde_json::from_slice(&response.body).map_err(|error| Failed {
            is_gone: false,
            is_unreached: false,
            why: format!("GET {path}: HTTP {} and {error}", response.status),
        })
    }
}

/// Reason for which there is no usable answer.
struct Failed {
    /// The node does not listen, or has closed the connection.
    is_gone: bool,
    /// No connection was made in time.
    is_unreached: bool,
    why: String,
}

impl Failed {
    fn into_unreachable(self) -> BusError {
        BusError::Unreachable(self.why)
    }
}

impl CapabilityBus for RemoteBus {
    fn node_id(&self) -> Option<String> {
        self.is_running().then(|| self.ours.clone()).flatten()
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        let manifest: Manifest = self.ask("/manifest")?;
        let name = |capability| match capability {
            Capability::Described { name } | Capability::Named(name) => name,
        };
        Ok(manifest.capabilities.into_iter().map(name).collect())
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(self.ask::<Ready>("/ready")?.peer_ids)
    }

    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError> {
        let recent: Traces = self.ask(&format!("/trace/recent?n={n}"))?;
        Ok(recent.traces.iter().map(|trace| Outcome::from_status(&trace.status)).collect())
    }

    fn observability(&self) -> Result<Observability, BusError> {
        let ask = || Ok(self.ask::<Status>("/status")?.observability.unwrap_or_default());
        self.observability.get_or_init(ask).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::wire::signing::identity::Identity;

    /// Serves a few requests as a node with the ID `id`. The device key of the view has the seed 7.
    fn node(id: &str) -> (RemoteBus, tempfile::TempDir) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let health = format!(r#"{{"status":"ok","node_id":"{id}","version":"0.1.0"}}"#);
        std::thread::spawn(move || {
            for stream in listener.incoming().take(8) {
                let mut stream = stream.unwrap();
                let mut request = [0; 1024];
                let n = stream.read(&mut request).unwrap();
                let path = String::from_utf8_lossy(&request[..n]).split(' ').nth(1).unwrap().to_owned();
                let (status, body) = match path.as_str() {
                    "/health" => (200, health.as_str()),
                    "/manifest" => {
                        (200, r#"{"capabilities":[{"name":"rag.query","version":"1.0"},"llm.chat"]}"#)
                    }
                    "/ready" => (
                        503,
                        r#"{"ready":false,"reasons":["no peers"],"capabilities":2,"peers":1,"peer_ids":["ed25519:peer"]}"#,
                    ),
                    "/trace/recent?n=3" => (
                        200,
                        r#"{"traces":[{"status":"ok","spans":[]},{"status":"timeout"},{"status":"cancelled"}]}"#,
                    ),
                    _ => (404, "nothing"),
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + body).as_bytes()).unwrap();
            }
        });
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("device.pub"), Identity::from_seed(&[7; 32]).public()).unwrap();
        (RemoteBus::new(address, home.path()), home)
    }

    #[test]
    fn our_node_answers_the_questions_of_the_doctor() {
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        let (bus, _home) = node(&id);
        assert_eq!(bus.node_id(), Some(id));
        assert_eq!(bus.capabilities().unwrap(), ["rag.query", "llm.chat"]);
        assert_eq!(bus.peers().unwrap(), ["ed25519:peer"]);
        assert_eq!(bus.recent_outcomes(3).unwrap(), [Outcome::Ok, Outcome::Error, Outcome::Cancelled]);
        assert!(matches!(bus.recent_outcomes(4), Err(BusError::Unreachable(why)) if why.contains("404")));
    }

    /// A node that ends between two questions is not running, which is no failure.
    #[test]
    fn a_node_that_has_ended_is_not_running() {
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        let (bus, _home) = node(&id);
        assert!(bus.is_running());
        let gone = RemoteBus { base: "http://127.0.0.1:1".to_owned(), ..bus };
        assert_eq!(gone.capabilities(), Err(BusError::NotRunning));
        assert_eq!(gone.recent_outcomes(3), Err(BusError::NotRunning));
    }

    /// A node that ends before it takes the connection is not running. A node that takes none is unreachable.
    #[test]
    fn a_node_that_ends_while_it_is_reached_is_not_running() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The queue holds one connection. The kernel then drops each SYN.
        rustix::net::listen(&listener, 0).unwrap();
        let queued = std::net::TcpStream::connect(address).unwrap();
        let bus = || RemoteBus { running: OnceLock::from(true), ..RemoteBus::new(address, Path::new("")) };
        assert!(
            matches!(bus().capabilities(), Err(BusError::Unreachable(why)) if why.contains("not reached in time"))
        );
        let ending = std::thread::spawn(move || {
            std::thread::sleep(TIMEOUT / 2);
            drop((queued, listener));
        });
        assert_eq!(bus().capabilities(), Err(BusError::NotRunning));
        ending.join().unwrap();
    }

    #[test]
    fn another_node_on_the_port_is_not_ours() {
        let (bus, _home) = node("ed25519:another");
        assert_eq!(bus.node_id(), None);
        assert_eq!(bus.capabilities(), Err(BusError::NotRunning));
    }
}
