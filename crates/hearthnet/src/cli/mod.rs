//! The `hearthnet` command.

mod doctor;
mod file_size;
mod init;
mod log;
mod output;
mod overrides;
mod run;
mod trace;
mod visible;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::overrides::Overrides;
use crate::config::Config;
use crate::config::paths::Paths;
use crate::failure::Failure;

/// A node of the HearthNet mesh that records itself, and the tools to look at it.
#[derive(Debug, Parser)]
#[command(name = "hearthnet", version, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(flatten)]
    overrides: Overrides,
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

pub(crate) fn main() -> ExitCode {
    file_size::ignore_signal();
    match CommandLine::try_parse() {
        Ok(line) => run(&line).unwrap_or_else(|failure| report(&failure)),
        Err(message) => show(&message),
    }
}

/// Shows help, or what is wrong with the command line.
fn show(message: &clap::Error) -> ExitCode {
    match message.print() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => report(&output::not_written(&error)),
        _ => ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(1)),
    }
}

/// Tells the person at the terminal and gives the code to end with.
fn report(failure: &Failure) -> ExitCode {
    output::say_on_stderr(failure);
    ExitCode::from(failure.code())
}

fn run(line: &CommandLine) -> Result<ExitCode, Failure> {
    if let Command::Version(args) = &line.command {
        output::print(&format!("{}\n", version(args))).map_err(|error| output::not_written(&error))?;
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
            return run::run(args, config()?, file.as_deref(), &paths, &line.overrides);
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
