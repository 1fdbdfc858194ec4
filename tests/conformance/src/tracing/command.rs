//! `hearthnet trace recent`.

use std::time::Duration;

use crate::case::{Outcome, contains, ensure};
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::{Lab, wait};

const CAPABILITIES: [&str; 2] = ["experimental.echo", "experimental.node.status"];

/// `trace show` has the trace with its lines, by every form of its ID that a command prints, and names a peer that is down.
pub(super) fn show(lab: &Lab) -> Outcome {
    let (home, port) = (Home::initialised(lab)?, crate::harness::free_port());
    let down = crate::harness::free_port();
    home.configure("transport", "port", i64::from(port))?;
    home.configure("discovery", "static_peers", vec![toml::Value::from(format!("http://127.0.0.1:{down}"))])?;
    let node = Node::start_on(home, port)?;
    let ulid = ulid::Ulid::generate();
    let id = ulid.to_string();
    node.client()
        .call(CAPABILITIES[0], br#"{"params":{},"input":{"text":"a"}}"#, &[(REQUEST_ID, &id)])?
        .is(200)?;
    // The command reads the line on the disk, to which it goes within a second.
    let is_logged = || has_ended_line(&node, &id);
    ensure(wait::until(Duration::from_secs(30), is_logged), "a line of the trace", node.output())?;
    let hex: String = ulid.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let ends = [&id[..8], &id[22..]];
    for form in [
        &id,
        &id.to_lowercase(),
        &id[..12],
        ends[1],
        &ends.join("…"),
        &ends.join("~"),
        &ends.join("..."),
        &hex,
        &format!("00-{hex}-00000000000000b7-01"),
    ] {
        let ran = node.home().hearthnet(&["trace", "show", form])?.exits(0)?;
        for part in [&id, CAPABILITIES[0], "done"] {
            contains(&format!("the trace by {form}"), &ran.stdout, part)?;
        }
    }
    let ran = node.home().hearthnet(&["trace", "show", &id, "--peers"])?.exits(0)?;
    contains("the part that is left out", &ran.stderr, &down.to_string())?;
    let other = ulid::Ulid::generate().to_string();
    node.home().hearthnet(&["trace", "show", &other])?.exits(1)?;
    node.home().hearthnet(&["trace", "show", "K0"])?.exits(2)?;
    // Without the node, its log still has the lines of the trace.
    let home = node.stop()?;
    contains("the trace", &home.hearthnet(&["trace", "show", &id])?.exits(0)?.stdout, "done")?;
    home.hearthnet(&["trace", "show", &other])?.exits(3).map(drop)
}

fn has_ended_line(node: &Node, id: &str) -> bool {
    node.home().log_lines().is_ok_and(|lines| {
        lines.iter().any(|line| line.trace_id() == Some(id) && line.text("msg") == Some("done"))
    })
}

/// `trace recent` shows the traces of the node that the configuration names.
pub(super) fn recent(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let port = crate::harness::free_port();
    home.configure("transport", "port", i64::from(port))?;
    let node = Node::start_on(home, port)?;
    let ids = [ulid::Ulid::generate().to_string(), ulid::Ulid::generate().to_string()];
    for (id, capability) in ids.iter().zip(CAPABILITIES) {
        node.client()
            .call(capability, br#"{"params":{},"input":{"text":"a"}}"#, &[(REQUEST_ID, id)])?
            .is(200)?;
    }
    let command = |args: &[&str]| node.home().hearthnet(args).and_then(|ran| ran.exits(0));
    let all = command(&["trace", "recent"])?.stdout;
    for (id, capability) in ids.iter().zip(CAPABILITIES) {
        // The text output shows the beginning of an ID.
        contains("the traces", &all, &id[..8])?;
        contains("the traces", &all, capability)?;
    }
    let one = command(&["trace", "recent", "1"])?.stdout;
    ensure(one.contains(CAPABILITIES[1]) && !one.contains(CAPABILITIES[0]), "the newest trace alone", &one)?;
    let some = command(&["trace", "recent", "--capability", "experimental.echo"])?.stdout;
    ensure(
        some.contains(CAPABILITIES[0]) && !some.contains(CAPABILITIES[1]),
        "the traces of the echo alone",
        &some,
    )
}
