//! `hearthnet completions`: completion scripts for shells.

use clap::{Args, Command};
use clap_complete::Shell;

use super::output::{not_written, print};
use crate::failure::Failure;

/// Prints the completion script for a shell.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Shell that reads the script.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "Examples:
  source <(hearthnet completions bash)
  hearthnet completions fish > ~/.config/fish/completions/hearthnet.fish
  hearthnet completions zsh > \"${fpath[1]}/_hearthnet\"";

/// Runs the command. `root` is the whole command line.
pub(crate) fn run(args: &CompletionsArgs, mut root: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut root, "hearthnet", &mut script);
    print(&String::from_utf8_lossy(&script)).map_err(|error| not_written(&error))
}
