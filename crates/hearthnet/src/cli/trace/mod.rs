//! `hearthnet trace`: shows the last requests of the running node.

mod line;
mod recent;
pub(crate) mod text;
mod tree;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use obs_facade::doctor::render::{ColorChoice, TextStyle};
use reqwest::Url;

use self::recent::RecentTraces;
use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::{NodeUrl, UrlArg};
use crate::cli::output::{not_written, print};
use crate::cli::visible::visible_json;
use crate::failure::Failure;

/// Shows the last requests of the running node.
#[derive(Args, Debug)]
pub(crate) struct TraceArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    node: UrlArg,
}

#[derive(Debug, Subcommand)]
enum What {
    Recent(RecentArgs),
}

/// Shows the last completed traces, each with its spans as a tree.
#[derive(Args, Debug)]
struct RecentArgs {
    /// Number of traces. The newest come first.
    #[arg(value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    n: u16,
    /// Show traces of this capability only.
    #[arg(long, value_name = "NAME")]
    capability: Option<String>,
    /// Print the JSON of the node.
    #[arg(long)]
    json: bool,
}

/// Bounds of an answer.
const BOUNDS: Bounds = Bounds {
    // A node under load may take a while to render ten thousand traces.
    time: Duration::from_secs(5),
    // Ten thousand traces of a few kilobytes.
    bytes: 256 << 20,
};

/// Runs the command against the node at `local`, or the one that `--url` names.
pub(crate) fn run(args: &TraceArgs, local: SocketAddr) -> Result<ExitCode, Failure> {
    let What::Recent(recent) = &args.what;
    let node = args.node.node(local);
    let (answer, body) = ask::json::<RecentTraces>(&node, &route(&node, recent), BOUNDS)?;
    let shown = if recent.json { visible_json(&body) } else { show(&answer) };
    print(&shown).map_err(|error| not_written(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &RecentTraces) -> String {
    let now_ms = chrono::Utc::now().timestamp_millis();
    tree::render(&answer.traces, &TextStyle::for_stdout(ColorChoice::Auto), now_ms)
}

fn route(node: &NodeUrl, args: &RecentArgs) -> Url {
    let n = args.n.to_string();
    let mut query = vec![("n", n.as_str())];
    query.extend(args.capability.as_deref().map(|name| ("capability", name)));
    node.route("/trace/recent", &query)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Command, CommandLine};

    fn parse(line: &str) -> Result<TraceArgs, clap::Error> {
        let line = ["hearthnet", "trace"].into_iter().chain(line.split_whitespace());
        match CommandLine::try_parse_from(line)?.command {
            Command::Trace(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_become_a_query() {
        let node = NodeUrl::of(([127, 0, 0, 1], 7080).into());
        let query = |line: &str| {
            let What::Recent(recent) = parse(line).unwrap().what;
            route(&node, &recent).query().unwrap().to_owned()
        };
        assert_eq!(query("recent"), "n=10");
        assert_eq!(query("recent 3 --capability ü&n=9 --json"), "n=3&capability=%C3%BC%26n%3D9");
        for bad in [
            "",
            "recent 0",
            "recent 10001",
            "recent x",
            "active",
            "recent --url garage",
            "recent --url garage:1 --port 2",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
