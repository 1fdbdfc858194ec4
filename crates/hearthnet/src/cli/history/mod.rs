//! `hearthnet history`: calls of the last days, by capability and time.

mod calls;
mod empty;
mod events;
mod json;
mod options;
mod span;
mod table;

use std::path::Path;
use std::process::ExitCode;

use chrono::{Duration, Utc};
use obs_facade::doctor::render::{ColorChoice, TextStyle};
use obs_facade::history::{ErrorKind, Reader};

use self::calls::Calls;
pub(crate) use self::options::HistoryArgs;
use self::options::Step;
use self::span::Span;
pub(crate) use self::table::moment;
use super::caps::pattern::Pattern;
use super::log::period::Period;
use super::log::time::Zone;
use super::output::{not_written, print, say_on_stderr};
use super::visible::visible_json;
use crate::config::Config;
use crate::failure::Failure;

/// Returns the calls and runs of the last hours as JSON, for a report. Without a first time these are 24 hours.
pub(in crate::cli) fn document(folder: &Path, period: Period) -> Result<String, String> {
    let until = period.until.unwrap_or_else(Utc::now);
    let since = period.since.or_else(|| until.checked_sub_signed(Duration::days(1))).unwrap_or(until);
    let span = Span { since, until, zone: Zone::Utc };
    let reader = Reader::open(folder).map_err(|error| error.to_string())?;
    let calls = Calls::read(&reader, span, Step::Auto, None).map_err(|error| error.to_string())?;
    Ok(json::document(&calls, span).to_string())
}

/// Reads the file, whether the node runs or not.
pub(crate) fn run(args: &HistoryArgs, config: &Config) -> Result<ExitCode, Failure> {
    let now = Utc::now();
    let span = args.span(now)?;
    let reader = match Reader::open(&config.observability.history_dir()) {
        Ok(reader) => reader,
        Err(error) if error.kind() == ErrorKind::Missing => {
            return Err(Failure::error(empty::no_file(config, &error)));
        }
        Err(error) => return Err(Failure::error(error.to_string())),
    };
    let pattern = args.capability.as_deref().map(Pattern::from);
    let calls = Calls::read(&reader, span, args.step, pattern.as_ref())
        .map_err(|error| Failure::error(error.to_string()))?;
    let events = events::of(&calls.runs, span, now);
    let shown = match args.json {
        true => visible_json(&json::document(&calls, span).to_string()),
        false if calls.is_empty() && events.is_empty() => String::new(),
        false => table::render(&calls, &events, span.zone, TextStyle::for_stdout(ColorChoice::Auto).width),
    };
    print(&shown).map_err(|error| not_written(&error))?;
    if calls.is_empty() {
        say_on_stderr(empty::explanation(&calls, span, args.capability.as_deref(), &reader));
    }
    if calls.unreadable > 0 {
        let rows = calls.unreadable;
        say_on_stderr(format_args!(
            "{rows} rows of the history could not be read; another program wrote them"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
