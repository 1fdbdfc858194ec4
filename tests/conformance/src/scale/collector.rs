//! The collector of `collect/rotel.env`, between a node and a server that keeps what was collected.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::chains;
use super::servers::free_address;
use super::webhook::Webhook;
use crate::case::{Outcome, ensure, failed};
use crate::harness::children::Kept;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::{Lab, oracle, wait};

const LIMIT: Duration = Duration::from_secs(45);

/// Traces, metrics and lines of a node reach the server behind the collector.
pub(super) fn takes_the_export(lab: &Lab) -> Outcome {
    oracle::opentelemetry_proto_is_there(lab)?;
    let program = oracle::rotel(lab)?;
    let server = Webhook::start()?;
    let (http, grpc) = (free_address(), free_address());
    let folder = tempfile::Builder::new().prefix("rotel-").tempdir()?;
    let mut command = Command::new(program);
    command.arg("start").env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.current_dir(folder.path()).args(["--pid-file", "rotel.pid", "--log-file", "rotel.log"]);
    let settings = std::fs::read_to_string(lab.root().join("docs/operate/collect/rotel.env"))?;
    for (name, value) in
        settings.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='))
    {
        let value = value.replace("127.0.0.1:4318", &http).replace("127.0.0.1:4317", &grpc);
        command.env(name, value.replace("127.0.0.1:14318", server.address()));
    }
    let log = folder.path().join("output");
    let output = std::fs::File::create(&log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let _rotel = Kept::spawn(&mut command)?;
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    ensure(wait::until(LIMIT, || TcpStream::connect(&http).is_ok()), "rotel listens", said())?;

    let home = chains::home(lab, "ada")?;
    home.configure("observability", "otlp_endpoint", format!("http://{http}"))?;
    home.configure("observability", "otlp_metrics", true)?;
    home.configure("observability", "otlp_metrics_interval_seconds", 1)?;
    home.configure("observability", "otlp_logs", true)?;
    let node = Node::start(home)?;
    let id = ulid::Ulid::generate().to_string();
    let body = json!({ "params": {}, "input": { "text": "hello" } }).to_string();
    node.client().call("experimental.echo", body.as_bytes(), &[(REQUEST_ID, &id)])?.is(200)?;

    let trace = |span: &Value| span["attributes"]["hearthnet.trace_id"] == id.as_str();
    let call = |point: &Value| {
        point["name"] == "hearthnet_requests_total"
            && point["attributes"]["capability"] == "experimental.echo"
    };
    let hex = format!("{:032x}", id.parse::<ulid::Ulid>()?.0);
    let line = |record: &Value| record["trace_id"] == hex.as_str() && record["body"] == "done";
    let signals: [Signal<'_>; 3] = [
        ("/v1/traces", oracle::opentelemetry_spans, &trace),
        ("/v1/metrics", oracle::opentelemetry_points, &call),
        ("/v1/logs", oracle::opentelemetry_records, &line),
    ];
    for (path, read, wanted) in signals {
        let (mut seen, mut bodies) = (Vec::new(), 0);
        let came = wait::until(LIMIT, || {
            let exports = server.exports(path);
            for body in exports.iter().skip(std::mem::replace(&mut bodies, exports.len())) {
                seen.extend(read(lab, body).unwrap_or_default());
            }
            seen.iter().any(wanted)
        });
        if !came {
            return Err(failed(
                format!("the call at {path} behind the collector"),
                format!("{seen:?}\n{}", said()),
            ));
        }
    }
    Ok(())
}

/// Path of a signal, the program that reads its bodies, and whether an item is that of the call.
type Signal<'a> = (&'a str, fn(&Lab, &[u8]) -> Outcome<Vec<Value>>, &'a dyn Fn(&Value) -> bool);
