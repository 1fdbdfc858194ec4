//! `hearthnet problems`: what is wrong with the node, one line a cause.

mod change;
mod list;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::{Args, Subcommand};
use obs_facade::doctor::render::{ColorChoice, TextStyle};

use self::list::List;
use super::log::time::{Edge, TimeSpec, Zone};
use super::node_url::UrlArg;
use super::output::{not_written, print, say_on_stderr};
use super::visible::visible_json;
use crate::config::Config;
use crate::failure::Failure;
use crate::levels::period;
use crate::problems::silence::Wish;
use crate::wire::clock;

const HELP: &str = "\
A problem is all errors of one cause: lines of the log of level warning and error, failed calls, panics, and failing checks. It is \
over by itself when its check passes, or when its cause was not seen for a day, and listed for a week more with --all.

If no node runs, the problems that the last one stored are shown.

Examples:
  hearthnet problems
  hearthnet problems mute 3f0a91c2de --for 2h
  hearthnet problems mute 3f0a91c2de --until tomorrow
  hearthnet problems --json --all | jq '.problems[].title'";

/// Shows what is wrong with the node: errors grouped by their cause, with counts, times and an example.
#[derive(Args, Debug)]
#[command(after_help = HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct ProblemsArgs {
    #[command(subcommand)]
    command: Option<ProblemsCommand>,
    /// Show muted problems and those that are over, too.
    #[arg(long)]
    all: bool,
    /// Show times in UTC.
    #[arg(long)]
    utc: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: UrlArg,
}

#[derive(Debug, Subcommand)]
enum ProblemsCommand {
    Mute(MuteArgs),
    Unmute(UnmuteArgs),
}

/// Hides a problem until a time. It is still counted, and the hook is not told of it.
#[derive(Args, Debug)]
struct MuteArgs {
    /// ID of the problem, as the list shows it.
    #[arg(value_name = "ID")]
    id: String,
    /// Length of the silence, such as 90m, 2h or 7d [default: 24h].
    #[arg(long = "for", value_name = "TIME", value_parser = parse_length, conflicts_with = "until")]
    length: Option<Duration>,
    /// End of the silence, such as `tomorrow`, `20:00` or `2026-12-01`.
    #[arg(long, value_name = "TIME")]
    until: Option<TimeSpec>,
}

/// Shows a muted problem again.
#[derive(Args, Debug)]
struct UnmuteArgs {
    /// ID of the problem, as the list shows it.
    #[arg(value_name = "ID")]
    id: String,
}

/// Silence without a time: a person looks at a node once a day.
const DEFAULT_SILENCE: Duration = Duration::from_secs(24 * 3600);

fn parse_length(text: &str) -> Result<Duration, String> {
    let (days, rest) = text.split_once('d').unwrap_or(("0", text));
    let is_number = !days.is_empty() && days.bytes().all(|byte| byte.is_ascii_digit());
    let days = is_number.then(|| days.parse::<u64>().ok()?.checked_mul(86_400)).flatten();
    let rest =
        if rest.is_empty() && text.ends_with('d') { Some(Duration::ZERO) } else { period::parse(rest) };
    days.and_then(|days| Duration::from_secs(days).checked_add(rest?))
        .ok_or_else(|| "expected days, hours, minutes and seconds, as in 90m, 2h or 7d".to_owned())
}

/// Runs the command against the running node, or shows what the last one stored.
pub(crate) fn run(args: &ProblemsArgs, config: &Config) -> Result<ExitCode, Failure> {
    let node = args.node.node(config.local_address());
    match &args.command {
        None => show(args, config)?,
        Some(ProblemsCommand::Mute(mute)) => {
            let wish = mute.wish();
            // Refused here already, so that a mistake is found without a node.
            wish.until(Utc::now()).map_err(Failure::usage)?;
            change::send(&node, &mute.id, &wish)?;
        }
        Some(ProblemsCommand::Unmute(unmute)) => {
            change::send(&node, &unmute.id, &Wish { unmute: true, ..Wish::default() })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl MuteArgs {
    fn wish(&self) -> Wish {
        match &self.until {
            Some(until) => {
                let until = until.resolve(Utc::now(), Zone::Local, Edge::Earliest);
                Wish { mute_until: Some(clock::text(until)), ..Wish::default() }
            }
            None => {
                let length = self.length.unwrap_or(DEFAULT_SILENCE);
                Wish { mute_seconds: Some(length.as_secs()), ..Wish::default() }
            }
        }
    }
}

fn show(args: &ProblemsArgs, config: &Config) -> Result<(), Failure> {
    let node = args.node.node(config.local_address());
    let (list, note) = List::of_node_or_file(&node, args.node.is_named(), config)?;
    let all = list.problems.len();
    let list = if args.all { list } else { list.open_only() };
    let zone = if args.utc { Zone::Utc } else { Zone::Local };
    let shown = match args.json {
        true => visible_json(&list.json.to_string()),
        false => screen::render(&list, Utc::now(), zone, TextStyle::for_stdout(ColorChoice::Auto).width),
    };
    print(&shown).map_err(|error| not_written(&error))?;
    if let Some(note) = note {
        say_on_stderr(note);
    }
    if list.problems.is_empty() {
        say_on_stderr(match all {
            0 => {
                "no problems; errors, failed calls, panics and failing checks of the node will be listed here"
                    .to_owned()
            }
            more => {
                format!("no open problems; {more} are muted or over: `hearthnet problems --all` shows them")
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_written_in_days_and_hours() {
        for (text, seconds) in
            [("90m", 5_400), ("2h", 7_200), ("7d", 604_800), ("1d12h", 129_600), ("0d5s", 5)]
        {
            assert_eq!(parse_length(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "d", "2", "-1d", "+1d", "1d1d", "99999999999999999999d", "1.5d", "tomorrow"] {
            assert!(parse_length(bad).unwrap_err().contains("7d"), "{bad}");
        }
    }
}
