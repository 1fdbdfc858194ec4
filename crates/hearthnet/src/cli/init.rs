//! `hearthnet init`: makes what a node needs and is not there yet.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use clap::Args;

use super::output::{not_written, print, say};
use super::overrides::Overrides;
use crate::config::Config;
use crate::config::node_name::{self, NAME, is_name};
use crate::config::paths::Paths;
use crate::failure::Failure;
use crate::state::create_once::Placed;
use crate::state::home;

/// Makes keys, a community of one, its event log and the configuration; keeps whatever is there.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// What people call this node and its community.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Ask nothing: without --name the name is that of this machine.
    #[arg(long)]
    non_interactive: bool,
}

fn parse_name(text: &str) -> Result<String, String> {
    is_name(text).then(|| text.to_owned()).ok_or_else(|| format!("expected {NAME}"))
}

/// Runs the command and says what it made where.
pub(crate) fn run(args: &InitArgs, overrides: &Overrides, paths: &Paths) -> Result<(), Failure> {
    let named_config = overrides.config.as_deref();
    let config_file = &named_config.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
    // A file that is named but not there yet is the one to make.
    let named_config = named_config.filter(|file| file.exists());
    let config = match named_config {
        None if overrides.config.is_some() => Config::default().resolved(config_file, paths)?,
        named => Config::load(named, paths)?,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None if !args.non_interactive && !config_file.exists() && io::stdin().is_terminal() => ask_name()?,
        None => config.node_name(),
    };
    let mut made = Vec::new();
    let home = home::ensure(&config, Some(config_file), paths, &name, &mut |what, path, placed| {
        made.push(placed);
        tell(what, path, placed);
    })?;
    let outcome = if made.contains(&Placed::Made) {
        let (node_id, again) = (home.identity.node_id(), overrides.for_node());
        format!("This node is {node_id}. Start it with: hearthnet run{again}\n")
    } else {
        "Everything is there already; nothing was changed.\n".to_owned()
    };
    print(&outcome).map_err(|error| not_written(&error))
}

fn tell(what: &str, path: &Path, placed: Placed) {
    let verb = match placed {
        Placed::Made => "made",
        Placed::Kept => "kept",
    };
    say(format_args!("{verb}  {what:<18} {}", path.display()));
}

fn ask_name() -> Result<String, Failure> {
    let usual = node_name::of_machine();
    loop {
        let mut out = io::stdout().lock();
        let _ = write!(out, "Name of this node [{usual}]: ").and_then(|()| out.flush());
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match (read, answer.trim()) {
            (Err(error), _) => return Err(Failure::error(format!("cannot read the answer: {error}"))),
            (Ok(_), "") => return Ok(usual),
            (Ok(_), name) if is_name(name) => return Ok(name.to_owned()),
            (Ok(_), _) => say(format_args!("That is not {NAME}.")),
        }
    }
}
