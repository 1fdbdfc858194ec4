//! The standard families: present from the start, with values from real sources.

use std::time::Duration;

use serde_json::json;

use super::oracles::{promtool_accepts, python_agrees_on_open_metrics, python_agrees_on_text};
use super::page::ASK_OPEN_METRICS;
use super::scrape;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::exposition::Page;
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, fake_llm, wait};

pub(super) const NAMES: [&str; 13] = [
    "hearthnet_requests_total",
    "hearthnet_request_duration_ms",
    "hearthnet_active_streams",
    "hearthnet_nodes_online",
    "hearthnet_event_log_size",
    "hearthnet_event_log_lamport_head",
    "hearthnet_emergency_mode",
    "hearthnet_blob_storage_bytes",
    "hearthnet_llm_tokens_generated_total",
    "hearthnet_llm_concurrent",
    "hearthnet_capability_health_success_rate",
    "hearthnet_rate_limited_total",
    "hearthnet_signature_failures_total",
];

const KINDS: [&str; 13] = [
    "counter", "summary", "gauge", "gauge", "gauge", "gauge", "gauge", "gauge", "counter", "gauge", "gauge",
    "counter", "counter",
];

/// Standard families with their labels, without `quantile`.
const LABELS: [&[&str]; 13] = [
    &["capability", "result"],
    &["capability"],
    &["capability"],
    &["community"],
    &["community"],
    &["community"],
    &["state"],
    &[],
    &["backend", "model"],
    &["model"],
    &["capability", "node"],
    &["capability", "reason"],
    &["reason"],
];

/// All 13 families, and the histogram beside the summary, have HELP and TYPE at the first scrape of a node without calls.
pub(super) fn before_the_first_sample(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    let page = scrape(&node.client())?;
    for (name, kind) in
        NAMES.into_iter().zip(KINDS).chain([("hearthnet_request_duration_seconds", "histogram")])
    {
        let family = page.family(name).ok_or_else(|| failed(format!("the family {name}"), "none"))?;
        equal(&format!("the kind of {name}"), family.kind.as_str(), kind)?;
        ensure(
            family.help.as_ref().is_some_and(|help| !help.is_empty()),
            &format!("a HELP of {name}"),
            &family.help,
        )?;
    }
    let counted = page.sum("hearthnet_requests_total", &[]);
    equal("calls counted before the first", counted, 0.0)
}

/// Starts a node and makes it feed every family.
pub(super) fn busy_node(lab: &Lab) -> Outcome<(Node, Node)> {
    let peer = Node::start(Home::initialised(lab)?)?;
    let home = Home::initialised(lab)?;
    home.configure("discovery", "static_peers", vec![peer.base().to_owned()])?;
    home.configure("transport", "rate_limit_soft_rps", 5)?;
    home.configure("transport", "rate_limit_hard_rps", 0)?;
    // This address refuses at once, so the node finds the internet down.
    let nowhere = format!("127.0.0.1:{}", crate::harness::free_port());
    home.configure("emergency", "probe_targets", vec![nowhere])?;
    fake_llm::configure(&home)?;
    std::fs::create_dir_all(home.data_dir().join("blobs"))?;
    std::fs::write(home.data_dir().join("blobs/one"), [0; 1234])?;

    let node = Node::start(home)?;
    let client = node.client();
    for _ in 0..30 {
        client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200)?;
    }
    client.call("experimental.echo", br#"{"params":{},"input":{"text":"a","frames":2}}"#, &[])?.is(200)?;
    let wrong = [("x-hearthnet-from", "nobody"), ("x-hearthnet-signature", "ed25519:AAAA")];
    client
        .call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &wrong)?
        .refuses(401, "invalid_signature")?;
    let chat =
        json!({"params": {"model": "tiny"}, "input": {"messages": [{"role": "user", "content": "hello"}]}});
    client.call("llm.chat", chat.to_string().as_bytes(), &[])?.is(200)?;
    let plain = json!({"params": {"model": "tiny"}, "input": {"messages": [{"role": "user", "content": "hello"}], "stream": false}});
    client.call("llm.chat", plain.to_string().as_bytes(), &[])?.is(200)?;
    Ok((node, peer))
}

