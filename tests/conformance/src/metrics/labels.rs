//! Label values that come from peers.

use super::scrape;
use crate::case::{Outcome, ensure, equal};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::node::Node;

fn unlimited(lab: &Lab) -> Outcome<Node> {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    Node::start(home)
}

/// Names that print alike under careless escaping stay apart, each as it was sent.
pub(super) fn hostile_names(lab: &Lab) -> Outcome {
    let node = unlimited(lab)?;
    let client = node.client();
    let names =
        [r"a\b", r"a\\b", r#"a"b"#, r#"a\"b"#, r"a\n", "{}=,", "x 1\t2", "# HELP x", "le", "a,b=\"c\""];
    for name in names {
        client.call(name, b"{}", &[])?.refuses(404, "not_found")?;
    }
    let page = scrape(&client)?;
    for name in names {
        equal(
            &format!("calls counted for {name:?}"),
            page.sum("hearthnet_requests_total", &[("capability", name)]),
            1.0,
        )?;
    }
    Ok(())
}

/// However many names a peer makes up, the series are bounded and the total is exact.
pub(super) fn cap(lab: &Lab) -> Outcome {
    const NAMES: usize = 600;
    let node = unlimited(lab)?;
    let client = node.client();
    client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200)?;
    for number in 0..NAMES {
        client.call(&format!("made.up.{number}"), b"{}", &[])?.refuses(404, "not_found")?;
    }
    let page = scrape(&client)?;
    equal("calls counted", page.sum("hearthnet_requests_total", &[]), (NAMES + 1) as f64)?;
    let series = page.family("hearthnet_requests_total").map_or(0, |family| family.samples.len());
    ensure(series <= 256 + 16, "256 series and one for the rest of each result", series)?;
    let rest = page.sum("hearthnet_requests_total", &[("capability", "__overflow__")]);
    ensure(rest >= (NAMES - 256) as f64, "the rest under __overflow__", rest)?;
    let counted = page.sum("hearthnet_metrics_overflow_total", &[("metric", "hearthnet_requests_total")]);
    equal("hearthnet_metrics_overflow_total", counted, rest)?;

    // A name of its own that was there before is still counted as itself.
    client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200)?;
    let echo = scrape(&client)?.sum("hearthnet_requests_total", &[("capability", "experimental.echo")]);
    equal("calls of experimental.echo", echo, 2.0)
}
