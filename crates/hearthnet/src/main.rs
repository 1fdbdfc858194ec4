//! The `hearthnet` command.

mod bus;
mod cli;
mod config;
mod failure;
mod levels;
mod llm;
mod nearest;
mod node;
mod server;
mod state;
mod status;
mod version;
mod watch;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
