//! The `hearthnet` command.

mod bus;
mod cli;
mod community;
mod config;
mod console;
mod failure;
mod levels;
mod llm;
mod marks;
mod nearest;
mod node;
mod problems;
mod server;
mod state;
mod status;
mod trace;
mod version;
mod watch;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
