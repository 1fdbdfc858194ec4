//! Lines of the log in an archive.

use std::collections::BTreeMap;

use chrono::DateTime;
use obs_facade::console::api::{LogCount, LogLine, LogLines, LogQuery, TailLines, TraceLog};
use obs_facade::console::{Failure, Tail};
use serde_json::Value;

use super::super::place::LINES;
use super::files::Files;

/// Maximum number of lines of an answer.
const MAX_LINES: usize = 10_000;
/// Number of steps of the counts, about.
const STEPS: u64 = 60;
/// Levels from the least important one.
const LEVELS: [&str; 5] = ["trace", "debug", "info", "warning", "error"];

/// Lines by time, oldest first.
#[derive(Debug)]
pub(super) struct Lines(Vec<Kept>);

#[derive(Debug)]
struct Kept {
    line: LogLine,
    /// Seconds since 1970.
    second: u64,
}

impl Lines {
    pub(super) fn of(files: &Files) -> Lines {
        let kept = |text: &str| {
            let line: LogLine = serde_json::from_str(text).ok()?;
            let time = DateTime::parse_from_rfc3339(line.get("ts")?.as_str()?).ok()?;
            Some(Kept { line, second: u64::try_from(time.timestamp()).ok()? })
        };
        Lines(files.text(LINES).unwrap_or_default().lines().filter_map(kept).collect())
    }

    /// Returns the newest lines that match, or those around a time.
    pub(super) fn search(&self, query: &LogQuery) -> Result<LogLines, Failure> {
        let level = match query.level.as_deref() {
            None | Some("") => 0,
            Some(name) => LEVELS.iter().position(|level| *level == name).ok_or_else(|| {
                Failure::BadQuery("level: give trace, debug, info, warning or error".to_owned())
            })?,
        };
        let limit = query.n.min(MAX_LINES);
        let found: Vec<&Kept> = match query.around.as_deref().filter(|around| !around.is_empty()) {
            Some(around) => self.around(around, limit)?,
            None => self.0.iter().filter(|kept| kept.matches(query, level)).collect(),
        };
        let step = step_seconds(&found);
        Ok(LogLines {
            lines: found[found.len().saturating_sub(limit)..].iter().map(|kept| kept.line.clone()).collect(),
            counts: counts(&found, step),
            step_seconds: u32::try_from(step).unwrap_or(u32::MAX),
            matched: found.len() as u64,
            searched_since: self.oldest(),
            oldest: self.oldest(),
        })
    }

    /// Returns the lines of a trace.
    pub(super) fn of_trace(&self, id: &str) -> TraceLog {
        let mut log = TraceLog::default();
        let has_id = |kept: &&Kept| kept.line.get("trace_id").and_then(Value::as_str) == Some(id);
        for Kept { line, .. } in self.0.iter().filter(has_id) {
            let length = serde_json::to_vec(line).map_or(0, |bytes| bytes.len());
            log.add(length, true, || Some(line.clone()));
        }
        log
    }

    fn around(&self, around: &str, limit: usize) -> Result<Vec<&Kept>, Failure> {
        let time = DateTime::parse_from_rfc3339(around).map_err(|_| {
            Failure::BadQuery("around: give a time such as 2026-11-28T02:00:00.000Z".to_owned())
        })?;
        let second = u64::try_from(time.timestamp()).unwrap_or_default();
        let middle = self.0.partition_point(|kept| kept.second < second);
        let first = middle.saturating_sub(limit / 2);
        Ok(self.0[first..].iter().take(limit).collect())
    }

    fn oldest(&self) -> Option<String> {
        Some(self.0.first()?.line.get("ts")?.as_str()?.to_owned())
    }
}

