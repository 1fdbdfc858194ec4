//! `hearthnet trace recent`: the last traces of a node, or those that run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use obs_facade::doctor::render::{ColorChoice, TextStyle};
use reqwest::Url;
use serde_json::Value;

use super::node_report::NodeReport;
use super::status_filter::StatusFilter;
use super::tree;
use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::output::{not_written, print, say_on_stderr};
use crate::cli::visible::visible_json;
use crate::failure::Failure;
use crate::nearest::nearest;
use crate::trace::record::{Trace, Traces};

/// Shows the last completed traces, each with its spans as a tree.
#[derive(Args, Debug)]
#[command(after_help = "Example: hearthnet trace recent 5 --status failed --slowest")]
pub(super) struct RecentArgs {
    /// Number of traces. The newest come first.
    #[arg(value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    n: u16,
    /// Show traces of this capability only.
    #[arg(long, value_name = "NAME")]
    capability: Option<String>,
    /// Show traces with this status only: `ok`, `failed` (every error code and panics), `cancelled`, `panic`, or one error
    /// code such as `timeout`.
    #[arg(long, value_name = "CODE|ok|failed")]
    status: Option<StatusFilter>,
    /// Show traces that lasted at least this many milliseconds.
    #[arg(long, value_name = "N", value_parser = milliseconds, allow_negative_numbers = true)]
    min_ms: Option<f64>,
    /// Show the slowest traces, the slowest first.
    #[arg(long)]
    slowest: bool,
    /// Show the traces that run now.
    #[arg(long)]
    active: bool,
    /// Print the JSON of the node.
    #[arg(long)]
    json: bool,
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let ms = text.parse().ok().filter(|ms| (0.0..=f64::MAX).contains(ms));
    ms.ok_or_else(|| "expected milliseconds, 0 or more".to_owned())
}

/// Bounds of an answer.
const BOUNDS: Bounds = Bounds {
    // A node under load may take a while to render ten thousand traces.
    time: Duration::from_secs(5),
    // Ten thousand traces of a few kilobytes.
    bytes: 256 << 20,
};

pub(super) fn run(args: &RecentArgs, node: &NodeUrl) -> Result<ExitCode, Failure> {
    let asked = match args.active {
        true => active(args, node),
        false => ask::json(node, &route(node, args), BOUNDS),
    };
    let unknown = args.status.as_ref().filter(|status| !status.is_known());
    let (answer, body) = match (asked, unknown) {
        (Ok((answer, _)), Some(status)) if answer.traces.is_empty() => {
            return Err(Failure::usage(status.unknown()));
        }
        // Without an answer, what is known here decides.
        (Err(_), Some(status)) => return Err(Failure::usage(status.unknown())),
        (asked, _) => asked?,
    };
    if args.json {
        print(&visible_json(&body)).map_err(|error| not_written(&error))?;
    } else {
        let style = TextStyle::for_stdout(ColorChoice::Auto);
        let now_ms = chrono::Utc::now().timestamp_millis();
        print(&tree::render(&answer.traces, &style, now_ms)).map_err(|error| not_written(&error))?;
    }
    if answer.traces.is_empty() {
        say_on_stderr(why_empty(args, node, NodeReport::ask(node).as_ref()));
    }
    Ok(ExitCode::SUCCESS)
}

fn route(node: &NodeUrl, args: &RecentArgs) -> Url {
    let (n, min_ms) = (args.n.to_string(), args.min_ms.map(|ms| ms.to_string()));
    let mut query = vec![("n", n.as_str())];
    query.extend(args.capability.as_deref().map(|name| ("capability", name)));
    query.extend(args.status.as_ref().map(|status| ("status", status.as_str())));
    query.extend(min_ms.as_deref().map(|ms| ("min_ms", ms)));
    query.extend(args.slowest.then_some(("sort", "slowest")));
    node.route("/trace/recent", &query)
}