/// Each of the 13 families has samples with its labels and the value of its source.
pub(super) fn live_values(lab: &Lab) -> Outcome {
    let (node, _peer) = busy_node(lab)?;
    let settled = |page: &Page| {
        page.sum("hearthnet_nodes_online", &[]) >= 1.0 && page.sum("hearthnet_blob_storage_bytes", &[]) > 0.0
    };
    wait::until(Duration::from_secs(12), || scrape(&node.client()).is_ok_and(|page| settled(&page)));
    let page = scrape(&node.client())?;
    for (name, labels) in NAMES.into_iter().zip(LABELS) {
        let family = page.family(name).ok_or_else(|| failed(format!("the family {name}"), "none"))?;
        let sample = family.samples.first().ok_or_else(|| failed(format!("a sample of {name}"), "none"))?;
        let names: Vec<_> =
            sample.labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "quantile").collect();
        equal(&format!("the labels of {name}"), names.as_slice(), labels)?;
    }

    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        equal(&format!("{name}{labels:?}"), page.sum(name, labels), expected)
    };
    is("hearthnet_requests_total", &[("capability", "experimental.echo"), ("result", "ok")], 31.0)?;
    is("hearthnet_requests_total", &[("capability", "llm.chat"), ("result", "ok")], 2.0)?;
    is("hearthnet_request_duration_ms_count", &[("capability", "experimental.echo")], 32.0)?;
    is("hearthnet_blob_storage_bytes", &[], 1234.0)?;
    is("hearthnet_signature_failures_total", &[], 1.0)?;
    is(
        "hearthnet_llm_tokens_generated_total",
        &[("model", "tiny"), ("backend", "ollama")],
        2.0 * fake_llm::TOKENS as f64,
    )?;
    is("hearthnet_llm_concurrent", &[("model", "tiny")], 0.0)?;
    is("hearthnet_active_streams", &[("capability", "experimental.echo")], 0.0)?;
    let at_least = |name: &str, least: f64| {
        ensure(page.sum(name, &[]) >= least, &format!("{name} of at least {least}"), page.sum(name, &[]))
    };
    at_least("hearthnet_nodes_online", 1.0)?;
    at_least("hearthnet_event_log_size", 1.0)?;
    at_least("hearthnet_event_log_lamport_head", 1.0)?;
    at_least("hearthnet_rate_limited_total", 1.0)?;
    emergency(&node)?;
    let rates = page
        .family("hearthnet_capability_health_success_rate")
        .map(|family| family.samples.as_slice())
        .unwrap_or_default();
    let all_fractions = rates.iter().all(|series| (0.0..=1.0).contains(&series.value));
    ensure(all_fractions, "success rates between 0 and 1", rates)
}

/// Exactly one emergency state reads 1 when every probe target refuses.
fn emergency(node: &Node) -> Outcome {
    let states = || -> Outcome<Vec<(String, f64)>> {
        let page = scrape(&node.client())?;
        let samples =
            page.family("hearthnet_emergency_mode").map(|family| family.samples.clone()).unwrap_or_default();
        Ok(samples
            .into_iter()
            .map(|series| (series.label("state").unwrap_or_default().to_owned(), series.value))
            .collect())
    };
    let on = |states: &[(String, f64)]| {
        states.iter().filter(|(_, value)| *value == 1.0).map(|(state, _)| state.clone()).collect::<Vec<_>>()
    };
    let normal = |state: &str| ["normal", "online", "off"].contains(&state);
    wait::until(Duration::from_secs(10), || {
        states().is_ok_and(|states| on(&states).iter().any(|state| !normal(state)))
    });
    let states = states()?;
    ensure(states.iter().all(|(_, value)| *value == 0.0 || *value == 1.0), "states of 0 or 1", &states)?;
    ensure(
        on(&states).len() == 1 && !normal(&on(&states)[0]),
        "one state of 1, and that of an emergency",
        &states,
    )
}

/// Outside checkers accept a page with samples of every family.
pub(super) fn oracles_accept(lab: &Lab) -> Outcome {
    let (node, _peer) = busy_node(lab)?;
    let client = node.client();
    let hostile = [("x-hearthnet-request-id", "x"), ("x-hearthnet-from", "a\\\"b{}")];
    client.call("a\"b\\c{d=\"e\"},\u{7e}", b"{}", &hostile)?;
    let text = client.get("/metrics")?.is(200)?.text();
    promtool_accepts(lab, &text)?;
    python_agrees_on_text(lab, &text)?;
    python_agrees_on_open_metrics(lab, &client.get_with("/metrics", &[ASK_OPEN_METRICS])?.is(200)?.text())
}

/// The `process_*` families agree with the system's data on the process.
pub(super) fn process(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    let page = scrape(&node.client())?;
    let value =
        |name: &str| page.family(name).and_then(|family| family.samples.first()).map(|series| series.value);
    let resident = value("process_resident_memory_bytes").unwrap_or_default();
    ensure((1e6..1e9).contains(&resident), "resident memory between 1 MB and 1 GB", resident)?;
    let open = value("process_open_fds").unwrap_or_default();
    let limit = value("process_max_fds").unwrap_or_default();
    ensure(open > 3.0 && open < limit, "more than 3 open files, fewer than allowed", (open, limit))?;
    ensure(
        value("process_cpu_seconds_total").is_some_and(|seconds| (0.0..60.0).contains(&seconds)),
        "CPU seconds",
        value("process_cpu_seconds_total"),
    )?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    let started = value("process_start_time_seconds").unwrap_or_default();
    ensure((now - 60.0..=now + 1.0).contains(&started), "a start within the last minute", (started, now))
}

/// With `metrics_enabled = false` the node serves calls and counts none.
pub(super) fn disabled(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    home.configure("observability", "metrics_enabled", false)?;
    let node = Node::start(home)?;
    let client = node.client();
    client.call("experimental.echo", br#"{"params":{},"input":{"text":"a"}}"#, &[])?.is(200)?;
    let answer = client.get("/metrics")?;
    ensure(!answer.text().contains("experimental.echo"), "no sample of a call", answer.text())
}
