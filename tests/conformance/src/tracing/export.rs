//! Traces at an OpenTelemetry collector.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use ulid::Ulid;

use super::traces;
use super::two_nodes::pair_of;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::bodies::Bodies;
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::rotel::{Rotel, Seen};
use crate::harness::{Lab, oracle, wait};

/// Headers of a caller that another system traces.
const CALLER: &str = "b7ad6b7169203331";

fn hex(id: Ulid) -> String {
    format!("{:032x}", id.0)
}

/// Calls through two nodes that export to one real collector are one trace there. The near node's spans are below the
/// caller's span, and the far node's spans are below the near node's span `forward`.
pub(super) fn one_trace_over_two_nodes(lab: &Lab) -> Outcome {
    let (near, far) = (Home::initialised(lab)?, Home::initialised(lab)?);
    let rotel = Rotel::start(lab, &near)?;
    for home in [&near, &far] {
        home.configure("observability", "otlp_endpoint", rotel.address())?;
    }
    let (near, far) = pair_of(near, far)?;
    let chat = json!({"params": {"model": "tiny"}, "input": {"messages": [{"role": "user", "content": "hello"}], "stream": false}});
    let call = |status: u16, headers: &[(&str, &str)]| -> Outcome<Ulid> {
        let id = Ulid::generate();
        let (text, parent) = (id.to_string(), format!("00-{}-{CALLER}-01", hex(id)));
        let mut all = vec![(REQUEST_ID, text.as_str()), ("traceparent", parent.as_str())];
        all.extend_from_slice(headers);
        near.client().call("llm.chat", chat.to_string().as_bytes(), &all)?.is(status)?;
        Ok(id)
    };
    // The far node refuses the call at once. Its span `failed` has the cause, so the trace has four spans.
    let refused = call(400, &[("x-hearthnet-capability-version", "9.9.9")])?;
    let answered = call(200, &[])?;

    let of = |spans: &[Seen], id: Ulid| -> Vec<Seen> {
        spans.iter().filter(|span| span.trace_id == hex(id)).cloned().collect()
    };
    // A node flushes its export when it ends.
    let instances = [node_id(&near)?, node_id(&far)?];
    near.stop()?;
    far.stop()?;
    wait::until(Duration::from_secs(10), || {
        let spans = rotel.spans();
        of(&spans, refused).len() >= 4 && of(&spans, answered).len() >= 4
    });
    let spans = rotel.spans();
    let refused = of(&spans, refused);
    equal("spans of the refused call", refused.len(), 4)
        .map_err(|stop| stop.at(&format!("{refused:?} in {}", rotel.text())))?;
    let causes = refused.iter().filter(|span| span.name == "failed" && span.instance == instances[1]);
    equal("spans of the far node with the cause", causes.count(), 1)?;
    // A caller's mistake is an error of its own span and of no node's span.
    is_one_tree(&refused, &instances, "ERROR")?;

    let four = of(&spans, answered);
    let (backend, three): (Vec<_>, Vec<_>) = four.into_iter().partition(|span| span.name == "backend");
    is_one_tree(&three, &instances, "UNSET")?;
    let far_root = three.iter().find(|span| span.kind == "SERVER" && span.instance == instances[1]);
    equal(
        "the far node's own span",
        backend.iter().map(|span| (&span.parent_id, span.kind.as_str())).collect::<Vec<_>>(),
        far_root.iter().map(|root| (&root.span_id, "CLIENT")).collect::<Vec<_>>(),
    )
}

fn node_id(node: &Node) -> Outcome<String> {
    let health = node.client().get("/health")?.is(200)?.json()?;
    Ok(health["node_id"].as_str().unwrap_or_default().to_owned())
}

/// Checks that caller, near node's root, `forward` and far node's root are each the child of the one before. `status` is
/// that of `forward`; the status of the roots is unset, because neither node was at fault.
fn is_one_tree(spans: &[Seen], [near, far]: &[String; 2], forwarded: &str) -> Outcome {
    let mut parent = CALLER.to_owned();
    for (name, kind, instance) in
        [("llm.chat", "SERVER", near), ("forward", "CLIENT", near), ("llm.chat", "SERVER", far)]
    {
        let is_it = |span: &&Seen| span.parent_id == parent && span.name == name;
        let span = spans
            .iter()
            .find(is_it)
            .ok_or_else(|| failed(format!("a span {name} below {parent}"), format!("{spans:?}")))?;
        equal("its kind", span.kind.as_str(), kind)?;
        equal("the node that exported it", &span.instance, instance)?;
        let status = if kind == "SERVER" { "UNSET" } else { forwarded };
        let shown = if span.status.is_empty() { "UNSET" } else { &span.status };
        equal("its status", shown, status)?;
        parent.clone_from(&span.span_id);
    }
    Ok(())
}

