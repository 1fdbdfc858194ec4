//! `configure` of the facade.

use std::path::Path;

use obs_facade::{Logger, ObservabilityConfig, debug, info, metrics, trace};
use tempfile::TempDir;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::log_line::Line;

static LOG: Logger = Logger::new("hearthnet.conformance");

fn lines(dir: &Path) -> Outcome<Vec<Line>> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            for text in std::fs::read_to_string(&path)?.lines() {
                lines.push(Line::parse(text, None).map_err(|fault| failed(fault, text))?);
            }
        }
    }
    Ok(lines)
}

/// `configure` sets up and connects all four crates. An equal configuration changes nothing, another level applies at once, and
/// dropping the last guard flushes.
pub(super) fn configure(_lab: &Lab) -> Outcome {
    let dir = TempDir::new()?;
    let config = ObservabilityConfig::new(dir.path());
    let first = obs_facade::configure(&config)?;
    let again = obs_facade::configure(&config)?;
    debug!(logger: LOG, round = 1; "below the level");
    drop(first);
    let id = trace::TraceId::generate();
    trace::new_trace_with_id(id, "rag.query").run(|| info!(logger: LOG, round = 1; "with a trace"));
    let louder = obs_facade::configure(&config.clone().log_level("info,hearthnet=debug"))?;
    debug!(logger: LOG, round = 2; "at the level");
    drop(again);
    drop(louder);

    let lines = lines(dir.path())?;
    let outline: Vec<_> = lines
        .iter()
        .filter(|line| line.logger().starts_with("hearthnet"))
        .map(|line| (line.msg(), line.trace_id()))
        .collect();
    let id = id.to_string();
    equal(
        "message and trace ID of the lines",
        outline,
        vec![("with a trace", Some(id.as_str())), ("done", Some(&id)), ("at the level", None)],
    )?;
    let page = metrics::render(metrics::Format::Text);
    ensure(
        page.contains("hearthnet_log_") && page.contains("hearthnet_trace"),
        "the log's and the traces' own figures on the page",
        page,
    )?;

    let Err(err) = obs_facade::configure(&ObservabilityConfig::new(dir.path()).log_level("loud")) else {
        return Err(failed("an error for the level \"loud\"", "none"));
    };
    crate::case::contains("the error", &err.to_string(), "loud")
}
