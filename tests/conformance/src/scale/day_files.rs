//! The queries of `docs/operate/duckdb`, over the day files of 50 nodes.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, oracle, process};

const NODES: usize = 50;
const DAY: &str = "2026-05-26";
/// Trace that all nodes take part in. Its first ten letters are 12:00 of the day.
const TRACE: &str = "01KSJ2FWG0ABCDEFGHJKMNPQRS";
/// Variable with the size of each node's file in MB, for a measurement by hand.
const SIZE: &str = "HEARTHNET_DAY_FILE_MB";
/// Time that a query may take over files of that size, in seconds.
const MOST_SECONDS: f64 = 5.0;
const LIMIT: Duration = Duration::from_secs(120);

/// Each query has its known answer, over plain and compressed files with lines that are not whole. The lines of a node keep
/// to the schema.
pub(super) fn answer(lab: &Lab) -> Outcome {
    if !oracle::runs(Command::new("python3").args(["-c", "import duckdb"])) {
        return Err(lab.oracle_missing("Python's duckdb"));
    }
    let folder = tempfile::Builder::new().prefix("hearthnet-days-").tempdir()?;
    let megabytes = std::env::var(SIZE).ok().map(|size| size.parse::<usize>()).transpose()?;
    write_nodes(folder.path(), megabytes)?;
    let queries = Queries { lab, logs: folder.path(), is_measured: megabytes.is_some() };

    let slowest = queries.ask("slowest_capability.sql", &[&format!("day={DAY}")])?;
    let expected = json!({ "capability": "llm.chat", "calls": 50, "not_ok": 0, "median_ms": 1024.5, "p99_ms": 1048.51,
        "max_ms": 1049.0, "slowest_trace": TRACE, "on_node": "node-49" });
    equal("the slowest capability", slowest.first(), Some(&expected))?;
    let second = slowest.get(1).map(|row| (&row["capability"], &row["calls"], &row["not_ok"]));
    equal("the second", second, Some((&json!("rag.query"), &json!(65), &json!(15))))?;

    let causes = queries.ask("errors_by_cause.sql", &[&format!("day={DAY}")])?;
    let causes: Vec<_> =
        causes.iter().map(|row| json!([row["code"], row["cause"], row["calls"], row["nodes"]])).collect();
    let expected = [
        json!(["timeout", "no answer within 30 s", 50, 10]),
        json!(["partition", "connection refused", 5, 5]),
    ];
    equal("the causes", causes, expected)?;

    // The day is in the trace ID.
    let lines = queries.ask("trace.sql", &[&format!("trace={TRACE}")])?;
    let nodes: Vec<_> = lines.iter().map(|row| row["node"].as_str().unwrap_or_default().to_owned()).collect();
    let in_order: Vec<_> = (0..NODES).map(|number| format!("node-{number:02}")).collect();
    equal("the nodes of the trace, in the order of time", nodes, in_order)?;
    of_a_node(lab)
}

struct Queries<'a> {
    lab: &'a Lab,
    logs: &'a Path,
    is_measured: bool,
}

impl Queries<'_> {
    /// Returns the rows of the query's answer.
    fn ask(&self, file: &str, variables: &[&str]) -> Outcome<Vec<Value>> {
        let folder = self.lab.root().join("docs/operate/duckdb");
        let mut command = Command::new("python3");
        command.current_dir(&folder).args(["query.py", file, "--json"]);
        command.arg(format!("logs={}", self.logs.display())).args(variables);
        let ran = process::run(&mut command, b"", LIMIT)?.exits(0)?;
        if self.is_measured {
            say(&format!("{file}: {}, of at most {MOST_SECONDS} s", ran.stderr.trim()));
            let took = ran.stderr.split_once(" rows in ").and_then(|(_, rest)| rest.split_once(" s,"));
            let seconds = took.and_then(|(seconds, _)| seconds.parse::<f64>().ok());
            ensure(seconds.is_some_and(|took| took <= MOST_SECONDS), "at most 5 s", (file, &ran.stderr))?;
        }
        Ok(serde_json::from_str(&ran.stdout)?)
    }
}

/// Shows a figure of a measurement by hand.
#[expect(clippy::print_stderr, reason = "the report on stdout has no figures")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn write_nodes(folder: &Path, megabytes: Option<usize>) -> Outcome {
    for number in 0..NODES {
        let node = folder.join(format!("node-{number:02}"));
        std::fs::create_dir(&node)?;
        let mut text = lines_of(number).into_bytes();
        if let Some(megabytes) = megabytes {
            pad(&mut text, megabytes * 1_000_000);
        }
        // The last lines of a node that lost its power, and of another program.
        text.extend_from_slice(b"{\"ts\":\"2026-05-26T23:59:59.000Z\",\"msg\":\"call failed\",\"code\":\n");
        text.extend_from_slice(
            b"{\"logger\":\"hearthnet.trace\",\"msg\":\"done\",\"capability\":\"llm.chat\",\"ms\":9e9\n",
        );
        // A line that has another one in a field.
        text.extend_from_slice(
            b"{\"msg\":\"seen\",\"capability\":\"llm.chat\",\"ms\":9e9,\"line\":{\"msg\":\"done\",\"status\":\"ok\"}}\n",
        );
        text.extend_from_slice(
            b"\xff\xfe \"msg\":\"done\" \"msg\":\"call failed\" 01KSJ2FWG0ABCDEFGHJKMNPQRS\n",
        );
        // Every other node compresses. Files for a measurement are plain.
        if !number.is_multiple_of(2) && megabytes.is_none() {
            let file = std::fs::File::create(node.join(format!("{DAY}.log.gz")))?;
            let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            file.write_all(&text)?;
            file.finish()?;
        } else {
            std::fs::write(node.join(format!("{DAY}.log")), text)?;
        }
        // Another day, which no answer may have.
        std::fs::write(
            node.join("2026-05-27.log"),
            done("slow.one", 9e9, "ok", TRACE, "2026-05-27T00:00:00.000Z"),
        )?;
    }
    Ok(())
}

