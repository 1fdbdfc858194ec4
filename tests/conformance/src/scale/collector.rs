//! The collector of `collect/rotel.env`, between a node and a server that keeps traces.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::chains;
use super::servers::free_address;
use super::webhook::Webhook;
use crate::case::{Outcome, ensure, failed};
use crate::harness::children::Kept;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::{Lab, oracle, wait};

const LIMIT: Duration = Duration::from_secs(45);

/// A trace of a node reaches the server behind the collector.
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
    let node = Node::start(home)?;
    let id = ulid::Ulid::generate().to_string();
    let body = json!({ "params": {}, "input": { "text": "hello" } }).to_string();
    node.client().call("experimental.echo", body.as_bytes(), &[(REQUEST_ID, &id)])?.is(200)?;

    let mut seen = Vec::new();
    let mut read = 0;
    let came = wait::until(LIMIT, || {
        let exports = server.exports("/v1/traces");
        for body in exports.iter().skip(std::mem::replace(&mut read, exports.len())) {
            seen.extend(oracle::opentelemetry_spans(lab, body).unwrap_or_default());
        }
        seen.iter().any(|span| span["attributes"]["hearthnet.trace_id"] == id.as_str())
    });
    match came {
        true => Ok(()),
        false => Err(failed(format!("the trace {id} behind the collector"), format!("{seen:?}\n{}", said()))),
    }
}