/// Asks for the traces that run, and selects here: the node lists all of them.
fn active(args: &RecentArgs, node: &NodeUrl) -> Result<(Traces, String), Failure> {
    let (all, body) = ask::json::<Traces>(node, &node.route("/trace/active", &[]), BOUNDS)?;
    let mut raw: Value = serde_json::from_str(&body).unwrap_or_default();
    let raw = raw["traces"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let mut chosen: Vec<(Trace, Value)> =
        all.traces.into_iter().zip(raw).filter(|(trace, _)| is_selected(args, trace)).collect();
    match args.slowest {
        true => chosen.sort_by(|(a, _), (b, _)| b.duration_ms.total_cmp(&a.duration_ms)),
        // The node lists the oldest first.
        false => chosen.reverse(),
    }
    chosen.truncate(args.n.into());
    let (traces, raw): (Vec<_>, Vec<_>) = chosen.into_iter().map(|(trace, raw)| (trace.runs(), raw)).unzip();
    Ok((Traces { traces }, serde_json::json!({ "traces": raw }).to_string()))
}

fn is_selected(args: &RecentArgs, trace: &Trace) -> bool {
    let status = |wanted: &StatusFilter| match wanted.as_str() {
        "failed" => trace.has_failed(),
        exactly => trace.status == exactly,
    };
    args.capability.as_ref().is_none_or(|name| *name == trace.capability)
        && args.status.as_ref().is_none_or(status)
        && args.min_ms.is_none_or(|ms| trace.duration_ms >= ms)
}

/// Returns the reason for which no trace is shown.
fn why_empty(args: &RecentArgs, node: &NodeUrl, report: Option<&NodeReport>) -> String {
    let filters = filters(args);
    let why = match (args.active, filters.is_empty()) {
        (true, true) => format!("no call runs on {node} now"),
        (true, false) => format!("no call that runs on {node} now matches{filters}"),
        (false, true) => format!(
            "no traces yet: the node on {node} has answered no call{}",
            NodeReport::since_start(report)
        ),
        (false, false) => format!(
            "no trace matches{filters}; the node on {node} keeps the last 10 000, and more of the failed and slowest ones"
        ),
    };
    why + &other_capability(args, report)
}

fn filters(args: &RecentArgs) -> String {
    let mut filters = String::new();
    if let Some(name) = &args.capability {
        filters += &format!(" --capability {name}");
    }
    if let Some(status) = &args.status {
        filters += &format!(" --status {}", status.as_str());
    }
    if let Some(ms) = args.min_ms {
        filters += &format!(" --min-ms {ms}");
    }
    filters
}

/// Returns a hint for a capability that no node offers.
fn other_capability(args: &RecentArgs, report: Option<&NodeReport>) -> String {
    let (Some(name), Some(report)) = (&args.capability, report) else { return String::new() };
    if report.capabilities().any(|known| known == name) {
        return String::new();
    }
    match nearest(name, report.capabilities()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; neither this node nor a peer offers `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::What;
    use super::super::tests::parse;
    use super::*;

    fn recent(line: &str) -> RecentArgs {
        match parse(line).unwrap().what {
            What::Recent(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_become_a_query() {
        let node = NodeUrl::of(([127, 0, 0, 1], 7080).into());
        let query = |line: &str| route(&node, &recent(line)).query().unwrap().to_owned();
        assert_eq!(query("recent"), "n=10");
        assert_eq!(query("recent 3 --capability ü&n=9 --json"), "n=3&capability=%C3%BC%26n%3D9");
        assert_eq!(
            query("recent --status failed --min-ms 2.5 --slowest"),
            "n=10&status=failed&min_ms=2.5&sort=slowest"
        );
        for bad in [
            "",
            "recent 0",
            "recent 10001",
            "recent x",
            "active",
            "recent --url garage",
            "recent --url garage:1 --port 2",
            "recent --status Bad",
            "recent --min-ms -1",
            "recent --min-ms NaN",
            "show",
            "show K0J",
            "show not-an-id",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_result_has_a_reason() {
        let node = NodeUrl::of(([127, 0, 0, 1], 7080).into());
        let report: NodeReport = serde_json::from_value(serde_json::json!({
            "node": { "name": "ada", "started_at": "2026-05-26T08:00:00Z" },
            "capabilities": [{ "name": "llm.chat" }],
        }))
        .unwrap();
        let why = |line: &str| why_empty(&recent(line), &node, Some(&report));
        assert!(why("recent").contains("no call since its start at 2026-05-26T08:00:00Z"));
        assert!(why("recent --status failed --min-ms 9").contains("--status failed --min-ms 9"));
        assert!(why("recent --capability llm.chta").ends_with("did you mean `llm.chat`?"));
        assert!(why("recent --active").contains("no call runs"));
    }
}
