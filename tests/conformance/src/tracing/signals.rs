//! Metrics and lines of the log at a collector, as OpenTelemetry's own messages read them.

use std::time::Duration;

use serde_json::{Value, json};
use ulid::Ulid;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::spans::Bodies;
use crate::harness::{Lab, oracle, wait};

/// Calls that each case makes.
const CALLS: usize = 5;

/// What a node exported until its end.
struct Exported {
    points: Vec<Value>,
    records: Vec<Value>,
    instance: String,
    /// Trace IDs of the calls in hexadecimal.
    ids: Vec<String>,
    all_gzipped: bool,
}

/// Runs a node for a few calls. It flushes its exports when it ends.
fn export(lab: &Lab, temporality: &str) -> Outcome<Exported> {
    oracle::opentelemetry_proto_is_there(lab)?;
    let home = Home::initialised(lab)?;
    let collector = Bodies::start()?;
    home.configure("observability", "otlp_endpoint", collector.address())?;
    home.configure("observability", "otlp_metrics", true)?;
    home.configure("observability", "otlp_logs", true)?;
    home.configure("observability", "otlp_temporality", temporality)?;
    home.configure("observability", "otlp_metrics_interval_seconds", 1)?;
    let node = Node::start(home)?;
    let client = node.client();
    let echo = json!({"params": {}, "input": {"text": "x"}}).to_string();
    let mut ids = Vec::new();
    for number in 0..CALLS {
        let id = Ulid::generate();
        client.call("experimental.echo", echo.as_bytes(), &[(REQUEST_ID, &id.to_string())])?.is(200)?;
        ids.push(format!("{:032x}", id.0));
        if number == 0 {
            // The other calls come in a later export, so that a difference is not the total.
            let came = wait::until(Duration::from_secs(10), || counted(lab, &collector));
            ensure(came, "the first call is exported within 10 s", collector.kept_at("/v1/metrics").len())?;
        }
    }
    let health = client.get("/health")?.is(200)?.json()?;
    let instance = health["node_id"].as_str().unwrap_or_default().to_owned();
    node.stop()?;
    let (mut points, mut records) = (Vec::new(), Vec::new());
    for body in collector.kept_at("/v1/metrics") {
        points.extend(oracle::opentelemetry_points(lab, &body)?);
    }
    for body in collector.kept_at("/v1/logs") {
        records.extend(oracle::opentelemetry_records(lab, &body)?);
    }
    Ok(Exported { points, records, instance, ids, all_gzipped: collector.all_gzipped() })
}

/// Returns whether an export has counted a call.
fn counted(lab: &Lab, collector: &Bodies) -> bool {
    let bodies = collector.kept_at("/v1/metrics");
    let mut points =
        bodies.iter().flat_map(|body| oracle::opentelemetry_points(lab, body).unwrap_or_default());
    points.any(|point| is_of_calls(&point) && point["value"].as_f64() > Some(0.0))
}

fn is_of_calls(point: &Value) -> bool {
    point["name"] == "hearthnet_requests_total" && point["attributes"]["capability"] == "experimental.echo"
}

impl Exported {
    /// Returns the last point of a family for the capability that was called.
    fn of_echo(&self, name: &str) -> Outcome<&Value> {
        let is_it = |point: &&Value| {
            point["name"] == name && point["attributes"]["capability"] == "experimental.echo"
        };
        self.points
            .iter()
            .rfind(is_it)
            .ok_or_else(|| failed(format!("a point of {name}"), format!("{:?}", self.points)))
    }
}

/// Cumulative sums have start times, native histograms are exponential with exemplars, and lines keep level, trace and types.
pub(super) fn cumulative(lab: &Lab) -> Outcome {
    let exported = export(lab, "cumulative")?;
    ensure(exported.all_gzipped, "every request is in gzip", exported.all_gzipped)?;

    let sum = exported.of_echo("hearthnet_requests_total")?;
    equal("kind and temporality", (&sum["kind"], &sum["temporality"]), (&json!("sum"), &json!(2)))?;
    equal("calls", sum["value"].as_f64(), Some(CALLS as f64))?;
    has_an_interval(sum)?;
    equal("service.instance.id", &sum["resource"]["service.instance.id"], &json!(exported.instance))?;
    equal("service.name", &sum["resource"]["service.name"], &json!("hearthnet"))?;

    let histogram = exported.of_echo("hearthnet_request_duration_seconds")?;
    equal("kind", &histogram["kind"], &json!("exponential_histogram"))?;
    equal("observations", histogram["count"].as_u64(), Some(CALLS as u64))?;
    equal("sum of the buckets", &histogram["buckets"], &histogram["count"])?;
    has_an_interval(histogram)?;
    let exemplars = histogram["exemplars"].as_array().cloned().unwrap_or_default();
    ensure(!exemplars.is_empty(), "an exemplar", histogram)?;
    for exemplar in &exemplars {
        let (trace, span) =
            (exemplar[0].as_str().unwrap_or_default(), exemplar[1].as_str().unwrap_or_default());
        ensure(
            exported.ids.iter().any(|id| id == trace),
            "an exemplar's trace is one of the calls",
            exemplar,
        )?;
        ensure(span.len() == 16, "an exemplar has a span", exemplar)?;
    }
    lines_are_whole(&exported)
}

fn lines_are_whole(exported: &Exported) -> Outcome {
    for id in &exported.ids {
        let is_it = |record: &&Value| record["trace_id"] == id.as_str() && record["body"] == "done";
        let done: Vec<_> = exported.records.iter().filter(is_it).collect();
        equal(&format!("lines `done` of {id}"), done.len(), 1)
            .map_err(|stop| stop.at(&format!("{:?}", exported.records)))?;
        equal("severity", &done[0]["severity"], &json!([9, "info"]))?;
        equal("capability", &done[0]["values"]["hearthnet.capability"], &json!("experimental.echo"))?;
        equal("type of ms", &done[0]["types"]["hearthnet.ms"], &json!("double_value"))?;
        equal("type of spans", &done[0]["types"]["hearthnet.spans"], &json!("int_value"))?;
        equal("service.instance.id", &done[0]["resource"]["service.instance.id"], &json!(exported.instance))?;
    }
    Ok(())
}

/// With `otlp_temporality = "delta"` the points of all exports together are the calls.
pub(super) fn delta(lab: &Lab) -> Outcome {
    let exported = export(lab, "delta")?;
    let of_calls: Vec<_> = exported.points.iter().filter(|point| is_of_calls(point)).collect();
    ensure(of_calls.len() > 1, "more than one export with calls", &of_calls)?;
    let mut calls = 0.0;
    for point in of_calls {
        equal("temporality", &point["temporality"], &json!(1))?;
        has_an_interval(point)?;
        calls += point["value"].as_f64().unwrap_or_default();
    }
    equal("calls", calls, CALLS as f64)?;
    equal("temporality", &exported.of_echo("hearthnet_request_duration_seconds")?["temporality"], &json!(1))
}

fn has_an_interval(point: &Value) -> Outcome {
    let (start, time) =
        (point["start"].as_u64().unwrap_or_default(), point["time"].as_u64().unwrap_or_default());
    ensure(0 < start && start < time, "a start before the time of the point", point)
}
