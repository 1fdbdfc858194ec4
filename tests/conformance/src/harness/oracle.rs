//! Outside checkers: third-party programs that read a node's output.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::case::{Outcome, failed};
use crate::harness::Lab;
use crate::harness::exposition::Series;
use crate::harness::process::{self, Ran};

const LIMIT: Duration = Duration::from_secs(30);

/// Runs `promtool check metrics` on a page in the text format.
pub(crate) fn promtool(lab: &Lab, page: &str) -> Outcome<Ran> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !INSTALLED.get_or_init(|| runs(Command::new("promtool").arg("--version"))) {
        return Err(lab.oracle_missing("promtool"));
    }
    process::run(Command::new("promtool").args(["check", "metrics"]), page.as_bytes(), LIMIT)
}

/// Returns the samples that Python's `prometheus_client` reads from a page in the text format.
pub(crate) fn python_text(lab: &Lab, page: &str) -> Outcome<Vec<Series>> {
    python(lab, page, "from prometheus_client.parser import text_string_to_metric_families as parse")
}

/// Returns the samples that Python's `prometheus_client` reads from an OpenMetrics page.
pub(crate) fn python_openmetrics(lab: &Lab, page: &str) -> Outcome<Vec<Series>> {
    python(
        lab,
        page,
        "from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse",
    )
}

/// Python program that prints the samples as JSON. Values are text, because JSON has no NaN.
const PROGRAM: &str = "
import json, sys
page = sys.stdin.buffer.read().decode('utf-8')
samples = [s for family in parse(page) for s in family.samples]
json.dump([[s.name, sorted(s.labels.items()), str(float(s.value))] for s in samples], sys.stdout)
";

fn python(lab: &Lab, page: &str, import: &str) -> Outcome<Vec<Series>> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !INSTALLED.get_or_init(|| runs(Command::new("python3").args(["-c", "import prometheus_client"]))) {
        return Err(lab.oracle_missing("Python's prometheus_client"));
    }
    let program = format!("{import}\n{PROGRAM}");
    let ran = process::run(Command::new("python3").args(["-c", &program]), page.as_bytes(), LIMIT)?;
    if ran.code != Some(0) {
        return Err(failed("Python's prometheus_client reads the page", ran.stderr));
    }
    let samples: Vec<Value> = serde_json::from_str(&ran.stdout)?;
    samples
        .iter()
        .map(|sample| series(sample).ok_or_else(|| failed("a sample", sample.to_string())))
        .collect()
}

fn series(sample: &Value) -> Option<Series> {
    let label = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    Some(Series {
        name: sample[0].as_str()?.to_owned(),
        labels: sample[1].as_array()?.iter().map(label).collect::<Option<_>>()?,
        value: sample[2].as_str()?.parse().ok()?,
    })
}

/// Returns the collector of the Python package `rotel`.
pub(crate) fn rotel(lab: &Lab) -> Outcome<PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let place = "import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";
        let ran = process::run(Command::new("python3").args(["-c", place]), b"", LIMIT).ok()?;
        Some(PathBuf::from(ran.stdout.trim())).filter(|program| ran.code == Some(0) && program.is_file())
    });
    program.clone().ok_or_else(|| lab.oracle_missing("Python's rotel"))
}

/// Skips the case when Python's `opentelemetry-proto` is not installed.
pub(crate) fn opentelemetry_proto_is_there(lab: &Lab) -> Outcome {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    match INSTALLED.get_or_init(|| runs(Command::new("python3").args(["-c", "import opentelemetry.proto"]))) {
        true => Ok(()),
        false => Err(lab.oracle_missing("Python's opentelemetry-proto")),
    }
}

/// Returns the spans that Python's `opentelemetry-proto` reads from the body of an export. An unknown field is a failure.
pub(crate) fn opentelemetry_spans(lab: &Lab, body: &[u8]) -> Outcome<Vec<Value>> {
    opentelemetry_proto_is_there(lab)?;
    let ran = process::run(Command::new("python3").args(["-c", SPANS]), body, LIMIT)?.exits(0)?;
    Ok(serde_json::from_str(&ran.stdout)?)
}

const SPANS: &str = "
import json, sys
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
request = ExportTraceServiceRequest()
request.ParseFromString(sys.stdin.buffer.read())
size = request.ByteSize()
request.DiscardUnknownFields()
assert request.ByteSize() == size, 'fields that are not of OTLP'
def attributes(of):
    return {a.key: getattr(a.value, a.value.WhichOneof('value')) for a in of.attributes}