fn lines_of(number: usize) -> String {
    let at = format!("{DAY}T12:00:00.{number:03}Z");
    let other = format!("01KSJ2FWG1{number:016}");
    let mut lines = done("llm.chat", 1000.0 + number as f64, "ok", TRACE, &at);
    lines += &done("rag.query", 10.0, "ok", &other, &at);
    let mut fails = |code: &str, cause: &str, suppressed: u64| {
        lines += &done("rag.query", 20.0, code, &other, &at);
        let mut line = json!({ "ts": at, "level": "warning", "logger": "hearthnet.node", "msg": "call failed",
            "trace_id": other, "capability": "rag.query", "code": code, "target": "this node", "cause": cause, "advice": "a" });
        if suppressed > 0 {
            line["suppressed"] = json!(suppressed);
        }
        lines += &in_order(&line);
    };
    if number.is_multiple_of(5) {
        fails("timeout", "no answer within 30 s", 4);
    }
    if number % 10 == 1 {
        fails("partition", "connection refused", 0);
    }
    lines
}

fn done(capability: &str, ms: f64, status: &str, trace: &str, at: &str) -> String {
    in_order(
        &json!({ "ts": at, "level": "info", "logger": "hearthnet.trace", "msg": "done", "trace_id": trace,
        "capability": capability, "status": status, "ms": ms, "spans": 0 }),
    )
}

/// Returns the object as a line of a node, which begins with the time, the level, the logger and the message.
fn in_order(line: &Value) -> String {
    let first = ["ts", "level", "logger", "msg"];
    let rest = line.as_object().into_iter().flatten().filter(|(name, _)| !first.contains(&name.as_str()));
    let fields = first.into_iter().map(|name| (name, &line[name]));
    let fields = fields.chain(rest.map(|(name, value)| (name.as_str(), value)));
    let fields: Vec<_> = fields.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}\n", fields.join(","))
}

/// Adds lines of good calls up to this size, as a busy node writes them.
fn pad(text: &mut Vec<u8>, bytes: usize) {
    let id = "ed25519:396cVjwkILgAv4Vo8WOtvDnZMr2K5HUtsf5f1Xa7iUs";
    let mut number = 0_u64;
    while text.len() < bytes {
        number += 1;
        let trace = format!("01KSJ2FWG2{number:016}");
        let at =
            format!("{DAY}T{:02}:{:02}:{:02}.{:03}Z", number % 24, number % 60, number % 59, number % 1000);
        let routed = json!({ "ts": at, "level": "info", "logger": "hearthnet.node", "msg": "routed", "trace_id": trace,
            "from": id, "from_verified": true, "address": "127.0.0.1", "capability": "experimental.echo", "to": id,
            "local": true, "bytes_in": 22 });
        text.extend_from_slice(in_order(&routed).as_bytes());
        let ms = (number % 1000) as f64 / 100.0;
        text.extend_from_slice(done("experimental.echo", ms, "ok", &trace, &at).as_bytes());
    }
}

/// A node's own lines keep to the schema, and the queries read them.
fn of_a_node(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    for input in [json!({ "text": "a" }), json!({ "fail": "timeout" })] {
        let body = json!({ "params": {}, "input": input }).to_string();
        node.client().call("experimental.echo", body.as_bytes(), &[])?;
    }
    let home = node.stop()?;
    let schema = lab.root().join("docs/operate/duckdb/line.schema.json");
    let mut schemas = boon::Schemas::new();
    let schema = boon::Compiler::new()
        .compile(&schema.to_string_lossy(), &mut schemas)
        .map_err(|error| failed("a schema", error.to_string()))?;
    let lines = home.log_lines()?;
    for line in &lines {
        let value: Value = line.members.iter().cloned().collect::<serde_json::Map<_, _>>().into();
        schemas.validate(&value, schema).map_err(|error| failed(error.to_string(), value.to_string()))?;
    }
    ensure(lines.len() >= 4, "lines of the node", lines.len())?;
    let queries = Queries { lab, logs: &home.path().join("state/hearthnet"), is_measured: false };
    let day =
        home.day_files()?.last().and_then(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
    let day = format!("day={}", day.ok_or_else(|| failed("a day file", "none"))?);
    let slowest = queries.ask("slowest_capability.sql", &[&day])?;
    let counts = slowest.first().map(|row| (&row["capability"], &row["calls"], &row["not_ok"]));
    equal("the calls of the node", counts, Some((&json!("experimental.echo"), &json!(2), &json!(1))))?;
    let causes = queries.ask("errors_by_cause.sql", &[&day])?;
    equal("its causes", causes.first().map(|row| &row["cause"]), Some(&json!("as asked for")))
}
