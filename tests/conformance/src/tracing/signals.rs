//! Metrics and lines of the log at a collector: as OpenTelemetry's own messages read them, and as a real collector does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use ulid::Ulid;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::bodies::Bodies;
use crate::harness::exposition::{Format, Page};
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::rotel::{Item, Rotel};
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
    let collector = Bodies::start()?;
    let called = Called::start(Home::initialised(lab)?, collector.address(), temporality, || {
        counted(lab, &collector)
    })?;
    let (instance, ids) = (called.instance.clone(), called.ids.clone());
    called.node.stop()?;
    let (mut points, mut records) = (Vec::new(), Vec::new());
    for body in collector.kept_at("/v1/metrics") {
        points.extend(oracle::opentelemetry_points(lab, &body)?);
    }
    for body in collector.kept_at("/v1/logs") {
        records.extend(oracle::opentelemetry_records(lab, &body)?);
    }
    Ok(Exported { points, records, instance, ids, all_gzipped: collector.all_gzipped() })
}

/// Node that exports all signals and was called.
struct Called {
    node: Node,
    instance: String,
    /// Trace IDs of the calls in hexadecimal.
    ids: Vec<String>,
}

impl Called {
    /// Starts a node and calls it. `counted` tells whether the collector has counted a call.
    fn start(home: Home, collector: &str, temporality: &str, counted: impl FnMut() -> bool) -> Outcome<Self> {
        let mut counted = counted;
        home.configure("observability", "otlp_endpoint", collector)?;
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
                let came = wait::until(Duration::from_secs(10), &mut counted);
                ensure(came, "the first call is exported within 10 s", came)?;
            }
        }
        let health = client.get("/health")?.is(200)?.json()?;
        let instance = health["node_id"].as_str().unwrap_or_default().to_owned();
        Ok(Self { node, instance, ids })
    }
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

/// Name of the counter of calls, and of the histogram of their times.
const REQUESTS: &str = "hearthnet_requests_total";
const DURATION: &str = "hearthnet_request_duration_seconds";

/// Data points and lines of a node that a real collector has decoded.
struct Collected {
    /// Metrics page shortly before the last export.
    page: Page,
    points: Vec<Item>,
    records: Vec<Item>,
    instance: String,
    ids: Vec<String>,
}

fn collect(lab: &Lab, temporality: &str) -> Outcome<Collected> {
    let home = Home::initialised(lab)?;
    let rotel = Rotel::start(lab, &home)?;
    let counted =
        || rotel.points().iter().any(|point| is_of_echo(point, REQUESTS) && point.number("Value") > 0.0);
    let called = Called::start(home, rotel.address(), temporality, counted)?;
    let page = called.node.client().get("/metrics")?.is(200)?.text();
    let page = Page::parse(&page, Format::Text).map_err(|fault| failed("a well-formed page", fault))?;
    let Called { node, instance, ids } = called;
    node.stop()?;
    // The collector prints a batch after it has answered.
    wait::until(Duration::from_secs(10), || {
        let done = rotel.records().iter().filter(|record| record.value("Body") == "Str(done)").count();
        let last = rotel.points().iter().rfind(|point| is_of_echo(point, DURATION)).cloned();
        done >= CALLS
            && last.is_some_and(|last| temporality == "delta" || last.number("Count") >= CALLS as f64)
    });
    Ok(Collected { page, points: rotel.points(), records: rotel.records(), instance, ids })
}

fn is_of_echo(point: &Item, name: &str) -> bool {
    point.value("Name") == name && point.attribute("capability") == "Str(experimental.echo)"
}