spans = []
for of_resource in request.resource_spans:
    for of_scope in of_resource.scope_spans:
        for s in of_scope.spans:
            assert len(s.trace_id) == 16 and len(s.span_id) == 8 and len(s.parent_span_id) in (0, 8)
            spans.append({
                'trace_id': s.trace_id.hex(), 'span_id': s.span_id.hex(),
                'parent_span_id': s.parent_span_id.hex(), 'name': s.name, 'kind': s.kind,
                'start': s.start_time_unix_nano, 'end': s.end_time_unix_nano,
                'status': {'code': s.status.code, 'message': s.status.message},
                'attributes': attributes(s), 'resource': attributes(of_resource.resource)})
json.dump(spans, sys.stdout)
";

/// Returns the data points that Python's `opentelemetry-proto` reads from the body of an export of metrics, each with the name,
/// the kind and the temporality of its metric.
pub(crate) fn opentelemetry_points(lab: &Lab, body: &[u8]) -> Outcome<Vec<Value>> {
    opentelemetry_proto_is_there(lab)?;
    let ran = process::run(Command::new("python3").args(["-c", POINTS]), body, LIMIT)?.exits(0)?;
    Ok(serde_json::from_str(&ran.stdout)?)
}

const POINTS: &str = "
import json, sys
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
request = ExportMetricsServiceRequest()
request.ParseFromString(sys.stdin.buffer.read())
size = request.ByteSize()
request.DiscardUnknownFields()
assert request.ByteSize() == size, 'fields that are not of OTLP'
def attributes(of):
    return {a.key: getattr(a.value, a.value.WhichOneof('value')) for a in of}
points = []
for of_resource in request.resource_metrics:
    for of_scope in of_resource.scope_metrics:
        for m in of_scope.metrics:
            kind = m.WhichOneof('data')
            data = getattr(m, kind)
            for p in data.data_points:
                point = {
                    'name': m.name, 'kind': kind, 'temporality': getattr(data, 'aggregation_temporality', 0),
                    'start': p.start_time_unix_nano, 'time': p.time_unix_nano,
                    'attributes': attributes(p.attributes),
                    'resource': attributes(of_resource.resource.attributes),
                    'exemplars': [[e.trace_id.hex(), e.span_id.hex()] for e in getattr(p, 'exemplars', [])]}
                if kind in ('sum', 'gauge'):
                    point['value'] = getattr(p, p.WhichOneof('value'))
                else:
                    point['count'] = p.count
                if kind == 'exponential_histogram':
                    point['buckets'] = p.zero_count + sum(p.positive.bucket_counts) + sum(p.negative.bucket_counts)
                points.append(point)
json.dump(points, sys.stdout)
";

/// Returns the records that Python's `opentelemetry-proto` reads from the body of an export of lines.
pub(crate) fn opentelemetry_records(lab: &Lab, body: &[u8]) -> Outcome<Vec<Value>> {
    opentelemetry_proto_is_there(lab)?;
    let ran = process::run(Command::new("python3").args(["-c", RECORDS]), body, LIMIT)?.exits(0)?;
    Ok(serde_json::from_str(&ran.stdout)?)
}

const RECORDS: &str = "
import json, sys
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
request = ExportLogsServiceRequest()
request.ParseFromString(sys.stdin.buffer.read())
size = request.ByteSize()
request.DiscardUnknownFields()
assert request.ByteSize() == size, 'fields that are not of OTLP'
def typed(of):
    return {a.key: str(a.value.WhichOneof('value')) for a in of}
records = []
for of_resource in request.resource_logs:
    for of_scope in of_resource.scope_logs:
        for r in of_scope.log_records:
            assert len(r.trace_id) in (0, 16) and len(r.span_id) in (0, 8)
            records.append({
                'time': r.time_unix_nano, 'severity': [r.severity_number, r.severity_text],
                'trace_id': r.trace_id.hex(), 'body': r.body.string_value, 'types': typed(r.attributes),
                'values': {a.key: a.value.string_value for a in r.attributes},
                'resource': {a.key: a.value.string_value for a in of_resource.resource.attributes}})
json.dump(records, sys.stdout)
";

pub(crate) fn runs(command: &mut Command) -> bool {
    process::run(command, b"", LIMIT).is_ok_and(|ran| ran.code == Some(0))
}
