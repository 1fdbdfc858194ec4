//! Who holds a port that we wanted.

use std::net::SocketAddr;
use std::time::Duration;

use obs_facade::doctor::machine::{HttpRequest, Protocol, System};
use serde_json::Value;

use crate::wire::signing::identity;

/// The owner of the port of `address`, in words. Asks it and looks around, for about a second.
pub(crate) fn describe(address: SocketAddr) -> String {
    let system = System::default();
    let node = node_at(&system, address).map(|id| format!("the HearthNet node {id}"));
    let process = system.sockets.owners(Protocol::Tcp, address).first().map(ToString::to_string);
    match (node, process) {
        (Some(node), Some(process)) => format!("{node}, {process}"),
        (Some(owner), None) | (None, Some(owner)) => owner,
        (None, None) => "another process, which this user may not look at".to_owned(),
    }
}

/// The ID of the HearthNet node that answers at `address`, if there is one.
fn node_at(system: &System, address: SocketAddr) -> Option<String> {
    let request = HttpRequest::get(format!("http://{address}/health"))
        .direct()
        .timeout(Duration::from_secs(1))
        .max_body_bytes(4096);
    let health: Value = serde_json::from_slice(&system.http.send(&request).ok()?.body).ok()?;
    let id = health["node_id"].as_str()?;
    identity::is_id(id).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn f4_a_process_that_listens_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Accepts and hangs up, as something does that is no node.
        let stranger = std::thread::spawn(move || drop(listener.accept()));
        let found = describe(address);
        assert!(
            found.contains(&std::process::id().to_string()) || found.contains("another process"),
            "{found}"
        );
        stranger.join().unwrap();
    }
}
