//! `hearthnet caps`: lists the capabilities that a node knows.

pub(crate) mod known;
pub(in crate::cli) mod pattern;
mod table;

use std::process::ExitCode;

use clap::Args;
use obs_facade::doctor::render::{ColorChoice, TextStyle};

use self::known::{Capability, Known};
use self::pattern::Pattern;
use super::node_url::{NodeUrl, UrlArg};
use super::output::{not_written, print, say_on_stderr};
use super::visible::visible_json;
use crate::config::Config;
use crate::failure::Failure;
use crate::nearest::did_you_mean;

/// Lists the capabilities that the running node and its peers offer.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct CapsArgs {
    /// Show the capabilities of peers only.
    #[arg(long, conflicts_with = "local_only")]
    remote_only: bool,
    /// Show the capabilities of this node only.
    #[arg(long)]
    local_only: bool,
    /// Show capabilities whose name has this part, or matches this glob with `*` and `?`. Case does not matter.
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: UrlArg,
}

const HELP: &str =
    "health is the share of the last 100 calls that succeeded, p50ms the median duration of the last \
five minutes. A narrow terminal leaves out stability and version, and cuts long texts. A node on another machine lists its own capabilities alone, without figures.

Examples:
  hearthnet caps
  hearthnet caps --remote-only --name 'llm.*' --json";

/// Runs the command.
pub(crate) fn run(args: &CapsArgs, config: &Config) -> Result<ExitCode, Failure> {
    let node = args.node.node(config.local_address());
    let known = known::of(&node)?;
    let pattern = args.name.as_deref().map(Pattern::from);
    let chosen = choose(args, pattern.as_ref(), &known);
    let shown = match args.json {
        // A number or text of a peer stays as it is: escapes of JSON mean the same.
        true => visible_json(&serde_json::json!({ "capabilities": chosen }).to_string()),
        false if chosen.is_empty() => String::new(),
        false => table::render(&known, &chosen, TextStyle::for_stdout(ColorChoice::Auto).width),
    };
    print(&shown).map_err(|error| not_written(&error))?;
    if chosen.is_empty() {
        say_on_stderr(reason(args, pattern.as_ref(), &known, &node));
    }
    if known.is_manifest && !args.local_only {
        say_on_stderr(format_args!(
            "{node} tells other machines its own capabilities alone; run `hearthnet caps` there for its peers"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn choose<'a>(args: &CapsArgs, pattern: Option<&Pattern>, known: &'a Known) -> Vec<&'a Capability> {
    let wanted = |capability: &&Capability| {
        let place = if capability.local { !args.remote_only } else { !args.local_only };
        place && pattern.is_none_or(|pattern| pattern.matches(&capability.name))
    };
    known.capabilities.iter().filter(wanted).collect()
}

/// Returns the reason for an empty list.
fn reason(args: &CapsArgs, pattern: Option<&Pattern>, known: &Known, node: &NodeUrl) -> String {
    // Without the pattern there would be capabilities: the pattern is the reason.
    let places = choose(args, None, known);
    if let Some(pattern) = pattern.filter(|_| !places.is_empty()) {
        let mut names: Vec<&str> = places.iter().map(|capability| capability.name.as_str()).collect();
        names.dedup();
        let meant = did_you_mean(pattern.text(), names.iter().copied());
        let count = names.len();
        return format!("none of the {count} capabilities matches {:?}{meant}", pattern.text());
    }
    if args.local_only {
        return format!(
            "the node on {node} offers no capability; see `offer` in the section `[bus]` of its configuration"
        );
    }
    if known.is_manifest {
        return format!("the node on {node} offers no capability of its own that this machine may see");
    }
    let silent: Vec<String> = known.peers.iter().filter(|peer| !peer.answers()).map(described).collect();
    match (known.peers.len(), silent.len()) {
        (0, _) => "the node has no peers; name one in `static_peers` in the section `[discovery]` of its configuration"
            .to_owned(),
        (all, down) if down > 0 => format!("{down} of {all} peers do not answer: {}", silent.join(", ")),
        (all, _) => format!("{all} peers answer, and offer no capability"),
    }
}

fn described(peer: &known::Peer) -> String {
    let name = peer.name.as_deref().unwrap_or(&peer.url);
    let why = peer.error.as_deref().unwrap_or(&peer.state);
    format!("{name} ({why})")
}
