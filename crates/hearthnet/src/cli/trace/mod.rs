//! `hearthnet trace`: shows the last requests of a node, and one request over all nodes.

pub(crate) mod line;
mod node_report;
mod recent;
mod show;
mod status_filter;
pub(crate) mod text;
mod tree;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::node_url::UrlArg;
use crate::config::Config;
use crate::failure::Failure;

/// Shows the last requests of the running node, or all about one of them.
#[derive(Args, Debug)]
#[command(
    after_help = "Example: hearthnet trace recent 5 --status failed, then hearthnet trace show K0JD --peers"
)]
pub(crate) struct TraceArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    node: UrlArg,
}

#[derive(Debug, Subcommand)]
enum What {
    Recent(recent::RecentArgs),
    Show(show::ShowArgs),
}

impl TraceArgs {
    /// Returns whether the command reads the log of this node.
    pub(crate) fn needs_log(&self) -> bool {
        matches!(self.what, What::Show(_))
    }
}

/// Runs the command against the node of the configuration, or the one that `--url` names.
pub(crate) fn run(args: &TraceArgs, config: &Config) -> Result<ExitCode, Failure> {
    let node = args.node.node(config.local_address());
    match &args.what {
        What::Recent(recent) => recent::run(recent, &node),
        What::Show(show) => show::run(show, &node, config),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Command, CommandLine};

    pub(super) fn parse(line: &str) -> Result<TraceArgs, clap::Error> {
        let line = ["hearthnet", "trace"].into_iter().chain(line.split_whitespace());
        match CommandLine::try_parse_from(line)?.command {
            Command::Trace(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }
}
