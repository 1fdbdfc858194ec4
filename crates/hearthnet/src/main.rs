//! The `hearthnet` command.

mod community;
mod config;
mod config_value;
mod doctor;
mod event_log;
mod failure;
mod identity;
mod init;
mod log;
mod node;
mod openai;
mod paths;
mod place;
mod port_owner;
mod remote_bus;
mod run;
mod server;
mod trace;
mod watch;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::failure::{Failure, say};
use crate::paths::Paths;

/// A node of the HearthNet mesh that records itself, and the tools to look at it.
#[derive(Debug, Parser)]
#[command(name = "hearthnet", version, after_help = EXIT_CODES)]
struct CommandLine {
    /// The configuration file, instead of the one in the configuration folder.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The port of the node, instead of the configured one.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 error, 2 bad usage, 3 no running node, 4 signature failure, \
                          5 disk full. For doctor: 0 all pass, 1 any fails, 2 the doctor itself could not run.";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Run(run::RunArgs),
    Doctor(doctor::DoctorArgs),
    Log(log::LogArgs),
    Trace(trace::TraceArgs),
    Version(VersionArgs),
}

/// Says which version this is.
#[derive(Debug, Args)]
struct VersionArgs {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    run(&line).unwrap_or_else(|failure| match line.command {
        // Its 1 is a verdict, and there is none.
        Command::Doctor(_) => failure.with_code(doctor::CRASHED).report(),
        _ => failure.report(),
    })
}

fn run(line: &CommandLine) -> Result<ExitCode, Failure> {
    if let Command::Version(args) = &line.command {
        say(version(args));
        return Ok(ExitCode::SUCCESS);
    }
    let (paths, named) = (Paths::discover()?, line.config.as_deref());
    let config = || {
        let mut config = Config::load(named, &paths)?;
        config.transport.port = line.port.unwrap_or(config.transport.port);
        Ok(config)
    };
    match &line.command {
        Command::Init(args) => init::run(args, named, &paths)?,
        Command::Run(args) => {
            // A file that was named is there, or loading it has failed.
            let file = named.is_none().then_some(paths.config_file.as_path());
            run::run(args, config()?, file, &paths)?;
        }
        Command::Doctor(args) => return Ok(doctor::run(args, config()?.for_doctor(&paths))),
        Command::Log(args) => return Ok(log::run(args, config()?.observability.log_dir())),
        Command::Trace(args) => return Ok(trace::run(args, config()?.transport.port)),
        Command::Version(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn version(args: &VersionArgs) -> String {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    match args.json {
        true => serde_json::json!({ "name": name, "version": version }).to_string(),
        false => format!("{name} {version}"),
    }
}
