//! Label values from peers.

use super::{OVERFLOW, scrape};
use crate::case::{Outcome, equal};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::node::Node;

fn unlimited(lab: &Lab) -> Outcome<Node> {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    Node::start(home)
}

/// Names that no node offers are counted under one label value. Their traces show each name as it was sent.
pub(super) fn hostile_names(lab: &Lab) -> Outcome {
    let node = unlimited(lab)?;
    let client = node.client();
    let names =
        [r"a\b", r"a\\b", r#"a"b"#, r#"a\"b"#, r"a\n", "{}=,", "x 1\t2", "# HELP x", "le", "a,b=\"c\""];
    for name in names {
        client.call(name, b"{}", &[])?.refuses(404, "not_found")?;
    }
    let counted = scrape(&client)?.sum("hearthnet_requests_total", &[("capability", OVERFLOW)]);
    equal("calls counted for what nobody offers", counted, names.len() as f64)?;
    let recent = client.get("/trace/recent?n=100")?.is(200)?.json()?;
    let traces = recent["traces"].as_array().cloned().unwrap_or_default();
    for name in names {
        let found = traces.iter().filter(|trace| trace["capability"] == name).count();
        equal(&format!("traces of {name:?}"), found, 1)?;
    }
    Ok(())
}

/// Invented names leave the number of series bounded and the total exact.
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
    equal("series: the one of a capability that is offered, and one for all others", series, 2)?;
    let rest = page.sum("hearthnet_requests_total", &[("capability", OVERFLOW)]);
    equal("the others under __overflow__", rest, NAMES as f64)?;
    let counted = page.sum("hearthnet_metrics_overflow_total", &[("metric", "hearthnet_requests_total")]);
    equal("hearthnet_metrics_overflow_total", counted, rest)?;

    // An offered name still has a series of its own.
    client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200)?;
    let echo = scrape(&client)?.sum("hearthnet_requests_total", &[("capability", "experimental.echo")]);
    equal("calls of experimental.echo", echo, 2.0)
}
