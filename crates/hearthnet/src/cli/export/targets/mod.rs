//! `hearthnet export targets`: the nodes that a metrics server scrapes, from the manifests of a node and its peers.

mod list;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use self::list::List;
use super::destination;
use crate::cli::node_url::{NodeUrl, UrlArg};
use crate::cli::output::{not_written, print, safe_line, say_on_stderr};
use crate::cli::visible::visible_json;
use crate::config::Config;
use crate::failure::Failure;

/// Mode of the file: a metrics server has another user, and the list has no secret.
const MODE: u32 = 0o644;
/// Maximum length of an existing file that is compared. A list of 65 nodes has less than a hundredth of it.
const MAX_COMPARED: u64 = 8 << 20;

/// Lists the running node and its peers as targets for Prometheus and vmagent (`file_sd_configs`).
///
/// The addresses are those of the configuration. Names and IDs are from the manifests, which the nodes write themselves: they
/// are labels only, bounded and escaped.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct TargetsArgs {
    /// File to replace, or `-` for stdout [default: stdout].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Address at which the metrics server reaches the node that is asked [default: the address that is asked].
    #[arg(long, value_name = "URL")]
    address: Option<NodeUrl>,
    /// Print what was written as JSON. Without a file, the list is JSON in any case.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: UrlArg,
}

const HELP: &str = "The file is replaced as a whole, and only if the list has changed. If the node does not answer, the file stays as \
it was and the exit code is 3, so that the metrics server keeps asking for the node and sees that it is down.

Examples:
  hearthnet export targets
  hearthnet export targets --address ada.lan:7080 --out /var/lib/hearthnet-targets/ada.json";

/// Runs the command.
pub(crate) fn run(args: &TargetsArgs, config: &Config) -> Result<ExitCode, Failure> {
    let node = args.node.node(config.local_address());
    let list = List::of(&node, args.address.as_ref().unwrap_or(&node))?;
    if list.is_of_manifest {
        say_on_stderr(format_args!(
            "{node} tells other machines of itself alone; run `hearthnet export targets` there for its peers"
        ));
    }
    if list.left_out > 0 {
        say_on_stderr(format_args!("left out {} peers whose addresses are not valid", list.left_out));
    }
    let text = visible_json(&format!("{:#}", list.file()));
    let shown = match args.out.as_deref().filter(|out| *out != Path::new("-")) {
        None => text,
        Some(path) => {
            let has_changed = replace(path, &text)?;
            told(args, path, &list, has_changed)
        }
    };
    print(&shown).map_err(|error| not_written(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// Replaces the file unless it has this text already, and returns whether it was replaced.
// A metrics server reads a replaced file again, and an operator sees by its time when the nodes changed.
fn replace(path: &Path, text: &str) -> Result<bool, Failure> {
    match path.metadata() {
        Ok(found) if !found.is_file() => {
            return Err(Failure::error(format!(
                "{} is not a file; name a file with `--out`",
                path.display()
            )));
        }
        Ok(found)
            if found.len() <= MAX_COMPARED && std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) =>
        {
            return Ok(false);
        }
        _ => {}
    }
    destination::to_file(path, true, MODE, |out| out.write_all(text.as_bytes()))?;
    Ok(true)
}

fn told(args: &TargetsArgs, path: &Path, list: &List, has_changed: bool) -> String {
    let number = list.targets.len();
    if args.json {
        let told: Value =
            json!({ "path": path, "targets": number, "left_out": list.left_out, "changed": has_changed });
        return visible_json(&format!("{told:#}"));
    }
    let nodes = if number == 1 { "node" } else { "nodes" };
    match has_changed {
        true => safe_line(format_args!("wrote {} ({number} {nodes})", path.display())),
        false => safe_line(format_args!("{} is up to date ({number} {nodes})", path.display())),
    }
}
