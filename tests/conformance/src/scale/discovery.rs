//! `hearthnet export targets`: the node and its peers, whatever a peer calls itself.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Outcome, ensure, equal};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, free_port, wait};

/// Name that would be a target of its own if it were not escaped.
const HOSTILE: &str = "bob\"}},{\"targets\":[\"169.254.169.254:80\"]\u{202e}";

/// The file has the configured addresses with the names of the manifests. A node that has ended leaves it as it was.
pub(super) fn from_manifests(lab: &Lab) -> Outcome {
    let silent = format!("127.0.0.1:{}", free_port());
    let peer = hostile_peer()?;
    let home = Home::initialised(lab)?;
    home.configure("discovery", "static_peers", vec![format!("http://{peer}"), format!("http://{silent}")])?;
    let node = Node::start(home)?;
    let file = node.home().path().join("targets.json");
    let export = |more: &[&str]| {
        let arguments = ["export", "targets", "--port", node.port()];
        node.home().hearthnet(&[&arguments[..], more].concat())
    };
    let knows_peer = || export(&[]).is_ok_and(|ran| ran.stdout.contains("ed25519:peer"));
    ensure(
        wait::until(Duration::from_secs(30), knows_peer),
        "the name of the peer within 30 s",
        export(&[]),
    )?;

    let out = file.to_string_lossy();
    export(&["--address", "ada.lan:7080", "--out", &out])?.exits(0)?;
    equal("the mode of the file", std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o644)?;
    let text = std::fs::read_to_string(&file)?;
    let targets: Vec<Value> = serde_json::from_str(&text)?;
    let addresses: Vec<_> = targets.iter().map(|target| target["targets"].clone()).collect();
    equal("the addresses", addresses, [json!(["ada.lan:7080"]), json!([peer]), json!([silent])])?;
    let labels = &targets[1]["labels"];
    equal("the ID of the peer", &labels["node_id"], &json!("ed25519:peer"))?;
    equal("the community of the peer", &labels["community_id"], &json!("c"))?;
    equal("the name of a peer that never answered", &targets[2]["labels"]["node_name"], &json!(silent))?;
    ensure(!text.contains('\u{202e}'), "no unsafe character", &text)?;

    let again = export(&["--address", "ada.lan:7080", "--out", &out, "--json"])?.exits(0)?;
    let told: Value = serde_json::from_str(&again.stdout)?;
    equal("whether the same list is written again", &told["changed"], &json!(false))?;
    equal("the number of targets", &told["targets"], &json!(3))?;

    let port = node.port().to_owned();
    let home = node.stop()?;
    home.hearthnet(&["export", "targets", "--port", &port, "--out", &out])?.exits(3)?;
    equal("the file after the end of the node", std::fs::read_to_string(&file)?, text)
}

/// Starts a peer with a hostile name, and returns its address.
fn hostile_peer() -> Outcome<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    let manifest =
        json!({ "node_id": "ed25519:peer", "community_id": "c", "display_name": HOSTILE, "capabilities": [] })
            .to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let manifest = manifest.clone();
            std::thread::spawn(move || -> std::io::Result<()> {
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                let mut lines = BufReader::new(stream.try_clone()?).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let length = manifest.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{manifest}"
                )
            });
        }
    });
    Ok(address)
}
