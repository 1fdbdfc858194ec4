//! `hearthnet report`: one archive for another person that helps with a fault, without secrets.

mod collect;
mod lines;
mod manifest;
mod node;
mod open;
mod place;
mod problems;
mod redaction;
mod summary;
mod traces;
mod versions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use chrono::{Duration, Utc};
use clap::Args;
use serde_json::json;

use self::collect::collect;
use self::redaction::Redaction;
use super::export::archive::Archive;
use super::export::destination::Destination;
use super::export::file_name_of;
use super::log::period::{Period, PeriodArgs};
use super::log::time::Zone;
use super::output::{not_written, print, say_on_stderr};
use super::visible::visible_json;
use crate::config::Config;
use crate::config::paths::Paths;
use crate::failure::Failure;

/// Writes an archive for a person who helps with a fault: the doctor's report, settings, versions, problems, traces, metrics,
/// history, and the lines of the log around failures. Secrets are hidden. It stays on this machine.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct ReportArgs {
    /// Open a report in the console of this command, without its node, and write none.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "since", "until", "private_ip", "force", "json"])]
    open: Option<PathBuf>,
    /// File or folder to write to, or `-` for stdout [default: a file in the current folder, named after node and time].
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Hide addresses of private networks, such as 192.168.1.4, too.
    #[arg(long)]
    private_ip: bool,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// Print the list of contents as JSON.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Passwords, tokens, keys, cookies, e-mail addresses and home folders become marks such as [token]. Names of machines, \
addresses of peers and the words of the log stay. Look through the archive before you share it.

A TIME is as in `hearthnet log`; without --since it is 24 hours ago. The newest lines come first: at most 4 MiB of them.

Examples:
  hearthnet report --since yesterday
  hearthnet report --private-ip --out /mnt/usb/
  hearthnet report --open hearthnet-report-ada-20261128-093000.tar.gz";

/// Runs the command. `config_file` holds the settings.
pub(crate) fn run(
    args: &ReportArgs,
    config: &Config,
    config_file: &Path,
    paths: &Paths,
) -> Result<ExitCode, Failure> {
    if let Some(archive) = &args.open {
        return open::run(archive);
    }
    let (now, begun) = (Utc::now(), Instant::now());
    let period = args.period.resolve(now, Zone::Local)?;
    let day = period.until.unwrap_or(now).checked_sub_signed(Duration::days(1));
    let period = Period { since: period.since.or(day), ..period };
    let name =
        format!("hearthnet-report-{}-{}", file_name_of(&config.node_name()), now.format("%Y%m%d-%H%M%S"));
    let destination = Destination::choose(args.out.as_deref(), &name, args.force)?;
    if args.json && destination.is_stdout() {
        return Err(Failure::usage("--json and `--out -` both write to stdout; choose one of them"));
    }
    let mut redaction = Redaction::new(config, paths, args.private_ip);
    let contents = collect(config, config_file, paths, period, &mut redaction, begun);
    let written = destination.write(|out| {
        let mut archive = Archive::new(out, &name, contents.entries(), now);
        contents.entries().iter().try_for_each(|entry| archive.add(entry))?;
        let manifest = manifest::of(&contents, archive.written(), &redaction, now, period);
        archive.finish(&manifest)?;
        Ok(manifest)
    });
    let (manifest, path) = written?;
    let Some(path) = path else {
        say_on_stderr(summary::LOOK);
        return Ok(ExitCode::SUCCESS);
    };
    let text = match args.json {
        true => {
            let mut shown = manifest;
            shown["path"] = json!(path);
            visible_json(&format!("{shown:#}"))
        }
        false => summary::of(&manifest, &path),
    };
    print(&text).map_err(|error| not_written(&error))?;
    Ok(ExitCode::SUCCESS)
}
