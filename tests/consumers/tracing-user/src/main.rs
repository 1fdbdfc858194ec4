//! A program on `obs-facade` that uses libraries which speak `tracing`: hyper's HTTP/2, tower-http's `TraceLayer`, and SQLite.
//!
//! It answers one call over a socket and compares lines and trace with it. It ends with exit code 0 when they agree.

mod database;
mod exchange;

use std::error::Error;
use std::path::Path;

use obs_facade::{ObservabilityConfig, trace};
use serde_json::Value;

const LOG_LEVEL: &str = "info,h2=debug,tower_http=debug,sqlite=debug";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("tracing-user-{}", std::process::id()));
    let outcome = run(&dir);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn run(log_dir: &Path) -> Result<(), Failure> {
    let guard = obs_facade::configure(&ObservabilityConfig::new(log_dir).log_level(LOG_LEVEL))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(exchange::run())?;
    drop((runtime, guard));
    check("the answer", answer == "3", &answer)?;
    let lines = lines(log_dir)?;
    check_lines(&lines)?;
    check_trace()
}

/// The lines of the call have its trace. Those of the connection have none, because it outlives the call.
fn check_lines(lines: &[Value]) -> Result<(), Failure> {
    let done = single(lines, "hearthnet.trace", "done")?;
    for (logger, message) in [
        ("tower_http.trace.on_request", "started processing request"),
        ("sqlite", "statement"),
        ("tracing_user.database", "counted"),
        ("tower_http.trace.on_response", "finished processing request"),
    ] {
        let line = single(lines, logger, message)?;
        check(message, line["trace_id"] == done["trace_id"], line)?;
    }
    let statement = single(lines, "sqlite", "statement")?;
    check("a field", statement["sql"] == "SELECT count(*) FROM peer", statement)?;
    check("the level", statement["level"] == "debug", statement)?;
    let answered = single(lines, "tower_http.trace.on_response", "finished processing request")?;
    check("a number", answered["status"] == 200, answered)?;
    let of_h2 = lines
        .iter()
        .filter(|line| line["logger"].as_str().is_some_and(|logger| logger.starts_with("h2.")))
        .count();
    check("lines of h2", of_h2 > 0, lines)?;
    let quiet = lines.iter().filter(|line| line["level"] == "trace").count();
    check("no line below the level", quiet == 0, lines)
}

/// The call is one trace, with the span of tower-http and, in it, that of the query.
fn check_trace() -> Result<(), Failure> {
    let traces = trace::get_recent(10);
    check("one trace", traces.len() == 1, &traces)?;
    let spans = traces[0].spans();
    let names: Vec<_> = spans.iter().map(|span| span.name().to_owned()).collect();
    check("the spans", names == ["request", "count_peers"], &spans)?;
    check("the parent", spans[1].parent() == Some(0), spans)
}

fn single<'a>(lines: &'a [Value], logger: &str, message: &str) -> Result<&'a Value, Failure> {
    let mut found = lines.iter().filter(|line| line["logger"] == logger && line["msg"] == message);
    match (found.next(), found.next()) {
        (Some(line), None) => Ok(line),
        _ => Err(format!("expected one line `{message}` of {logger}, in {lines:#?}").into()),
    }
}

fn check(what: &str, is_right: bool, found: impl std::fmt::Debug) -> Result<(), Failure> {
    if is_right { Ok(()) } else { Err(format!("{what} is wrong: {found:#?}").into()) }
}

fn lines(log_dir: &Path) -> Result<Vec<Value>, Failure> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(log_dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = std::fs::read_to_string(path)?;
            lines.extend(text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(lines)
}