/// A real collector decodes every family of the page, native histograms with exemplars, and lines with their types.
pub(super) fn at_a_real_collector(lab: &Lab) -> Outcome {
    let collected = collect(lab, "cumulative")?;
    let last = |name: &str| {
        let found = collected.points.iter().rfind(|point| is_of_echo(point, name));
        found
            .ok_or_else(|| failed(format!("a point of {name}"), format!("{} points", collected.points.len())))
    };
    let kinds: BTreeMap<_, _> =
        collected.points.iter().map(|point| (point.value("Name"), point.value("DataType"))).collect();
    for family in collected.page.families.iter().filter(|family| !family.samples.is_empty()) {
        let wanted = match family.kind.as_str() {
            "counter" => ["Sum", "Sum"],
            "histogram" => ["ExponentialHistogram", "Histogram"],
            "summary" => ["Summary", "Summary"],
            _ => ["Gauge", "Gauge"],
        };
        let kind = kinds.get(family.name.as_str()).copied();
        ensure(
            kind.is_some_and(|kind| wanted.contains(&kind)),
            &format!("{} as {wanted:?}", family.name),
            kind,
        )?;
    }

    let sum = last(REQUESTS)?;
    equal("calls", sum.number("Value"), CALLS as f64)?;
    equal("IsMonotonic", sum.value("IsMonotonic"), "true")?;
    let histogram = last(DURATION)?;
    equal("kind", histogram.value("DataType"), "ExponentialHistogram")?;
    equal("observations", histogram.number("Count"), CALLS as f64)?;
    equal("sum of the buckets", histogram.in_buckets(), CALLS as u64)?;
    ensure(!histogram.exemplars().is_empty(), "an exemplar", histogram)?;
    for (trace, span) in histogram.exemplars() {
        ensure(collected.ids.contains(trace) && span.len() == 16, "an exemplar of a call", (trace, span))?;
    }
    for point in [sum, histogram] {
        equal("temporality", point.value("AggregationTemporality"), "AGGREGATION_TEMPORALITY_CUMULATIVE")?;
        is_of_this_node(point, &collected.instance)?;
        let (start, time) = (point.number("StartTimestamp"), point.number("Timestamp"));
        ensure(0.0 < start && start < time, "a start before the time of the point", point)?;
    }
    collected.lines_are_whole()
}

fn is_of_this_node(item: &Item, instance: &str) -> Outcome {
    equal("service.name", item.resource("service.name"), "Str(hearthnet)")?;
    equal("service.instance.id", item.resource("service.instance.id"), &*format!("Str({instance})"))
}

impl Collected {
    fn lines_are_whole(&self) -> Outcome {
        for id in &self.ids {
            let is_it =
                |record: &&Item| record.value("Trace ID") == id && record.value("Body") == "Str(done)";
            let done: Vec<_> = self.records.iter().filter(is_it).collect();
            equal(&format!("lines `done` of {id}"), done.len(), 1)
                .map_err(|stop| stop.at(&format!("{:?}", self.records)))?;
            let done = done[0];
            equal("severity", done.value("SeverityText"), "info")?;
            equal("severity number", done.value("SeverityNumber"), "SEVERITY_NUMBER_INFO(9)")?;
            equal("capability", done.attribute("hearthnet.capability"), "Str(experimental.echo)")?;
            for (name, kind) in [("hearthnet.ms", "Double("), ("hearthnet.spans", "Int(")] {
                ensure(done.attribute(name).starts_with(kind), &format!("{name} as {kind}…)"), done)?;
            }
            is_of_this_node(done, &self.instance)?;
        }
        Ok(())
    }
}

/// With `otlp_temporality = "delta"` the points that a real collector decodes are the calls together.
pub(super) fn delta_at_a_real_collector(lab: &Lab) -> Outcome {
    let collected = collect(lab, "delta")?;
    for (name, value) in [(REQUESTS, "Value"), (DURATION, "Count")] {
        let points: Vec<_> = collected.points.iter().filter(|point| is_of_echo(point, name)).collect();
        ensure(points.len() > 1, &format!("more than one export of {name}"), points.len())?;
        for point in &points {
            equal("temporality", point.value("AggregationTemporality"), "AGGREGATION_TEMPORALITY_DELTA")?;
        }
        equal(name, points.iter().map(|point| point.number(value)).sum::<f64>(), CALLS as f64)?;
    }
    collected.lines_are_whole()
}
