//! Lines that a query selects.

use obs_console::Failure;
use obs_console::api::{LogLine, LogQuery};
use obs_log::reader::{Head, Window};
use obs_trace::{IdPattern, TraceId};
use serde_json::Value;

use super::line;
use crate::console::clock;

/// Levels from the least important.
const LEVELS: [&str; 5] = ["trace", "debug", "info", "warning", "error"];
/// Number of the level from which a line is a fault.
const FAULT: usize = 3;

/// Conditions that a line must meet.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) window: Window,
    /// Number of the lowest level.
    level: usize,
    logger: Option<String>,
    trace: Option<IdPattern>,
    /// Text in lower case.
    text: Option<String>,
    fields: Vec<(String, String)>,
}

impl Filter {
    pub(super) fn of(query: &LogQuery) -> Result<Filter, Failure> {
        let bad = |what: &str| Failure::BadQuery(what.to_owned());
        let level = match query.level.as_deref() {
            None | Some("") => 0,
            Some(name) => LEVELS
                .iter()
                .position(|level| *level == name)
                .ok_or_else(|| bad("level: give trace, debug, info, warning or error"))?,
        };
        let trace = query.trace.as_deref().map(str::parse).transpose();
        let trace = trace.map_err(|error| Failure::BadQuery(format!("trace: {error}")))?;
        if let (Some(since), Some(until)) = (query.since, query.until)
            && since >= until
        {
            return Err(bad("since: it must be earlier than until"));
        }
        let since = query.since.map(|second| clock::at(second).into());
        // The last millisecond, because a window of lines has its end in it.
        let until = query.until.map(|second| clock::at(second) - std::time::Duration::from_millis(1));
        Ok(Filter {
            window: Window::new(since, until.map(Into::into)),
            level,
            logger: query.logger.as_ref().map(|logger| logger.replace("::", ".")),
            trace,
            text: query.text.as_ref().filter(|text| !text.is_empty()).map(|text| text.to_lowercase()),
            fields: query.fields.clone(),
        })
    }

    /// Returns the time of the line, and whether it is a fault, if it is whole and meets the conditions.
    pub(super) fn admits(&self, line: &[u8]) -> Option<Admitted> {
        let head = Head::of(line)?;
        let level = LEVELS.iter().position(|level| *level == head.level)?;
        if level < self.level || self.window.place_of(head.time).is_some() {
            return None;
        }
        if let (Some(wanted), Some(logger)) = (&self.logger, head.logger)
            && !is_below(logger, wanted)
        {
            return None;
        }
        let is_cheap = self.trace.is_none()
            && self.text.is_none()
            && self.fields.is_empty()
            && (self.logger.is_none() || head.logger.is_some());
        let is_met = match is_cheap {
            // A damaged line cannot be shown, so it is not counted either.
            true => line::is_whole(line),
            false => !self.surely_lacks(line) && self.has_all(&line::parse(line)?),
        };
        is_met.then_some(Admitted { time: head.time, is_fault: level >= FAULT })
    }

    /// Returns whether the bytes show that the line lacks something. Parsing it would take ten times as long.
    fn surely_lacks(&self, line: &[u8]) -> bool {
        let lacks_text = self.text.as_ref().is_some_and(|text| is_plain(text) && !has_text(line, text));
        lacks_text || self.trace.is_some() && !has_text(line, "\"trace_id\"")
    }

    fn has_all(&self, line: &LogLine) -> bool {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        self.logger.as_ref().is_none_or(|wanted| is_below(text("logger"), wanted))
            && self.trace.as_ref().is_none_or(|wanted| {
                let id: Option<TraceId> = text("trace_id").parse().ok();
                id.is_some_and(|id| wanted.matches(id))
            })
            && self.fields.iter().all(|(key, value)| {
                line.get(key).is_some_and(|found| match found {
                    Value::String(found) => found == value,
                    other => serde_json::to_string(other).is_ok_and(|found| found == *value),
                })
            })
            && self.text.as_ref().is_none_or(|text| contains(line, text))
    }
}

/// Line that meets the conditions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) time: obs_log::reader::LineTime,
    pub(super) is_fault: bool,
}

/// Returns whether `logger` is `wanted`, or below it at a dot.
fn is_below(logger: &str, wanted: &str) -> bool {
    logger.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns whether a text stands in the bytes of a line as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=') || byte == b' ')
}

