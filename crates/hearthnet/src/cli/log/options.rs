//! Options of `hearthnet log`.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use obs_facade::doctor::render::ColorChoice;
use obs_facade::trace::IdPattern;

use super::filter::{FieldSpec, Filter};
use super::level::LevelArgs;
use super::line::Level;
use super::period::PeriodArgs;
use super::time::Zone;
use crate::failure::Failure;

const EXAMPLE: &str = "\
A TIME is an age (`2h`, `90s`, `1d 12h`), `today`, `yesterday`, a date (`2026-11-28`), a time of today (`10:00`), both, or RFC 3339. \
Without an offset it is in the zone of the times that are shown.

Example: hearthnet log --since 2h --level warning --grep \"connection refused\" --context 3";

/// Number of lines with which `--follow` begins.
const FOLLOWED_LINES: usize = 10;

/// Shows the log of the node.
///
/// At a terminal, a pager shows it: $HEARTHNET_PAGER, else $PAGER, else `less -FRX`. An empty value or `cat` means none.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLE)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LogCommand>,
    /// Wait for new lines and show them, until interrupted. Begins with the last 10 lines, or with all since --since.
    #[arg(long, short, conflicts_with = "until")]
    pub(super) follow: bool,
    /// Show lines of this level and above.
    #[arg(long, value_name = "L")]
    level: Option<Level>,
    /// Show loggers with this name in their path: `bus` and `bus.router` select `hearthnet.bus.router`.
    #[arg(long, value_name = "NAME")]
    pub(super) component: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    /// Show lines of this trace: its ID, or the part of it that is shown, such as `01HXR3…K0JD` or `K0JD`.
    #[arg(long, value_name = "ID")]
    trace: Option<IdPattern>,
    /// Show lines with this text in their logger, message, fields (`key=value`) or trace ID. Plain text. Case matters if it
    /// has an upper-case letter.
    #[arg(long, short = 'g', value_name = "TEXT", allow_hyphen_values = true)]
    grep: Option<String>,
    /// Show lines that have this field, with its value as it is shown. May be given more than once: values of one key are
    /// alternatives, and keys add up.
    #[arg(long, value_name = "KEY=VALUE")]
    field: Vec<FieldSpec>,
    /// Show the last N of these lines, or `all`.
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true)]
    lines: Option<Lines>,
    /// Show also N lines before and after each of these lines.
    #[arg(long, short = 'C', value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = parse_context)]
    pub(super) context: usize,
    /// Show times in UTC.
    #[arg(long, conflicts_with = "local")]
    utc: bool,
    /// Show times in the zone of this machine. This is the default.
    #[arg(long)]
    local: bool,
    /// When to use colours: auto, always or never.
    #[arg(long, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
    /// Use no pager.
    #[arg(long)]
    pub(super) no_pager: bool,
    /// Print the JSON lines of the files.
    #[arg(long)]
    pub(super) json: bool,
}

/// Commands below `hearthnet log`.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    Level(LevelArgs),
}

/// Number of last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    All,
    Last(usize),
}

impl FromStr for Lines {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Lines, Self::Err> {
        match text {
            "all" => Ok(Lines::All),
            number => number.parse().map(Lines::Last).map_err(|_| "expected a number of lines, or `all`"),
        }
    }
}

fn parse_context(text: &str) -> Result<usize, String> {
    // Each line may take a megabyte of memory.
    const MOST: usize = 1_000;
    text.parse()
        .ok()
        .filter(|lines| *lines <= MOST)
        .ok_or_else(|| format!("expected a number from 0 to {MOST}"))
}

impl LogArgs {
    pub(super) fn zone(&self) -> Zone {
        if self.utc { Zone::Utc } else { Zone::Local }
    }

    /// Returns the number of last lines that are shown. `None` means all.
    pub(super) fn last_lines(&self) -> Option<usize> {
        match self.lines {
            Some(Lines::Last(lines)) => Some(lines),
            Some(Lines::All) => None,
            None if self.follow && self.period.since.is_none() => Some(FOLLOWED_LINES),
            None => None,
        }
    }

    /// Returns the filter, and a description of the lines that it selects.
    pub(super) fn filter(&self, now: DateTime<Utc>) -> Result<(Filter, String), Failure> {
        let period = self.period.resolve(now, self.zone())?;
        let filter = Filter::new()
            .window(period.window())
            .level(self.level)
            .component(self.component.as_deref())
            .trace(self.trace.as_ref())
            .text(self.grep.as_deref())
            .fields(&self.field);
        let level = self.level.map(|level| match level {
            Level::Error => " of level error".to_owned(),
            lower => format!(" of level {} or above", lower.name()),
        });
        let parts = [
            level,
            self.component.as_ref().map(|name| format!(" of component `{name}`")),
            self.trace.as_ref().map(|id| format!(" of trace {id}")),
            filter.described_fields(),
            self.grep.as_ref().map(|text| format!(" with `{text}`")),
            Some(period.described(self.zone())),
        ];
        Ok((filter, parts.into_iter().flatten().collect()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        log: LogArgs,
    }

    fn parse(line: &[&str]) -> Result<LogArgs, clap::Error> {
        Ok(CommandLine::try_parse_from(["log"].iter().chain(line))?.log)
    }

    #[test]
    fn following_begins_with_the_last_lines() {
        for (line, lines) in [
            (&[][..], None),
            (&["-f"], Some(10)),
            (&["-f", "-n", "3"], Some(3)),
            (&["-f", "-n0"], Some(0)),
            (&["-f", "--lines", "all"], None),
            (&["-f", "--since", "2h"], None),
            (&["-f", "--since", "-2h", "-n", "5"], Some(5)),
        ] {
            assert_eq!(parse(line).unwrap().last_lines(), lines, "{line:?}");
        }
    }

    #[test]
    fn mistakes_name_what_is_allowed() {
        for (line, allowed) in [
            (&["--since", "soon"][..], "yesterday"),
            (&["--until", "2026-13-01"], "2026-11-28T10:00:00+01:00"),
            (&["--trace", "K0"], "01HXR3…K0JD"),
            (&["--field", "x"], "KEY=VALUE"),
            (&["--lines", "-1"], "all"),
            (&["--lines", "x"], "all"),
            (&["--context", "1001"], "0 to 1000"),
            (&["--level", "loud"], "warning"),
            (&["--color", "purple"], "never"),
            (&["--utc", "--local"], "--local"),
            (&["--follow", "--until", "now"], "--until"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(allowed), "{line:?}: {error}");
        }
    }

    #[test]
    fn the_wish_is_described() {
        let now = "2026-11-28T14:00:00Z".parse().unwrap();
        let line = [
            "--level",
            "warn",
            "--component",
            "bus",
            "--field",
            "a=1",
            "--grep",
            "x",
            "--utc",
            "--since",
            "2h",
        ];
        let (_, wanted) = parse(&line).unwrap().filter(now).unwrap();
        let expected =
            " of level warning or above of component `bus` with a=1 with `x` since 2026-11-28T12:00:00.000Z";
        assert_eq!(wanted, expected);
        let refused = parse(&["--since", "1h", "--until", "2h"]).unwrap().filter(now).err().unwrap();
        assert!(refused.to_string().contains("later than --until"), "{refused}");
    }
}
