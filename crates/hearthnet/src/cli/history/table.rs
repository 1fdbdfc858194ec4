//! Table of calls, as wide as the terminal.

use std::fmt::Write as _;

use chrono::{DateTime, Local, Utc};

use super::calls::{Calls, Counts};
use super::events::Event;
use crate::cli::log::time::Zone;
use crate::cli::output::safe_line;
use crate::cli::status::figures::{count, short_time, squeezed};
use crate::cli::visible::visible;

/// Usual width of the column of names, in characters.
const NAME: usize = 22;
/// Width of the other columns and the gaps.
const OTHERS: usize = 58;
/// Width to which names are cut at most: that of the head of their column.
const LEAST_NAME: usize = 10;

/// Returns the rows with the events between them. A row comes before the events within its step. `width` is that of the
/// terminal; without one no name is cut.
pub(super) fn render(calls: &Calls, events: &[Event], zone: Zone, width: Option<usize>) -> String {
    let mut out = String::new();
    let longest = calls.rows.keys().map(|(_, capability)| visible(capability).chars().count()).max();
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(OTHERS).max(LEAST_NAME));
    let limit = longest.unwrap_or_default().max(NAME).min(room);
    let columns = ("time", "capability", ["calls", "errors", "p50", "p95", "p99"]);
    push(&mut out, columns.0, &format!("{:limit$}", columns.1), &columns.2.map(str::to_owned));
    let mut events = events.iter().peekable();
    let mut shown: Option<DateTime<Utc>> = None;
    for ((at, capability), counts) in &calls.rows {
        while let Some(event) = events.next_if(|event| event.at < *at) {
            push_event(&mut out, event, zone);
            shown = None;
        }
        // The time is shown once for all capabilities of a step.
        let time = if shown == Some(*at) { String::new() } else { moment(*at, zone) };
        shown = Some(*at);
        let name = squeezed(&visible(capability), limit, '…');
        push(&mut out, &time, &format!("{name:limit$}"), &figures(counts));
    }
    events.for_each(|event| push_event(&mut out, event, zone));
    out
}

fn figures(counts: &Counts) -> [String; 5] {
    let quantile = |share| counts.quantile_ms(share).map_or_else(|| "-".to_owned(), short_time);
    [
        count(counts.calls() as u64),
        count(counts.errors() as u64),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
    ]
}

fn push(out: &mut String, time: &str, name: &str, [calls, errors, p50, p95, p99]: &[String; 5]) {
    let line = format!("{time:<16}  {name} {calls:>8} {errors:>6} {p50:>7} {p95:>7} {p99:>7}");
    out.push_str(&safe_line(line.trim_end()));
}

fn push_event(out: &mut String, event: &Event, zone: Zone) {
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = write!(line, "{:<16}  -- {}", moment(event.at, zone), event.text);
    out.push_str(&safe_line(line));
}

/// Returns a time to the minute.
pub(crate) fn moment(time: DateTime<Utc>, zone: Zone) -> String {
    const FORM: &str = "%Y-%m-%d %H:%M";
    match zone {
        Zone::Utc => time.format(FORM).to_string(),
        Zone::Local => time.with_timezone(&Local).format(FORM).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Step;
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-28T{text}:00Z").parse().unwrap()
    }

    #[test]
    fn rows_and_restarts_are_in_order_and_fit_80_columns() {
        let counts = |ok: f64, failed: f64| Counts {
            by_result: [("ok".to_owned(), ok), ("timeout".to_owned(), failed)].into(),
            durations: None,
        };
        let rows = [
            ((at("10:00"), "llm.chat".to_owned()), counts(1_204.0, 3.0)),
            ((at("10:00"), "a.name.that\u{1b}is.much.too.long".to_owned()), counts(123_456_789.0, 0.0)),
            ((at("11:00"), "llm.chat".to_owned()), counts(1.0, 1.0)),
        ];
        let calls = Calls {
            rows: rows.into(),
            runs: Vec::new(),
            unreadable: 0,
            step: Step::Minutes(60),
            others: Vec::new(),
        };
        let events = [Event { at: at("10:42"), text: "node started".to_owned() }];
        let expected = "\
time              capability                 calls errors     p50     p95     p99
2026-11-28 10:00  a.name.that…much.too.long 123 456 789      0       -       -       -
                  llm.chat                   1 207      3       -       -       -
2026-11-28 10:42  -- node started
2026-11-28 11:00  llm.chat                       2      1       -       -       -
";
        let shown = render(&calls, &events, Zone::Utc, Some(80));
        let plain: Vec<String> =
            shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let wanted: Vec<String> =
            expected.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(plain[0], wanted[0]);
        assert_eq!(plain[2..], wanted[2..]);
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.lines().skip(2).all(|line| line.chars().count() <= 80), "{shown}");
        for width in [None, Some(200)] {
            let shown = render(&calls, &events, Zone::Utc, width);
            assert!(shown.contains("a.name.that\\u{1b}is.much.too.long "), "{shown}");
            let ends: Vec<_> =
                shown.lines().filter(|line| line.contains('-')).map(|line| line.chars().count()).collect();
            assert_eq!(ends[1], ends[3], "columns are aligned: {shown}");
        }
    }
}