/// Returns whether the line has the text, in any case of ASCII letters.
fn has_text(line: &[u8], text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return true };
    let (low, high) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let starts = line.iter().enumerate().filter(|(_, byte)| **byte == low || **byte == high);
    starts
        .map(|(at, _)| &line[at..])
        .any(|rest| rest.get(..text.len()).is_some_and(|part| part.eq_ignore_ascii_case(text.as_bytes())))
}

/// Returns whether the logger, the message or a field, as `key=value`, contains the text, which is in lower case.
fn contains(line: &LogLine, text: &str) -> bool {
    line.iter().any(|(key, value)| {
        let value = match value {
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        match key.as_str() {
            "ts" | "level" => false,
            "msg" | "logger" => value.to_lowercase().contains(text),
            key => format!("{key}={value}").to_lowercase().contains(text),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"warning","logger":"hearthnet.bus.router","msg":"Peer \"Ünal\" is gone","trace_id":"01HXR3F2M9Z5T1V8Q4W7N6K0JD","ms":12,"to":"eve","o":{"a":[1]}}"#;

    fn admits(change: impl FnOnce(&mut LogQuery)) -> bool {
        let mut query = LogQuery::default();
        change(&mut query);
        Filter::of(&query).unwrap().admits(LINE.as_bytes()).is_some()
    }

    #[test]
    fn every_condition_is_met_or_not() {
        let text = |text: &str| Some(text.to_owned());
        assert!(admits(|_| {}));
        for (level, met) in [("debug", true), ("warning", true), ("error", false)] {
            assert_eq!(admits(|query| query.level = text(level)), met, "{level}");
        }
        for (logger, met) in [
            ("hearthnet", true),
            ("hearthnet.bus", true),
            ("hearthnet::bus::router", true),
            ("hearthnet.b", false),
            ("bus", false),
        ] {
            assert_eq!(admits(|query| query.logger = text(logger)), met, "{logger}");
        }
        for (found, met) in [
            ("PEER", true),
            ("ünal\"", true),
            ("to=EVE", true),
            ("ms=12", true),
            ("\"a\":[1]", true),
            ("is gone", true),
            ("\"level\"", false),
            ("08:14", false),
            ("gone!", false),
        ] {
            assert_eq!(admits(|query| query.text = text(found)), met, "{found}");
        }
        for (trace, met) in [("01HXR3F2M9Z5T1V8Q4W7N6K0JD", true), ("K0JD", true), ("K0JX", false)] {
            assert_eq!(admits(|query| query.trace = text(trace)), met, "{trace}");
        }
        for (key, value, met) in
            [("ms", "12", true), ("to", "eve", true), ("to", "ev", false), ("x", "", false)]
        {
            assert_eq!(admits(|query| query.fields = vec![(key.to_owned(), value.to_owned())]), met, "{key}");
        }
        // 2026-05-26T08:14:22Z
        let second = 1_779_783_262;
        for (since, until, met) in [
            (Some(second), Some(second + 1), true),
            (Some(second + 1), None, false),
            (None, Some(second), false),
        ] {
            assert_eq!(
                admits(|query| (query.since, query.until) = (since, until)),
                met,
                "{since:?} {until:?}"
            );
        }
    }

    #[test]
    fn a_wrong_query_names_the_parameter() {
        let refused = |query: LogQuery| match Filter::of(&query) {
            Err(Failure::BadQuery(why)) => why,
            other => panic!("{other:?}"),
        };
        let text = |text: &str| Some(text.to_owned());
        assert!(refused(LogQuery { level: text("loud"), ..LogQuery::default() }).contains("level"));
        assert!(refused(LogQuery { trace: text("K0"), ..LogQuery::default() }).contains("trace"));
        let window = LogQuery { since: Some(2), until: Some(2), ..LogQuery::default() };
        assert!(refused(window).contains("since"));
    }

    #[test]
    fn damaged_lines_are_not_admitted() {
        let filter = Filter::of(&LogQuery::default()).unwrap();
        for line in ["", "{", "\u{fffd}", "[1]", &LINE[1..], &LINE[..LINE.len() - 1], &LINE[..120]] {
            assert!(filter.admits(line.as_bytes()).is_none(), "{line}");
        }
    }
}
