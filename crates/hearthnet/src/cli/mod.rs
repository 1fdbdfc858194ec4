//! Command line: parses it, runs the command and turns its failure into an exit code.

mod ask;
mod call;
mod caps;
mod completions;
mod config;
mod console;
mod doctor;
mod export;
mod file_size;
mod history;
mod init;
mod log;
mod manual;
mod node_url;
mod output;
mod overrides;
mod problems;
mod report;
mod run;
mod status;
#[cfg(test)]
#[path = "../../../../tests/support/terminal_unsafe.rs"]
pub(crate) mod terminal_unsafe;
mod top;
mod trace;
mod visible;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use self::overrides::Overrides;
use crate::config::Config;
use crate::config::paths::{Folder, Paths};
use crate::failure::Failure;
use crate::version::{COMMIT, VERSION, VERSION_AND_COMMIT};

/// Runs a node of the HearthNet mesh that observes itself, and shows its log, traces and health.
#[derive(Debug, Parser)]
#[command(name = "hearthnet", version = VERSION_AND_COMMIT, after_help = EXIT_CODES)]
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
    History(history::HistoryArgs),
    Problems(problems::ProblemsArgs),
    Trace(trace::TraceArgs),
    Status(status::StatusArgs),
    Top(top::TopArgs),
    Console(console::ConsoleArgs),
    Caps(caps::CapsArgs),
    Call(call::CallArgs),
    Export(export::ExportArgs),
    Report(report::ReportArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(manual::ManualArgs),
    Version(VersionArgs),
}

/// Prints the version.
#[derive(Debug, Args)]
struct VersionArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main() -> ExitCode {
    // Before any thread starts and any file is written.
    file_size::ignore_signal();
    match CommandLine::try_parse() {
        Ok(line) => run(&line).unwrap_or_else(|failure| report(&failure)),
        Err(message) => show(&message),
    }
}

/// Prints help, or the mistake on the command line.
fn show(message: &clap::Error) -> ExitCode {
    match message.print() {
        // A reader that has closed the pipe has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => report(&output::not_written(&error)),
        _ => ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(1)),
    }
}

/// Prints the failure on stderr and returns its exit code.
fn report(failure: &Failure) -> ExitCode {
    output::say_on_stderr(failure);
    ExitCode::from(failure.code())
}

fn run(line: &CommandLine) -> Result<ExitCode, Failure> {
    if let Some(done) = run_without_configuration(&line.command) {
        return done.map(|()| ExitCode::SUCCESS);
    }
    let (paths, named) =
        (Paths::discover().needing(folders(&line.command)), line.overrides.config.as_deref());
    // A closure, because `init` must not fail on a configuration that does not exist yet.
    let config = || {
        let mut config = Config::load(named, &paths)?;
        config.transport.port = line.overrides.port.unwrap_or(config.transport.port);
        Ok(config)
    };
    match &line.command {
        Command::Init(args) => init::run(args, &line.overrides, &paths)?,
        Command::Run(args) => {
            // Loading a named file fails if it does not exist. The default file is created if missing.
            let file = if named.is_none() { Some(paths.config_file()?) } else { None };
            return run::run(args, config()?, file.as_deref(), &paths, &line.overrides);
        }
        Command::Doctor(args) => {
            let config = config()?;
            return Ok(doctor::run(args, config.for_doctor(&paths), config.local_address()));
        }
        Command::Log(log::LogArgs { command: Some(log::LogCommand::Level(args)), .. }) => {
            return log::level::run(args, config()?.local_address());
        }
        Command::Log(args) => return log::run(args, config()?.observability.log_dir()),
        Command::History(args) => return history::run(args, &config()?),
        Command::Problems(args) => return problems::run(args, &config()?),
        Command::Config(args) => return config::run(args, &line.overrides, &paths),
        Command::Trace(args) => return trace::run(args, &config()?),
        Command::Status(args) => return status::run(args, config()?.local_address()),
        Command::Top(args) => return top::run(args, config()?.local_address(), &line.overrides),
        Command::Console(args) => {
            let config = config()?;
            return console::run(args, &config, paths.data(&config.identity.keys_dir));
        }
        Command::Caps(args) => return caps::run(args, &config()?),
        Command::Call(args) => return call::run(args, &config()?, &line.overrides),
        Command::Export(export::ExportArgs {
            command: Some(export::ExportCommand::Targets(args)), ..
        }) => {
            return export::targets::run(args, &config()?);
        }
        Command::Export(args) => {
            let file = named.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
            return export::run(args, &config()?, &file, &paths);
        }
        Command::Report(args) => {
            let file = named.map_or_else(|| paths.config_file(), |file| Ok(file.to_owned()))?;
            return report::run(args, &config()?, &file, &paths);
        }
        Command::Completions(_) | Command::Man(_) | Command::Version(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that reads no configuration and needs no home. Returns `None` for any other command.
// The version is needed most when nothing works. The other two run while a package is built.
fn run_without_configuration(command: &Command) -> Option<Result<(), Failure>> {
    Some(match command {
        Command::Completions(args) => completions::run(args, CommandLine::command()),
        Command::Man(args) => manual::run(args, CommandLine::command()),
        Command::Version(args) => {
            output::print(&format!("{}\n", version(args))).map_err(|error| output::not_written(&error))
        }
        _ => return None,
    })
}

/// Returns the folders that the command uses.
fn folders(command: &Command) -> &'static [Folder] {
    match command {
        Command::Export(export::ExportArgs { command: Some(_), .. }) => &[],
        Command::Run(_) | Command::Export(_) | Command::Report(_) | Command::Config(_) => {
            &[Folder::Keys, Folder::Communities, Folder::Log]
        }
        Command::Init(_) | Command::Doctor(_) | Command::Console(_) => &[Folder::Keys, Folder::Communities],
        Command::Log(_) | Command::History(_) | Command::Problems(_) => &[Folder::Log],
        Command::Trace(args) if args.needs_log() => &[Folder::Log],
        // A call is signed if there is a key, and sent without a signature otherwise.
        Command::Trace(_) | Command::Status(_) | Command::Top(_) | Command::Caps(_) | Command::Call(_) => &[],
        Command::Completions(_) | Command::Man(_) | Command::Version(_) => &[],
    }
}

fn version(args: &VersionArgs) -> String {
    let name = env!("CARGO_PKG_NAME");
    match args.json {
        true => serde_json::json!({ "name": name, "version": VERSION, "commit": COMMIT }).to_string(),
        false => format!("{name} {VERSION_AND_COMMIT}"),
    }
}
