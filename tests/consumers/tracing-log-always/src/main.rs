//! A program in whose build `tracing` also makes `log` records of its events and spans. Each event is one line all the same.
//!
//! It runs itself once for each set-up, because a process has one logger and one dispatcher. It ends with exit code 0 when the
//! lines are right.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use obs_log::Config;
use tracing::{Level, Span, event, info, info_span, span, trace, warn};

/// Set-ups of the process.
const SETUPS: [&str; 4] = ["alone", "log-tracer", "without-bridge", "turned-off"];

/// Targets of all that this program says.
const LOG_LEVEL: &str = "info,loud=trace";

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(setup) = std::env::args().nth(1) {
        let dir = std::env::temp_dir().join(format!("tracing-log-always-{}", std::process::id()));
        let outcome = run(&setup, &dir);
        std::fs::remove_dir_all(&dir)?;
        return outcome;
    }
    for setup in SETUPS {
        let status = Command::new(std::env::current_exe()?).arg(setup).status()?;
        if !status.success() {
            return Err(format!("{setup}: {status}").into());
        }
    }
    Ok(())
}

fn run(setup: &str, dir: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::new(dir).level(LOG_LEVEL);
    let bridge = obs_tracing::Config::new();
    let _guard = match setup {
        "alone" => {
            obs_tracing::configure(&bridge)?;
            obs_log::configure(&config)?
        }
        // Records of the `log` crate are events first, and `tracing` makes records of events.
        "log-tracer" => {
            tracing_log::LogTracer::init()?;
            obs_tracing::configure(&bridge)?;
            obs_log::configure(&config.install_logger(false))?
        }
        "without-bridge" => obs_log::configure(&config)?,
        "turned-off" => {
            obs_tracing::configure(&bridge)?;
            let guard = obs_log::configure(&config)?;
            obs_tracing::configure(&bridge.enabled(false))?;
            guard
        }
        other => return Err(format!("no such set-up: {other}").into()),
    };
    say();
    log::info!(target: "by_log", "a record");
    if !obs_log::flush(Duration::from_secs(20)) {
        return Err("the writer is stuck".into());
    }
    let mut found = messages(dir)?;
    if !["alone", "log-tracer"].contains(&setup) {
        // `tracing` makes records of what happens to spans, such as `++ work; id=7`. Only the bridge tells of spans otherwise.
        found.retain(|message| !message.contains(';'));
    }
    let expected = expected(setup);
    if found == expected {
        Ok(())
    } else {
        Err(format!("{setup}: {found:#?}, expected {expected:#?}").into())
    }
}

/// Says something in each form of the macros, some of it twice from one callsite.
fn say() {
    for _ in 0..2 {
        info!(n = 1, "plain");
    }
    warn!(target: "loud", "with a target");
    event!(name: "a name", target: "loud", Level::TRACE, n = 1);
    let span = info_span!("work", id = 7, late = tracing::field::Empty);
    info!(parent: &span, "with a parent");
    info!(target: "loud", parent: &Span::none(), "without a parent");
    span.in_scope(|| {
        info!("inside");
        trace!("too quiet");
        trace!(target: "loud", "loud enough");
    });
    span.record("late", 1);
    let twin = span.clone();
    drop(span);
    twin.in_scope(|| ());
    drop(span!(target: "loud", Level::TRACE, "without fields").entered());
}

/// Returns the messages of the lines. Without the bridge they have the form that `tracing` gives its records.
fn expected(setup: &str) -> Vec<&'static str> {
    match setup {
        "alone" | "log-tracer" => vec![
            "plain",
            "plain",
            "with a target",
            "a name",
            "with a parent",
            "without a parent",
            "inside",
            "loud enough",
            "a record",
        ],
        _ => vec![
            "plain n=1",
            "plain n=1",
            "with a target",
            "n=1",
            "with a parent",
            "without a parent",
            "inside",
            "loud enough",
            "a record",
        ],
    }
}

/// Returns the messages of the day file, in its order.
fn messages(dir: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        for line in std::fs::read_to_string(path)?.lines() {
            let (_, rest) = line.split_once("\"msg\":\"").ok_or("a line without a message")?;
            let message = rest.split('"').next().unwrap_or_default();
            messages.push(message.to_owned());
        }
    }
    Ok(messages)
}
