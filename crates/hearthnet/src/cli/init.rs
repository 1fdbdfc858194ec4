//! `hearthnet init`: creates the files of a node that are missing.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::output::{not_written, print, safe_line, say, say_on_stderr};
use super::overrides::Overrides;
use super::visible::{visible, visible_json};
use crate::config::Config;
use crate::config::node_name::{self, NAME, is_name};
use crate::config::paths::Paths;
use crate::failure::Failure;
use crate::state::create_once::Creation;
use crate::state::home;

/// Creates keys, a community of one member, its event log and the configuration. Keeps files that exist.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Name of this node and its community.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Ask nothing. Without --name, the node gets the name of this machine.
    #[arg(long)]
    non_interactive: bool,
    /// Print JSON, and ask nothing.
    #[arg(long)]
    json: bool,
}

fn parse_name(text: &str) -> Result<String, String> {
    is_name(text).then(|| text.to_owned()).ok_or_else(|| format!("expected {NAME}"))
}

/// Runs the command and prints each path with its outcome.
pub(crate) fn run(args: &InitArgs, overrides: &Overrides, paths: &Paths) -> Result<(), Failure> {
    let named_config = overrides.config.as_deref();
    let config_file = &named_config.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
    // A named file that does not exist yet is the file to create.
    let named_config = named_config.filter(|file| file.exists());
    let mut config = match named_config {
        None if overrides.config.is_some() => Config::default().resolved(config_file, paths)?,
        named => Config::load(named, paths)?,
    };
    let configured_port = config.transport.port;
    config.transport.port = overrides.port.unwrap_or(configured_port);
    let name = match &args.name {
        Some(name) => name.clone(),
        // With a configuration the name is chosen already, and a second run must not ask again.
        None if !args.non_interactive && !args.json && !config_file.exists() && io::stdin().is_terminal() => {
            ask_name()?
        }
        None => config.node_name(),
    };
    let mut made = Vec::new();
    let home = home::ensure(&config, Some(config_file), paths, &name, &mut |what, path, creation| {
        made.push((what.to_owned(), path.to_owned(), creation));
        if !args.json {
            tell(what, path, creation);
        }
    })?;
    let keeps_port = config.transport.port != configured_port && !is_new(&made, config_file);
    if keeps_port {
        say_on_stderr(format_args!(
            "{} exists and keeps its port {configured_port}; change it there, or start the node with `hearthnet run{}`",
            config_file.display(),
            overrides.for_node(),
        ));
    }
    let outcome = if args.json {
        visible_json(&report(&made, home.identity.node_id()).to_string())
    } else if made.iter().any(|(_, _, creation)| *creation == Creation::Created) {
        let again = if keeps_port { overrides.for_node() } else { overrides.for_files() };
        let node_id = home.identity.node_id();
        safe_line(format_args!("This node is {node_id}. Start it with: hearthnet run{again}"))
    } else {
        safe_line("All files exist already; nothing was changed.")
    };
    print(&outcome).map_err(|error| not_written(&error))
}

/// Returns whether the file was made by this run.
fn is_new(made: &[(String, PathBuf, Creation)], file: &Path) -> bool {
    made.iter().any(|(_, path, creation)| path == file && *creation == Creation::Created)
}

fn report(made: &[(String, PathBuf, Creation)], node_id: &str) -> Value {
    let file = |(what, path, creation): &(String, PathBuf, Creation)| json!({ "what": what, "path": path.display().to_string(), "created": *creation == Creation::Created });
    json!({ "node_id": node_id, "files": made.iter().map(file).collect::<Vec<_>>() })
}

fn tell(what: &str, path: &Path, creation: Creation) {
    let verb = match creation {
        Creation::Created => "made",
        Creation::Kept => "kept",
    };
    say(format_args!("{verb}  {what:<18} {}", path.display()));
}

fn ask_name() -> Result<String, Failure> {
    let usual = node_name::of_machine();
    loop {
        let mut out = io::stdout().lock();
        let _ = write!(out, "Name of this node [{}]: ", visible(&usual)).and_then(|()| out.flush());
        let mut answer = String::new();
        // The lock of stdout is still held, so that no other output comes between question and answer.
        let read = io::stdin().lock().read_line(&mut answer);
        match (read, answer.trim()) {
            (Err(error), _) => return Err(Failure::error(format!("cannot read the answer: {error}"))),
            (Ok(_), "") => return Ok(usual),
            (Ok(_), name) if is_name(name) => return Ok(name.to_owned()),
            (Ok(_), _) => say(format_args!("expected {NAME}")),
        }
    }
}
