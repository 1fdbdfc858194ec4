//! Options of `hearthnet history`.

use std::str::FromStr;

use chrono::{DateTime, Duration, Utc};
use clap::Args;

use super::span::Span;
use crate::cli::log::period::require_order;
use crate::cli::log::time::{Edge, TimeSpec, Zone};
use crate::failure::Failure;

const HELP: &str = "\
calls are those that ended in the time, errors those whose result is neither `ok` nor `cancelled`. p50, p95 and p99 are \
quantiles of all calls of the step, with an error of at most 9 %.

A TIME is an age (`2h`, `90s`, `1d 12h`), `today`, `yesterday`, a date (`2026-11-28`), a time of today (`10:00`), both, or RFC 3339. \
Without an offset it is in the zone of the times that are shown.

Examples:
  hearthnet history --since yesterday --step 1h
  hearthnet history --since 02:00 --until 03:00 --capability llm.chat --step 1m";

/// Shows the calls of the last days, by capability and time, and the restarts of the node. The node need not run.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct HistoryArgs {
    /// Show minutes at this time and later. The default is 24 hours ago.
    #[arg(long, short = 'S', value_name = "TIME", allow_hyphen_values = true)]
    since: Option<TimeSpec>,
    /// Show minutes before this time. The default is now.
    #[arg(long, short = 'U', value_name = "TIME", allow_hyphen_values = true)]
    until: Option<TimeSpec>,
    /// Show capabilities whose name has this part, or matches this glob with `*` and `?`. Case does not matter.
    #[arg(long, value_name = "PATTERN")]
    pub(super) capability: Option<String>,
    /// Length of a row: auto, 1m, 10m, 1h or 1d.
    #[arg(long, value_name = "STEP", default_value = "auto")]
    pub(super) step: Step,
    /// Show times in UTC.
    #[arg(long, conflicts_with = "local")]
    utc: bool,
    /// Show times in the zone of this machine. This is the default.
    #[arg(long)]
    local: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Length of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Auto,
    Minutes(i64),
    /// Days of the zone. At a change to or from daylight saving they have 23 or 25 hours.
    Day,
}

impl FromStr for Step {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Step, Self::Err> {
        match text {
            "auto" => Ok(Step::Auto),
            "1m" => Ok(Step::Minutes(1)),
            "10m" => Ok(Step::Minutes(10)),
            "1h" => Ok(Step::Minutes(60)),
            "1d" => Ok(Step::Day),
            _ => Err("expected auto, 1m, 10m, 1h or 1d"),
        }
    }
}

impl Step {
    /// Returns a step that makes a page of a span.
    pub(super) fn for_span(self, length: Duration) -> Step {
        match self {
            Step::Auto if length <= Duration::minutes(60) => Step::Minutes(1),
            Step::Auto if length <= Duration::hours(6) => Step::Minutes(10),
            Step::Auto if length <= Duration::days(3) => Step::Minutes(60),
            Step::Auto => Step::Day,
            step => step,
        }
    }
}

impl HistoryArgs {
    /// Returns the span that is asked for.
    pub(super) fn span(&self, now: DateTime<Utc>) -> Result<Span, Failure> {
        let zone = if self.utc { Zone::Utc } else { Zone::Local };
        let resolve = |time: &Option<TimeSpec>, edge| time.as_ref().map(|time| time.resolve(now, zone, edge));
        let until = resolve(&self.until, Edge::Latest).unwrap_or(now);
        let since = resolve(&self.since, Edge::Earliest);
        let since = since.unwrap_or_else(|| until.checked_sub_signed(Duration::days(1)).unwrap_or(until));
        require_order(since, until, zone)?;
        Ok(Span { since, until, zone })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        history: HistoryArgs,
    }

    fn parse(line: &[&str]) -> Result<HistoryArgs, clap::Error> {
        Ok(CommandLine::try_parse_from(["history"].iter().chain(line))?.history)
    }

    #[test]
    fn the_last_day_is_the_default_and_steps_make_a_page() {
        let now = "2026-11-28T14:00:00Z".parse().unwrap();
        let span = parse(&["--utc"]).unwrap().span(now).unwrap();
        assert_eq!((span.until, span.until - span.since), (now, Duration::days(1)));
        let step = |hours| Step::Auto.for_span(Duration::hours(hours));
        assert_eq!(
            [step(1), step(6), step(24), step(24 * 14)],
            [Step::Minutes(1), Step::Minutes(10), Step::Minutes(60), Step::Day]
        );
        assert_eq!(Step::Minutes(1).for_span(Duration::days(14)), Step::Minutes(1));
    }

    #[test]
    fn mistakes_name_what_is_allowed() {
        for (line, allowed) in [
            (&["--since", "soon"][..], "yesterday"),
            (&["--step", "2h"], "1m, 10m, 1h or 1d"),
            (&["--utc", "--local"], "--local"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(allowed), "{line:?}: {error}");
        }
        let reversed = parse(&["--since", "1h", "--until", "2h"]).unwrap();
        let refused = reversed.span(Utc::now()).unwrap_err();
        assert!(refused.to_string().contains("later than --until"), "{refused}");
    }
}
