//! `hearthnet status`: the state of the running node on one screen.

mod document;
pub(crate) mod figures;
mod screen;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Local;
use clap::Args;
use obs_facade::doctor::render::{ColorChoice, TextStyle};

use self::document::Document;
use super::ask::{self, Bounds};
use super::node_url::{NodeUrl, UrlArg};
use super::output::{not_written, print};
use super::visible::visible_json;
use crate::failure::Failure;
use crate::wire::signing::identity;

/// Shows the state of the running node on one screen: calls, failures and their causes, callers, peers, disk, checks.
#[derive(Args, Debug)]
#[command(after_help = "Example: hearthnet status --json | jq .recent.causes")]
pub(crate) struct StatusArgs {
    /// Print the JSON of the node. docs/status.schema.json describes it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: UrlArg,
}

/// Bounds of an answer.
const BOUNDS: Bounds = Bounds {
    // The node waits half a second for its disk.
    time: Duration::from_secs(5),
    // A node with hundreds of peers stays below it.
    bytes: 16 << 20,
};

/// Runs the command against the node at `local`, or the one that `--url` names.
pub(crate) fn run(args: &StatusArgs, local: SocketAddr) -> Result<ExitCode, Failure> {
    let (document, body) = request(&args.node.node(local))?;
    let shown = match args.json {
        true => visible_json(&body),
        false => {
            let style = TextStyle::for_stdout(ColorChoice::Auto);
            screen::render(&document, &style, style.width.map(|_| rows()), Local::now())
        }
    };
    print(&shown).map_err(|error| not_written(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the number of lines of the terminal.
fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
    // Some terminals report 0 lines, such as a serial console.
    if size > 0 { size } else { 24 }
}

fn request(node: &NodeUrl) -> Result<(Document, String), Failure> {
    let response =
        ask::get(&node.route("/status", &[]), BOUNDS).map_err(|error| ask::no_answer(node, &error))?;
    let text = String::from_utf8_lossy(&response.body).into_owned();
    match response.status {
        200 => match Document::read(&text) {
            Ok(document) => Ok((document, text)),
            Err(reason) => Err(Failure::error(format!(
                "the server on {node} answered with no status of a node: {reason}; see whether another program has \
                 the port, or whether the node has another version than this command"
            ))),
        },
        404 => Err(hidden_or_absent(node, "status")),
        status => Err(Failure::error(format!("the server on {node} answered {status} to GET /status"))),
    }
}

/// Returns the failure of `command` at a server that has no status for this caller.
pub(crate) fn hidden_or_absent(node: &NodeUrl, command: &str) -> Failure {
    let health = ask::json::<serde_json::Value>(node, &node.route("/health", &[]), BOUNDS);
    match health {
        Ok((health, _)) if health["node_id"].as_str().is_some_and(identity::is_id) => {
            Failure::error(format!(
                "the node on {node} shows its status only to its own machine: run `hearthnet {command}` there"
            ))
        }
        Ok(_) => ask::another_server(node),
        Err(failure) => failure,
    }
}
