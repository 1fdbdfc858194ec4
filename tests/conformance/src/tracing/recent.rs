//! `GET /trace/recent`.

use std::time::Duration;

use serde_json::Value;
use ulid::Ulid;

use super::traces;
use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::http::{Client, REQUEST_ID};
use crate::harness::log_line::is_ulid;
use crate::harness::{Lab, wait};

const NOBODY: &str = "experimental.nobody.offers.this";

/// Calls a capability that no node offers, and waits until `/trace/recent` shows that call.
fn leave_a_trace(client: &Client, capability: &str) -> Outcome<String> {
    let id = Ulid::generate().to_string();
    client.call(capability, b"{}", &[(REQUEST_ID, &id)])?;
    let shown = || {
        traces(client, "?n=50")
            .is_ok_and(|traces| traces.iter().any(|trace| trace["trace_id"] == id.as_str()))
    };
    if wait::until(Duration::from_secs(2), shown) {
        Ok(id)
    } else {
        Err(failed("the trace of the call", "none"))
    }
}

pub(super) fn form(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    leave_a_trace(&client, NOBODY)?;
    let answer = client.get("/trace/recent?n=100")?.is(200)?;
    contains("the content type", answer.header("content-type")?, "application/json")?;
    let traces = traces(&client, "?n=100")?;
    ensure(!traces.is_empty(), "a trace", &traces)?;
    if !lab.has_target() {
        let restored = traces.iter().find(|trace| trace.get("restored").is_some());
        ensure(restored.is_none(), "no trace of an earlier run, as the node has just begun", restored)?;
    }
    traces.iter().try_for_each(is_of_the_form)
}

/// A trace and its spans have exactly the specified members. Two more say what is true of few traces.
pub(super) fn is_of_the_form(trace: &Value) -> Outcome {
    let keys = |value: &Value| {
        value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    let sorted = |names: &[&str]| {
        let mut names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    let mut found = keys(trace);
    found.retain(|key| key != "restored" && key != "blocked_ms");
    found.sort();
    let members = ["trace_id", "capability", "started_at", "duration_ms", "status", "spans", "dropped_spans"];
    equal("the members of a trace", found, sorted(&members))?;
    ensure(matches!(trace.get("restored"), None | Some(Value::Bool(true))), "restored, or no member", trace)?;
    let blocked = trace.get("blocked_ms");
    ensure(
        blocked.is_none_or(|ms| ms.as_f64().is_some_and(|ms| ms > 0.0)),
        "blocked_ms, or no member",
        trace,
    )?;
    ensure(trace["trace_id"].as_str().is_some_and(is_ulid), "a ULID", trace)?;
    ensure(trace["capability"].is_string() && trace["status"].is_string(), "capability and status", trace)?;
    ensure(trace["started_at"].as_str().is_some_and(|time| time.ends_with('Z')), "started_at in UTC", trace)?;
    ensure(trace["duration_ms"].as_f64().is_some_and(|ms| ms >= 0.0), "duration_ms", trace)?;
    ensure(trace["dropped_spans"].is_u64(), "dropped_spans", trace)?;
    let spans = trace["spans"].as_array().ok_or_else(|| failed("a list of spans", trace.to_string()))?;
    for span in spans {
        let mut found = keys(span);
        found.sort();
        equal(
            "the members of a span",
            found,
            sorted(&["name", "parent", "start_ms", "duration_ms", "fields"]),
        )?;
        ensure(span["name"].is_string() && span["fields"].is_object(), "name and fields", span)?;
        ensure(
            span["start_ms"].is_number() && span["duration_ms"].is_number(),
            "start_ms and duration_ms",
            span,
        )?;
    }
    Ok(())
}

pub(super) fn newest_first(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let (older, newer) = (leave_a_trace(&client, NOBODY)?, leave_a_trace(&client, NOBODY)?);
    let all = traces(&client, "?n=50")?;
    let place = |id: &str| all.iter().position(|trace| trace["trace_id"] == id);
    ensure(
        place(&newer) < place(&older),
        "the newer trace before the older one",
        (place(&newer), place(&older)),
    )?;
    equal("traces for n=1", traces(&client, "?n=1")?.len(), 1)?;
    equal("traces for n=0", traces(&client, "?n=0")?.len(), 0)
}

pub(super) fn filters(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    // The capability is unique, so that a busy node has one trace of it too.
    let name = format!("experimental.nobody.{}", Ulid::generate());
    let id = leave_a_trace(&client, &name)?;
    leave_a_trace(&client, NOBODY)?;
    let found = traces(&client, &format!("?n=50&capability={name}"))?;
    let ids: Vec<_> = found.iter().filter_map(|trace| trace["trace_id"].as_str()).collect();
    equal("traces of that capability", ids, vec![id.as_str()])
}

/// A bad parameter gets 400 with the reason.
pub(super) fn bad_parameters(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    for query in ["?n=abc", "?n=-1", "?n=", "?n=1.5", "?n=99999999999999999999", "?n=1&n=2"] {
        let answer = client
            .get(&format!("/trace/recent{query}"))?
            .refuses(400, "bad_request")
            .map_err(|stop| stop.at(query))?;
        contains("the reason", &answer.text(), "n").map_err(|stop| answer.shown(stop))?;
    }
    Ok(())
}
