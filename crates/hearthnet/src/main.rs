//! The `hearthnet` command.

mod community;
mod config;
mod config_value;
mod descriptors;
mod doctor;
mod end_signal;
mod event_log;
mod failure;
mod file_size;
mod identity;
mod init;
mod limiter;
mod log;
mod model_span;
mod node;
mod offers;
mod openai;
mod paths;
mod place;
mod places;
mod port_owner;
mod remote_bus;
mod run;
mod runtime;
mod say;
mod server;
mod trace;
mod watch;
mod wire;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::failure::Failure;
use crate::paths::Paths;

/// A node of the HearthNet mesh that records itself, and the tools to look at it.
#[derive(Debug, Parser)]
#[command(name = "hearthnet", version, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(flatten)]
    overrides: Overrides,
    #[command(subcommand)]
    command: Command,
}

/// What is given on the command line instead of what would be usual.
#[derive(Debug, Default, Args)]
struct Overrides {
    /// The configuration file, instead of the one in the configuration folder.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The port of the node, instead of the configured one.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

impl Overrides {
    /// What to give again to a command that is to find the same files.
    fn for_files(&self) -> String {
        self.config.as_ref().map(|file| format!(" --config {}", file.display())).unwrap_or_default()
    }

    /// What to give again to a command that is to find the same node.
    fn for_node(&self) -> String {
        let port = self.port.map(|port| format!(" --port {port}")).unwrap_or_default();
        self.for_files() + &port
    }
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
    file_size::ignore_signal();
    match CommandLine::try_parse() {
        Ok(line) => run(&line).unwrap_or_else(|failure| failure.report()),
        Err(message) => show(&message),
    }
}

/// Shows help, or what is wrong with the command line.
fn show(message: &clap::Error) -> ExitCode {
    match message.print() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => say::not_written(&error).report(),
        _ => ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(1)),
    }
}

fn run(line: &CommandLine) -> Result<ExitCode, Failure> {
    if let Command::Version(args) = &line.command {
        say::print(&format!("{}\n", version(args))).map_err(|error| say::not_written(&error))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (paths, named) = (Paths::discover(), line.overrides.config.as_deref());
    let config = || {
        let mut config = Config::load(named, &paths)?;
        config.transport.port = line.overrides.port.unwrap_or(config.transport.port);
        Ok(config)
    };
    match &line.command {
        Command::Init(args) => init::run(args, &line.overrides, &paths)?,
        Command::Run(args) => {
            // A file that was named is there, or loading it has failed.
            let file = if named.is_none() { Some(paths.config_file()?) } else { None };
            run::run(args, config()?, file.as_deref(), &paths, &line.overrides)?;
        }
        Command::Doctor(args) => {
            let config = config()?;
            return Ok(doctor::run(args, config.for_doctor(&paths), config.local_address()));
        }
        Command::Log(args) => return Ok(log::run(args, config()?.observability.log_dir())),
        Command::Trace(args) => return Ok(trace::run(args, config()?.local_address())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f4_hints_name_the_same_node_again() {
        let parse = |line: &str| CommandLine::parse_from(line.split_whitespace()).overrides;
        let plain = parse("hearthnet run");
        assert_eq!((plain.for_files(), plain.for_node()), (String::new(), String::new()));
        let given = parse("hearthnet run --port 7081 --config /etc/b.toml");
        assert_eq!(given.for_files(), " --config /etc/b.toml");
        assert_eq!(given.for_node(), " --config /etc/b.toml --port 7081");
    }
}