impl Kept {
    fn matches(&self, query: &LogQuery, level: usize) -> bool {
        let text = |key: &str| self.line.get(key).and_then(Value::as_str).unwrap_or_default();
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        query.since.is_none_or(|since| self.second >= since)
            && query.until.is_none_or(|until| self.second < until)
            && LEVELS.iter().position(|level| *level == text("level")).unwrap_or_default() >= level
            && given(&query.logger).is_none_or(|wanted| {
                let rest = text("logger").strip_prefix(wanted.replace("::", ".").as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            && given(&query.trace).is_none_or(|wanted| is_like(text("trace_id"), &wanted))
            && query
                .fields
                .iter()
                .all(|(key, value)| self.line.get(key).is_some_and(|found| shown(found) == *value))
            && given(&query.text).is_none_or(|wanted| self.contains(&wanted.to_lowercase()))
    }

    /// Returns whether the logger, the message or a field, as `key=value`, contains the text in lower case.
    fn contains(&self, text: &str) -> bool {
        self.line.iter().any(|(key, value)| match key.as_str() {
            "ts" | "level" => false,
            "msg" | "logger" => shown(value).to_lowercase().contains(text),
            key => format!("{key}={}", shown(value)).to_lowercase().contains(text),
        })
    }
}

/// Returns whether the ID of a trace is the wanted one: whole, its beginning, its end, or both with `…` between.
pub(super) fn is_like(id: &str, wanted: &str) -> bool {
    match wanted.split_once('…').or_else(|| wanted.split_once("...")) {
        Some((begin, end)) => id.starts_with(begin) && id.ends_with(end),
        None => !wanted.is_empty() && (id.starts_with(wanted) || id.ends_with(wanted)),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn step_seconds(found: &[&Kept]) -> u64 {
    const LENGTHS: [u64; 9] = [1, 10, 60, 300, 600, 1_800, 3_600, 21_600, 86_400];
    let (first, last) =
        (found.first().map_or(0, |kept| kept.second), found.last().map_or(0, |kept| kept.second));
    let length = last.saturating_sub(first);
    LENGTHS.into_iter().find(|step| length / step <= STEPS).unwrap_or(length / STEPS)
}

fn counts(found: &[&Kept], step: u64) -> Vec<LogCount> {
    let mut counts: BTreeMap<u64, LogCount> = BTreeMap::new();
    for kept in found {
        let t = kept.second - kept.second % step.max(1);
        let count = counts.entry(t).or_insert(LogCount { t, lines: 0, faults: 0 });
        count.lines += 1;
        let level = kept.line.get("level").and_then(Value::as_str);
        count.faults += u64::from(matches!(level, Some("warning" | "error")));
    }
    counts.into_values().collect()
}

/// Tail of a log that has ended.
pub(super) struct Ended {
    lines: Vec<LogLine>,
    /// Number of all lines, which each event tells.
    written: u64,
}

impl Ended {
    pub(super) fn of(lines: Vec<LogLine>) -> Ended {
        Ended { written: lines.len() as u64, lines }
    }
}

impl Tail for Ended {
    fn read(&mut self, most: usize) -> Result<TailLines, Failure> {
        let mut lines = std::mem::take(&mut self.lines);
        let skipped = lines.len().saturating_sub(most);
        lines.drain(..skipped);
        Ok(TailLines { lines, skipped: skipped as u64, filtered: 0, written: self.written })
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::{archive, manifest};
    use super::*;

    fn lines() -> Lines {
        let line = |at: usize, level: &str, more: &str| {
            format!(
                "{{\"ts\":\"2026-11-28T02:00:{at:02}.000Z\",\"level\":\"{level}\",\"logger\":\"hearthnet.bus\",\"msg\":\"m{at}\"{more}}}\n"
            )
        };
        let mut text: String = (0..30).map(|at| line(at, "info", "")).collect();
        text += "not JSON\n[1]\n{\"ts\":5}\n";
        text += &line(30, "error", ",\"trace_id\":\"01M8A0G3D5K2VW2YF5NDMDVJVN\",\"n\":5");
        let files = archive(&[("r/log.jsonl", &text), ("r/manifest.json", &manifest().to_string())]);
        Lines::of(&Files::of(&*files).unwrap())
    }

    #[test]
    fn lines_are_found_by_every_condition() {
        let lines = lines();
        let matched = |change: &dyn Fn(&mut LogQuery)| {
            let mut query = LogQuery { n: 10, ..LogQuery::default() };
            change(&mut query);
            lines.search(&query).unwrap().matched
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(matched(&|_| {}), 31);
        assert_eq!(matched(&|query| query.level = text("warning")), 1);
        assert_eq!(matched(&|query| query.trace = text("01M8A0…VJVN")), 1);
        assert_eq!(matched(&|query| query.text = text("N=5")), 1);
        assert_eq!(matched(&|query| query.fields = vec![("n".to_owned(), "5".to_owned())]), 1);
        assert_eq!(matched(&|query| query.logger = text("hearthnet")), 31);
        assert_eq!(matched(&|query| query.logger = text("hearth")), 0);
        let found = lines.search(&LogQuery { n: 10, ..LogQuery::default() }).unwrap();
        assert_eq!((found.lines.len(), found.lines[9]["msg"].as_str()), (10, Some("m30")));
        assert_eq!(found.counts.iter().map(|count| count.lines).sum::<u64>(), 31);
        let around = text("2026-11-28T02:00:10.000Z");
        let found = lines.search(&LogQuery { n: 4, around, ..LogQuery::default() }).unwrap();
        assert_eq!(found.lines[0]["msg"], "m8");
        let wrong = LogQuery { level: text("loud"), ..LogQuery::default() };
        assert!(matches!(lines.search(&wrong), Err(Failure::BadQuery(_))));
    }
}
