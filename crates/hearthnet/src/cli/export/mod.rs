//! `hearthnet export`: one archive of what this node has of its user.

pub(super) mod archive;
mod collect;
pub(super) mod destination;
mod history;
mod interrupt;
mod logs;
pub(super) mod settings;
pub(super) mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::archive::Archive;
use self::collect::{Collected, collect};
use self::destination::Destination;
use self::targets::TargetsArgs;
use super::log::period::{Period, PeriodArgs};
use super::log::time::Zone;
use super::output::{not_written, print, safe_line, say_on_stderr};
use super::visible::visible_json;
use crate::config::Config;
use crate::config::paths::Paths;
use crate::failure::Failure;
use crate::version::{COMMIT, VERSION};

/// Writes an archive of what this node has recorded: log, traces, metrics, manifest and events of the community, settings without
/// secrets, and the doctor's report. Keys are never in it.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "A TIME is as in `hearthnet log`. It selects lines of the log, completed traces and events; the rest is as of now.\n\n\
                  Example: hearthnet export --since 2h --out /mnt/usb/ada.tar.gz"
)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    pub(super) command: Option<ExportCommand>,
    /// File or folder to write to, or `-` for stdout [default: a file in the current folder, named after node and time].
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// Print the list of contents as JSON.
    #[arg(long)]
    json: bool,
}

/// Commands below `hearthnet export`.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    Targets(TargetsArgs),
}

/// Runs the command. `config_file` holds the settings.
pub(crate) fn run(
    args: &ExportArgs,
    config: &Config,
    config_file: &std::path::Path,
    paths: &Paths,
) -> Result<ExitCode, Failure> {
    let now = Utc::now();
    let period = args.period.resolve(now, Zone::Local)?;
    let name =
        format!("hearthnet-export-{}-{}", file_name_of(&config.node_name()), now.format("%Y%m%d-%H%M%S"));
    let destination = Destination::choose(args.out.as_deref(), &name, args.force)?;
    if args.json && destination.is_stdout() {
        return Err(Failure::usage("--json and `--out -` both write to stdout; choose one of them"));
    }
    let Collected { entries, left_out, node } = collect(config, config_file, paths, &period);
    let written = destination.write(|out| {
        let mut archive = Archive::new(out, &name, &entries, now);
        entries.iter().try_for_each(|entry| archive.add(entry))?;
        let manifest = manifest(&archive, &left_out, &node, now, &period);
        archive.finish(&manifest)?;
        Ok(manifest)
    });
    let (manifest, path) = written?;
    for left in &left_out {
        say_on_stderr(format_args!("left out {}: {}", left.what, left.why));
    }
    let text = match (&path, args.json) {
        (None, _) => return Ok(ExitCode::SUCCESS),
        (Some(path), true) => {
            let mut shown = manifest;
            shown["path"] = json!(path);
            visible_json(&format!("{shown:#}"))
        }
        (Some(path), false) => {
            let contents = manifest["entries"].as_array().map_or(0, Vec::len);
            let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
            let files = if contents == 1 { "file" } else { "files" };
            safe_line(format_args!("wrote {} ({contents} {files}, {})", path.display(), size(bytes)))
        }
    };
    print(&text).map_err(|error| not_written(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// Part of the archive that does not exist, and why.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) what: &'static str,
    pub(super) why: String,
}

fn manifest(
    archive: &Archive<'_>,
    left_out: &[LeftOut],
    node: &Value,
    now: DateTime<Utc>,
    period: &Period,
) -> Value {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let left_out = left_out.iter().map(|left| json!({ "what": left.what, "why": left.why }));
    json!({
        "format": 1,
        "made_at": now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "made_by": { "name": "hearthnet", "version": VERSION, "commit": COMMIT },
        "node": node,
        "since": period.since.map(time),
        "until": period.until.map(time),
        "entries": archive.written(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

/// Returns the name with letters, digits and dashes only, so that it is a file name everywhere.
pub(super) fn file_name_of(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    name.chars().take(32).map(letter).collect()
}

pub(super) fn size(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
