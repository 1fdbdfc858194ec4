//! Limits on calls a second, by caller and capability. The node counts and logs calls beyond the soft limit, and refuses calls
//! beyond the hard one.

use std::time::Duration;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::exposition::{Format, Page};
use crate::harness::home::Home;
use crate::harness::http::Client;
use crate::harness::node::Node;

const CALLS: usize = 60;

fn node(lab: &Lab, soft: u32, hard: u32) -> Outcome<Node> {
    let home = Home::initialised(lab)?;
    home.configure("transport", "rate_limit_soft_rps", soft)?;
    home.configure("transport", "rate_limit_hard_rps", hard)?;
    Node::start(home)
}

/// Makes calls without a pause and returns the number of refusals.
fn flood(client: &Client) -> Outcome<usize> {
    let mut refused = 0;
    for _ in 0..CALLS {
        let answer = client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?;
        if answer.status == 429 {
            answer.refuses(429, "rate_limited")?;
            refused += 1;
        } else {
            answer.is(200)?;
        }
    }
    Ok(refused)
}

fn page(client: &Client) -> Outcome<Page> {
    let text = client.get("/metrics")?.is(200)?.text();
    Page::parse(&text, Format::Text).map_err(|fault| failed("a well-formed page", fault))
}

pub(super) fn hard(lab: &Lab) -> Outcome {
    let node = node(lab, 0, 10)?;
    let refused = flood(&node.client())?;
    ensure(refused > 0 && refused < CALLS, "some of 60 calls at once refused at 10 a second", refused)?;
    let page = page(&node.client())?;
    let counted = page.sum("hearthnet_requests_total", &[("result", "rate_limited")]);
    equal("refused calls in hearthnet_requests_total", counted, refused as f64)?;
    let limited = page.sum("hearthnet_rate_limited_total", &[("capability", "experimental.echo")]);
    ensure(limited >= refused as f64, "every refused call in hearthnet_rate_limited_total", limited)?;

    // The limit is one a second, so the caller is served again after a pause.
    std::thread::sleep(Duration::from_millis(1_200));
    node.client().call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200).map(drop)
}

pub(super) fn soft(lab: &Lab) -> Outcome {
    let node = node(lab, 5, 0)?;
    equal("refused calls", flood(&node.client())?, 0)?;
    let limited =
        page(&node.client())?.sum("hearthnet_rate_limited_total", &[("capability", "experimental.echo")]);
    ensure(limited > 0.0 && limited < CALLS as f64, "some calls counted as over the limit", limited)?;

    let lines = node.stop()?.log_lines()?;
    let warned: Vec<_> =
        lines.iter().filter(|line| line.level() == "warning" && line.msg().contains("limit")).collect();
    ensure(!warned.is_empty(), "a warning that a limit was passed", lines.last())?;
    // The line is limited to one a second, and the flood takes far less than ten seconds.
    ensure(warned.len() <= 10, "a warning a second at most", warned.len())
}
