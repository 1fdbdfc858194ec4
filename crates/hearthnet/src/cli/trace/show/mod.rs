//! `hearthnet trace show`: all about one trace, on this node and on others.

mod lines;
mod output;
mod peers;
mod records;
mod rows;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use obs_facade::trace::{IdPattern, TraceId};

use self::lines::Found;
use self::peers::{Answer, Peer};
use super::node_report::NodeReport;
use super::text::age;
use crate::cli::node_url::NodeUrl;
use crate::cli::output::say_on_stderr;
use crate::config::Config;
use crate::failure::{Failure, NOT_RUNNING};
use crate::trace::part::{self, Part};

/// Shows one trace: its spans with times, fields and causes, and its lines in the log of this node.
#[derive(Args, Debug)]
#[command(after_help = "Example: hearthnet trace show 01HXR3…K0JD --peers")]
pub(super) struct ShowArgs {
    /// ID of the trace: all of it, its beginning, its end, or both as the commands show it. A W3C trace ID works too.
    #[arg(value_name = "ID")]
    id: IdPattern,
    /// Ask the other nodes for their parts too: the configured peers, each for at most 2 s.
    #[arg(long)]
    peers: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Maximum time for an answer of the node itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Known parts of the trace.
#[derive(Debug)]
struct Shown {
    id: TraceId,
    /// Own parts first.
    parts: Vec<Part>,
    lines: Found,
    answers: Vec<Answer>,
}

pub(super) fn run(args: &ShowArgs, node: &NodeUrl, config: &Config) -> Result<ExitCode, Failure> {
    let log_dir = config.observability.log_dir();
    let report = NodeReport::ask(node);
    let label = report.as_ref().map_or_else(|| node.to_string(), |report| report.name().to_owned());
    let (own, missing) = match own_parts(node, &args.id, &label) {
        Ok(parts) => (parts, None),
        Err(failure) => (Vec::new(), Some(failure)),
    };
    // The log is searched for the whole ID where the node knows it.
    let known = only_id(&args.id, &own, &Found::default(), &[])?;
    let id = known.map_or_else(|| args.id.clone(), IdPattern::from);
    let lines =
        lines::find(log_dir, &id, &own).map_err(|error| Failure::io("read the log in", log_dir, &error))?;
    let id = only_id(&id, &own, &lines, &[])?.map_or(id, IdPattern::from);
    let peers = if args.peers { known_peers(config, report.as_ref(), node) } else { Vec::new() };
    let answers = peers::ask(&peers, &id);
    let found = only_id(&id, &own, &lines, &answers)?;
    let id = found.ok_or_else(|| why_not(&id, node, missing.as_ref()))?;
    let parts = own.into_iter().chain(answers.iter().flat_map(Answer::parts).cloned()).collect();
    let shown = Shown { id, parts, lines, answers };
    output::print(&shown, args.json)?;
    explain(&shown, args, node, missing.as_ref());
    Ok(ExitCode::SUCCESS)
}

/// Asks the node for its parts.
fn own_parts(node: &NodeUrl, id: &IdPattern, label: &str) -> Result<Vec<Part>, Failure> {
    let completed = records::ask(node, id, PATIENCE)?;
    let running = records::ask_running(node, id, PATIENCE);
    let mut parts = part::parts(completed, false, label);
    parts.extend(part::parts(running, true, label));
    // The node lists the newest first. A tree is read in the order of time.
    parts.sort_by(|a, b| a.trace.started_at.cmp(&b.trace.started_at));
    Ok(parts)
}

/// Returns the one ID that was found, or `None` if there is none.
///
/// # Errors
///
/// Several IDs have the form.
fn only_id(
    id: &IdPattern,
    own: &[Part],
    lines: &Found,
    answers: &[Answer],
) -> Result<Option<TraceId>, Failure> {
    let mut found: BTreeMap<TraceId, Option<&Part>> = lines.ids.iter().map(|id| (*id, None)).collect();
    let of_peers = answers.iter().flat_map(Answer::parts);
    for part in own.iter().chain(of_peers) {
        if let Some(of_part) = part.trace.id().filter(|found| id.matches(*found)) {
            found.insert(of_part, Some(part));
        }
    }
    match found.len() {
        ..=1 => Ok(found.into_keys().next()),
        _ => Err(ambiguous(id, &found)),
    }
}

/// Maximum number of candidates that are listed.
const CANDIDATES: usize = 10;

fn ambiguous(id: &IdPattern, found: &BTreeMap<TraceId, Option<&Part>>) -> Failure {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let candidate = |(id, part): (&TraceId, &Option<&Part>)| match part {
        Some(Part { trace, .. }) => {
            let ago = trace.started_ms().map(|ms| age(now_ms - ms as i64)).unwrap_or_default();
            format!("{id} ({}, {}, {ago})", trace.capability, trace.status)
        }
        None => format!("{id} (in the log)"),
    };
    // The newest are the likeliest.
    let candidates: Vec<_> = found.iter().rev().take(CANDIDATES).map(candidate).collect();
    let more = if found.len() > CANDIDATES { " and more" } else { "" };
    Failure::usage(format!(
        "{id} is the ID of several traces: {}{more}; use more of the ID",
        candidates.join(", ")
    ))
}

/// Returns the peers of the configuration, and those that the node itself knows.
fn known_peers(config: &Config, report: Option<&NodeReport>, node: &NodeUrl) -> Vec<Peer> {
    let reported = report.into_iter().flat_map(|report| &report.peers);
    let reported = reported.filter_map(|peer| Some((peer.url.parse().ok()?, peer.name.clone())));
    let configured = config.discovery.static_peers.iter().map(|url| (NodeUrl::of_peer(url), None));
    let own = NodeUrl::of(config.local_address());
    let mut peers: Vec<Peer> = Vec::new();
    for (url, name) in reported.chain(configured).chain([(own, None)]) {
        if url != *node && peers.iter().all(|peer| peer.url != url) {
            peers.push(Peer { url, name });
        }
    }
    peers
}

/// Returns the failure to find the trace.
fn why_not(id: &IdPattern, node: &NodeUrl, missing: Option<&Failure>) -> Failure {
    match missing {
        Some(failure) if failure.code() == NOT_RUNNING => {
            Failure::not_running(format!("{failure}; the log of this machine has no line of the trace {id}"))
        }
        Some(failure) => Failure::error(failure.to_string()),
        None => Failure::error(format!(
            "no trace {id}: the node on {node} keeps the last 10 000 traces, and more of the failed and slowest ones, \
             and its log has no line of it; check the ID, or ask the other nodes with `--peers`"
        )),
    }
}

/// Says on stderr what is not shown, and why.
fn explain(shown: &Shown, args: &ShowArgs, node: &NodeUrl, missing: Option<&Failure>) {
    if let Some(failure) = missing {
        say_on_stderr(format_args!("{failure}; only the log of this machine is shown"));
    } else if shown.parts.is_empty() {
        say_on_stderr(format_args!(
            "the node on {node} has this trace no longer: it keeps the last 10 000, and more of the failed and slowest \
             ones"
        ));
    }
    if shown.lines.more > 0 {
        let more = shown.lines.more;
        say_on_stderr(format_args!("{more} more lines: `hearthnet log --trace {}` shows all", shown.id));
    }
    for Answer { peer, parts } in &shown.answers {
        match parts {
            Err(reason) => say_on_stderr(format_args!("left out {}: {reason}", peer.label())),
            Ok(parts) if parts.is_empty() => {
                say_on_stderr(format_args!("{} has no part of this trace", peer.label()));
            }
            Ok(_) => {}
        }
    }
    if args.peers && shown.answers.is_empty() {
        say_on_stderr("no peers are known; name them in `[discovery] static_peers`");
    }
}
