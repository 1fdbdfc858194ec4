//! `hearthnet trace recent`.

use crate::case::{Outcome, contains, ensure};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;

const CAPABILITIES: [&str; 2] = ["experimental.echo", "experimental.node.status"];

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