/// An export, decoded by OpenTelemetry's own messages, has the same spans as `/trace/recent`.
pub(super) fn decoded_by_python(lab: &Lab) -> Outcome {
    oracle::opentelemetry_proto_is_there(lab)?;
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    let collector = Bodies::start()?;
    home.configure("observability", "otlp_endpoint", collector.address())?;
    let node = Node::start(home)?;
    let client = node.client();
    let echo = json!({"params": {}, "input": {"text": "x"}}).to_string();
    for number in 0..20 {
        let id = Ulid::generate().to_string();
        match number % 4 {
            0 => client.call("experimental.nobody", echo.as_bytes(), &[(REQUEST_ID, &id)])?,
            1 => client.call("experimental.echo", b"no JSON", &[(REQUEST_ID, &id)])?,
            2 => client.call("experimental.ü\"", echo.as_bytes(), &[])?,
            _ => client.call("experimental.echo", echo.as_bytes(), &[(REQUEST_ID, &id)])?,
        };
    }
    wait::until(Duration::from_secs(5), || traces(&client, "?n=100").is_ok_and(|all| all.len() == 20));
    let shown = traces(&client, "?n=100")?;
    let instance = node_id(&node)?;
    // The node flushes its export when it ends.
    node.stop()?;

    let mut decoded = Vec::new();
    for body in collector.kept() {
        decoded.extend(oracle::opentelemetry_spans(lab, &body)?);
    }
    let ids: BTreeSet<_> = decoded.iter().map(|span| text(&span["span_id"])).collect();
    equal("different span IDs", ids.len(), decoded.len())?;
    let mut roots: BTreeMap<String, &Value> =
        decoded.iter().filter(|span| span["kind"] == 2).map(|span| (text(&span["trace_id"]), span)).collect();
    for trace in &shown {
        let id: Ulid = text(&trace["trace_id"]).parse()?;
        let root = roots.remove(&hex(id)).ok_or_else(|| failed(format!("the trace {id}"), "none"))?;
        is_root_of(root, trace, &instance)?;
        let below = decoded.iter().filter(|span| span["parent_span_id"] == root["span_id"]).count();
        let spans = trace["spans"]
            .as_array()
            .map_or(0, |spans| spans.iter().filter(|span| span["parent"].is_null()).count());
        equal(&format!("spans right below the root of {id}"), below, spans)?;
    }
    equal("traces that are not shown", roots.len(), 0)
}

fn is_root_of(root: &Value, trace: &Value, instance: &str) -> Outcome {
    equal("name", &root["name"], &trace["capability"])?;
    equal("parent", text(&root["parent_span_id"]), String::new())?;
    // These calls succeed or are wrong themselves, so no span is an error of the node.
    equal("status", &root["status"], &json!({"code": 0, "message": ""}))?;
    let failed = Some(&trace["status"]).filter(|status| **status != "ok");
    equal("error.type", root["attributes"].get("error.type"), failed)?;
    equal("hearthnet.trace_id", &root["attributes"]["hearthnet.trace_id"], &trace["trace_id"])?;
    equal("service.name", &root["resource"]["service.name"], &json!("hearthnet"))?;
    equal("service.instance.id", &root["resource"]["service.instance.id"], &json!(instance))?;
    let version = text(&root["resource"]["service.version"]);
    ensure(version.split('.').count() == 3, "a version as service.version", &version)?;
    let nanos = |key: &str| root[key].as_u64().unwrap_or_default();
    let ms = (nanos("end") - nanos("start")) as f64 / 1e6;
    let shown = trace["duration_ms"].as_f64().unwrap_or_default();
    ensure((ms - shown).abs() < 0.002, "the duration that is shown", (ms, shown))?;
    let started = chrono::DateTime::parse_from_rfc3339(&text(&trace["started_at"]))?;
    equal("start, in milliseconds", nanos("start") / 1_000_000, started.timestamp_millis() as u64)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A collector that is down or answers nonsense costs the node one log line and its callers nothing.
pub(super) fn collector_gone(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    home.configure(
        "observability",
        "otlp_endpoint",
        format!("http://127.0.0.1:{}", crate::harness::free_port()),
    )?;
    let node = Node::start(home)?;
    let client = node.client();
    let echo = json!({"params": {}, "input": {"text": "x"}}).to_string();
    let failing = || -> Outcome<f64> {
        let page = client.get("/metrics")?.is(200)?.text();
        let page = crate::harness::exposition::Page::parse(&page, crate::harness::exposition::Format::Text)
            .map_err(|fault| failed("a well-formed page", fault))?;
        Ok(page.sum("hearthnet_trace_export_failing", &[]))
    };
    let told = wait::until(Duration::from_secs(20), || {
        client.call("experimental.echo", echo.as_bytes(), &[]).is_ok() && failing().is_ok_and(|on| on == 1.0)
    });
    ensure(told, "hearthnet_trace_export_failing is 1 within 20 s", failing())?;
    for _ in 0..100 {
        client.call("experimental.echo", echo.as_bytes(), &[])?.is(200)?;
    }
    let lines = node.stop()?.log_lines()?;
    let said: Vec<_> =
        lines.iter().filter(|line| line.text("logger") == Some("hearthnet.trace.otlp")).collect();
    equal("lines about the export", said.len(), 1).map_err(|stop| stop.at(&format!("{said:?}")))?;
    equal("its level", said[0].text("level"), Some("warning"))
}

/// The error names file, line, field and the allowed form, and shows no password.
pub(super) fn bad_endpoint(lab: &Lab) -> Outcome {
    for bad in ["collector:4318", "ftp://collector", "http://u:hunter2@collector:4318", ""] {
        let home = Home::initialised(lab)?;
        home.configure("observability", "otlp_endpoint", bad)?;
        let ran = home.hearthnet(&["run", "--port", "1"])?.exits(1)?;
        let output = ran.output();
        for part in ["config.toml:", "otlp_endpoint", "http://host:4318"] {
            ensure(output.contains(part), &format!("{part} is said of {bad:?}"), &output)?;
        }
        ensure(!output.contains("hunter2"), "no password is shown", &output)?;
    }
    Ok(())
}
