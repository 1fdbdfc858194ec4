//! `hearthnet config`: checks the configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{not_written, print, safe_line};
use super::overrides::Overrides;
use super::visible::visible_json;
use crate::config::paths::Paths;
use crate::config::{Config, Examination, variables};
use crate::failure::Failure;

/// Checks the configuration.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Check(CheckArgs),
}

/// Reads the configuration as `hearthnet run` does, and prints all mistakes in it, or the values that differ from their
/// defaults. Nothing is started or created. Exit code 1 if anything is wrong.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
struct CheckArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Group and folders are checked for the user of this command: run it as the user of the node. Root may write everywhere.

Example: hearthnet config check && systemctl reload hearthnet";

/// Maximum length of a value that is shown.
const SHOWN_CHARS: usize = 80;

/// Runs the command on the file that `hearthnet run` would read with the same options.
pub(crate) fn run(args: &ConfigArgs, overrides: &Overrides, paths: &Paths) -> Result<ExitCode, Failure> {
    let What::Check(check) = &args.what;
    let file = overrides.config.as_ref().map_or_else(|| paths.config_file(), |file| Ok(file.clone()));
    let examined = Config::examine(overrides.config.as_deref(), paths);
    let (text, is_right) = match (check.json, file, examined) {
        (false, file, examined) => {
            let examined = examined?;
            (
                report(&Report { file: file?, port: overrides.port, examined: &examined }),
                examined.mistakes.is_empty(),
            )
        }
        (true, Ok(file), Ok(examined)) => {
            let report = Report { file, port: overrides.port, examined: &examined };
            (json_text(&report.json()), examined.mistakes.is_empty())
        }
        (true, file, examined) => {
            let failure = file.err().or(examined.err()).map(|failure| failure.to_string());
            let mistake =
                json!({ "line": null, "column": null, "field": "", "problem": failure, "advice": "" });
            (json_text(&json!({ "ok": false, "file": overrides.config, "mistakes": [mistake] })), false)
        }
    };
    print(&text).map_err(|error| not_written(&error))?;
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Result of an examination, for output.
struct Report<'a> {
    /// File that was read, or looked for.
    file: PathBuf,
    /// Port of the command line.
    port: Option<u16>,
    examined: &'a Examination,
}

/// Value in force that is not the default.
struct Differing {
    key: String,
    value: String,
    /// Line of the file; `None` for the command line.
    line: Option<usize>,
}

impl Report<'_> {
    fn differing(&self) -> Vec<Differing> {
        const PORT: &str = "transport.port";
        let by_file = self.examined.differing.iter().map(|(setting, line)| {
            let value = value_shown(&setting.key, &setting.value);
            Differing { key: setting.key.clone(), value, line: Some(*line) }
        });
        // The command line wins.
        let mut all: Vec<_> = by_file.filter(|value| value.key != PORT || self.port.is_none()).collect();
        all.extend(self.port.map(|port| Differing {
            key: PORT.to_owned(),
            value: port.to_string(),
            line: None,
        }));
        all
    }

    fn json(&self) -> Value {
        let mistakes: Vec<_> = self
            .examined
            .mistakes
            .iter()
            .map(|mistake| {
                json!({
                    "line": mistake.line, "column": mistake.column, "field": mistake.field,
                    "problem": mistake.problem, "advice": mistake.advice,
                })
            })
            .collect();
        let differing: Vec<_> = self
            .differing()
            .into_iter()
            .map(|value| {
                let origin = if value.line.is_some() { "file" } else { "command line" };
                json!({ "key": value.key, "value": value.value, "origin": origin, "line": value.line })
            })
            .collect();
        json!({
            "ok": mistakes.is_empty(), "file": self.file, "exists": self.examined.exists,
            "mistakes": mistakes, "differs_from_default": differing, "unused": self.examined.unused,
        })
    }
}

fn json_text(report: &Value) -> String {
    visible_json(&report.to_string()) + "\n"
}

/// Returns the lines for a person.
fn report(report: &Report<'_>) -> String {
    let Report { file, examined, .. } = report;
    let file = file.display();
    if !examined.mistakes.is_empty() {
        return examined.mistakes.iter().map(|mistake| safe_line(format_args!("{file}:{mistake}"))).collect();
    }
    let mut text = match examined.exists {
        true => safe_line(format_args!("ok  {file}")),
        false => safe_line(format_args!("ok  there is no {file}, so that all values are the defaults")),
    };
    let differing = report.differing();
    let width = differing.iter().map(|value| value.key.len()).max().unwrap_or_default();
    match differing.is_empty() {
        true if examined.exists => text += "all values are the defaults\n",
        true => {}
        false => text += "differs from the defaults:\n",
    }
    for Differing { key, value, line } in differing {
        let origin = line.map_or_else(|| "--port".to_owned(), |line| format!("line {line}"));
        text += &safe_line(format_args!("  {key:<width$}  {value}  ({origin})"));
    }
    if !examined.unused.is_empty() {
        let unused = examined.unused.join(", ");
        text += &safe_line(format_args!("not used by this version: {unused}"));
    }
    text
}

/// Returns the value as the file has it, shortened. A field that should name a variable may hold a secret instead.
fn value_shown(key: &str, value: &str) -> String {
    if key.ends_with("_env") && !variables::is_variable(value.trim_matches(['"', '\''])) {
        return "[redacted]".to_owned();
    }
    match value.chars().count() {
        ..=SHOWN_CHARS => value.to_owned(),
        _ => value.chars().take(SHOWN_CHARS).chain("...".chars()).collect(),
    }
}
