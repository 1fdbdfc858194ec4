//! `hearthnet log level`: shows and changes the levels of the running node.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Local};
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::output::{not_written, print, safe_line};
use crate::cli::visible::visible_json;
use crate::failure::Failure;
use crate::levels::change::{Change, DEFAULT_PERIOD};
use crate::levels::period;

/// Shows the log levels of the running node, or changes them for a time.
///
/// A change is applied at once and ends by itself. There is one change at a time: a new one replaces it. The node returns to
/// the levels of its configuration afterwards, also after a reload in between, and a restart ends the change. Only the user
/// of the node and root may change them.
#[derive(Args, Debug)]
#[command(after_help = "Example: hearthnet log level hearthnet.bus=debug --for 10m")]
pub(crate) struct LevelArgs {
    /// Levels, as in `debug` or `hearthnet.bus=debug,hyper=off`. Loggers that are not named keep their levels [default: show
    /// the levels in force].
    #[arg(value_name = "LEVELS")]
    levels: Option<String>,
    /// Time of the change, from 1s to 24h, as in `90s`, `10m` or `1h30m` [default: 1h].
    #[arg(long = "for", value_name = "TIME", requires = "levels", value_parser = parse_period)]
    period: Option<Duration>,
    /// Return to the levels of the configuration now.
    #[arg(long, conflicts_with_all = ["levels", "period"])]
    reset: bool,
    /// Print the JSON of the node.
    #[arg(long)]
    json: bool,
}

fn parse_period(text: &str) -> Result<Duration, String> {
    period::parse(text)
        .ok_or_else(|| "expected hours, minutes and seconds, as in 90s, 10m or 1h30m".to_owned())
}

/// Bounds of the answer. It has the levels twice.
const ANSWER: Bounds = Bounds { time: Duration::from_secs(5), bytes: 64 << 10 };

/// Runs the command against the node of this machine at `address`.
pub(crate) fn run(args: &LevelArgs, address: SocketAddr) -> Result<ExitCode, Failure> {
    let wish = match (&args.levels, args.reset) {
        (Some(levels), _) => {
            let period = args.period.unwrap_or(DEFAULT_PERIOD);
            // Refused here already, so that a mistake is found without a node.
            Change::new(levels, period).map_err(|refusal| Failure::usage(refusal.to_string()))?;
            Some(json!({ "level": levels, "for_seconds": period.as_secs() }))
        }
        (None, true) => Some(json!({ "reset": true })),
        (None, false) => None,
    };
    let (text, levels) = send(&NodeUrl::of(address), wish.as_ref())?;
    let shown = if args.json { shown_json(text) } else { safe_line(sentence(&levels)) };
    print(&shown).map_err(|error| not_written(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the JSON for the terminal or for a program.
fn shown_json(mut text: String) -> String {
    if io::stdout().is_terminal() {
        text = visible_json(&text);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Sends the wish, or asks for the levels, and returns the answer as text and as JSON.
fn send(node: &NodeUrl, wish: Option<&Value>) -> Result<(String, Value), Failure> {
    let url = node.route("/log/level", &[]);
    let method = if wish.is_some() { Method::PUT } else { Method::GET };
    let (status, body) = ask::send(node, (method, url), wish, ANSWER)?;
    let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
    match status {
        StatusCode::OK if parsed["in_force"].is_string() => Ok((body, parsed)),
        StatusCode::OK => Err(ask::another_server(node)),
        StatusCode::NOT_FOUND if parsed["error"].is_null() => Err(ask::another_server(node)),
        StatusCode::NOT_FOUND => {
            let why = "it runs on another machine, or is an older version";
            let fix = "run this command there, or update the node";
            Err(Failure::error(format!("the node on {node} does not offer this: {why}; {fix}")))
        }
        StatusCode::BAD_REQUEST => Err(Failure::usage(ask::refusal(&body))),
        status => Err(Failure::error(format!(
            "the node on {node} answered {}: {}",
            status.as_u16(),
            ask::refusal(&body)
        ))),
    }
}

/// Returns the levels in words.
fn sentence(levels: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (in_force, configured) = (text(&levels["in_force"]), text(&levels["configured"]));
    let change = &levels["change"];
    let Some(seconds) = change["seconds_left"].as_u64() else {
        return format!("{in_force}, as configured");
    };
    let until = change["until"].as_str().and_then(|until| DateTime::parse_from_rfc3339(until).ok());
    let until = until.map(|until| until.with_timezone(&Local).format(" (until %H:%M:%S %:z)").to_string());
    let left = period::render(Duration::from_secs(seconds));
    format!("{in_force} for {left}{}, then {configured}", until.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_is_in_force_and_what_comes_then() {
        let levels = json!({ "configured": "info", "in_force": "info", "change": null });
        assert_eq!(sentence(&levels), "info, as configured");
        let change = json!({ "levels": "debug", "until": "2026-05-26T08:14:22Z", "seconds_left": 600 });
        let text = sentence(&json!({ "configured": "info", "in_force": "debug", "change": change }));
        assert!(text.starts_with("debug for 10m (until ") && text.ends_with("), then info"), "{text}");
    }
}
