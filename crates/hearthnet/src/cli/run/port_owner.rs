//! Owner of a port that is taken.

use std::net::SocketAddr;
use std::time::Duration;

use obs_facade::doctor::machine::{HttpRequest, Machine, Protocol};
use serde_json::Value;

use crate::wire::signing::identity;

/// Describes the owner of the port of `address`. Takes about a second at most.
pub(crate) fn describe(address: SocketAddr) -> String {
    let machine = Machine::default();
    // The node is asked first: its ID says more than the name of a process.
    let node = node_at(&machine, address).map(|id| format!("the HearthNet node {id}"));
    let process = machine.sockets.owners(Protocol::Tcp, address).first().map(ToString::to_string);
    match (node, process) {
        (Some(node), Some(process)) => format!("{node}, {process}"),
        (Some(owner), None) | (None, Some(owner)) => owner,
        (None, None) => "another process, which this user may not inspect".to_owned(),
    }
}

/// Returns the ID of the HearthNet node that answers at `address`.
fn node_at(machine: &Machine, address: SocketAddr) -> Option<String> {
    let request = HttpRequest::get(format!("http://{address}/health"))
        .direct()
        .timeout(Duration::from_secs(1))
        // The server may be anything, and may send without end.
        .max_body_bytes(4096);
    let health: Value = serde_json::from_slice(&machine.http.send(&request).ok()?.body).ok()?;
    let id = health["node_id"].as_str()?;
    // The text of a stranger goes to the terminal only if it has the form of an ID.
    identity::is_id(id).then(|| id.to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::wire::signing::identity::Identity;

    /// Serves one connection. An empty `body` hangs up instead of answering.
    fn serve_once(body: String) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            if !body.is_empty() {
                let _ = stream.read(&mut [0; 1024]).unwrap();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
            // Keeps the port until its owner has been looked up.
            thread::park();
        });
        (address, server)
    }

    fn described(body: &str) -> String {
        let (address, server) = serve_once(body.to_owned());
        let found = describe(address);
        server.thread().unpark();
        server.join().unwrap();
        found
    }

    fn this_process() -> String {
        format!("(pid {}, uid ", std::process::id())
    }

    #[test]
    fn a_process_that_listens_is_named_with_its_pid() {
        let found = described("");
        assert!(found.contains(&this_process()) && !found.contains("HearthNet"), "{found}");
    }

    #[test]
    fn a_node_that_listens_is_named_with_its_id() {
        let id = Identity::from_seed(&[7; 32]).node_id().to_owned();
        let found = described(&format!(r#"{{"node_id":"{id}"}}"#));
        assert!(found.starts_with(&format!("the HearthNet node {id}, ")), "{found}");
        assert!(found.contains(&this_process()), "{found}");
    }

    #[test]
    fn an_answer_without_a_node_id_is_no_node() {
        for body in ["{", "{}", r#"{"node_id":"\u001b[2J"}"#] {
            let found = described(body);
            assert!(found.contains(&this_process()) && !found.contains("HearthNet"), "{body}: {found}");
        }
    }
}
