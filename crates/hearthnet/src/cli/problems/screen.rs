//! Problems for a terminal.

use chrono::{DateTime, Utc};

use super::list::{List, Shown};
use crate::cli::history::moment;
use crate::cli::log::time::Zone;
use crate::cli::output::safe_line;
use crate::cli::status::figures::{ago, count};
use crate::cli::trace::text::wrapped;
use crate::cli::visible::visible;
use crate::wire::clock;

/// Columns before the texts of a problem: those of its ID and a gap.
const INDENT: usize = 12;
/// Least room for texts at that indent. A narrower terminal gets a smaller one.
const LEAST_ROOM: usize = 40;

/// Returns the problems, each with a line of figures, its title, and an example if that says more. `width` is that of the terminal;
/// without one no line is broken.
pub(super) fn render(list: &List, now: DateTime<Utc>, zone: Zone, width: Option<usize>) -> String {
    list.problems.iter().map(|problem| one(problem, now, zone, width)).collect()
}

fn one(problem: &Shown, now: DateTime<Utc>, zone: Zone, width: Option<usize>) -> String {
    let time = |text: &str| clock::parse(text).map_or_else(|| "?".to_owned(), |at| moment(at, zone));
    let state = match (problem.state.as_str(), &problem.muted_until) {
        ("open", _) => String::new(),
        ("muted", Some(until)) => format!(", muted until {}", time(until)),
        (state, _) => format!(", {state}"),
    };
    let times = if problem.count == 1 { "time" } else { "times" };
    let figures = format!(
        "{} {}, {} {times}, last {}, first {}{state}",
        problem.level,
        problem.kind,
        count(problem.count),
        ago(Some(&problem.last_seen), &now),
        time(&problem.first_seen),
    );
    let blank = " ".repeat(INDENT);
    let mut lines = broken(&format!("{}  ", problem.id), &figures, width);
    lines.extend(broken(&blank, &problem.title, width));
    // The title has the same text where nothing varies.
    let has_more = !problem.example.is_empty() && !problem.title.ends_with(&problem.example);
    let trace = problem.trace_id.as_ref().map(|id| format!("trace {id}"));
    let more: Vec<String> =
        [has_more.then(|| problem.example.clone()), trace].into_iter().flatten().collect();
    let joined = visible(&more.join("  "));
    match width {
        // The trace gets a line of its own, so that its ID stays whole.
        Some(width) if INDENT + joined.chars().count() > width => {
            lines.extend(more.iter().flat_map(|text| broken(&blank, text, Some(width))));
        }
        _ if more.is_empty() => {}
        _ => lines.push(blank + &joined),
    }
    lines.into_iter().map(safe_line).collect()
}

/// Returns the lines of a text after a prefix. A terminal that is narrower has it broken between words where possible, and the
/// lines after the first one indented.
fn broken(prefix: &str, text: &str, width: Option<usize>) -> Vec<String> {
    // Escapes take room too.
    let (prefix, text) = (visible(prefix), visible(text));
    let whole = format!("{prefix}{text}");
    let Some(width) = width.filter(|width| whole.chars().count() > *width) else { return vec![whole] };
    // An ID of another node may be long.
    let has_room = width >= INDENT + LEAST_ROOM && prefix.chars().count() <= INDENT;
    let indent = if has_room { INDENT } else { 4.min(width / 4) };
    let lines =
        if has_room { wrapped(&text, width - indent) } else { wrapped(&whole, (width - indent).max(1)) };
    let indented = |(at, line): (usize, String)| match at {
        0 if has_room => format!("{prefix:indent$}{line}"),
        0 if !prefix.trim().is_empty() => line,
        _ => format!("{:indent$}{line}", ""),
    };
    lines.into_iter().enumerate().map(indented).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    fn shown(problem: &serde_json::Value) -> String {
        let problem: Shown = serde_json::from_value(problem.clone()).unwrap();
        one(&problem, "2026-11-28T14:00:00Z".parse().unwrap(), Zone::Utc, None)
    }

    #[test]
    fn lines_are_broken_between_words_at_the_edge_of_the_terminal() {
        let problem = json!({
            "id": "3f0a91c2de", "kind": "trace", "level": "error", "title": "llm.chat: no answer from …".repeat(4), "state": "open",
            "count": 1204, "first_seen": "2026-11-28T12:00:00Z", "last_seen": "2026-11-28T13:58:00Z",
            "example": "no answer from bob within thirty seconds, and none later", "trace_id": "01HXR3F2M9Z5T1V8Q4W7N6K0JD",
        });
        let problem: Shown = serde_json::from_value(problem).unwrap();
        let now = "2026-11-28T14:00:00Z".parse().unwrap();
        let shown = one(&problem, now, Zone::Utc, Some(80));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.lines().skip(1).all(|line| line.starts_with("            ")), "{shown}");
        assert!(shown.ends_with("\n            trace 01HXR3F2M9Z5T1V8Q4W7N6K0JD\n"), "{shown}");
        assert!(shown.contains(" within thirty seconds, and none later\n"), "{shown}");
        let narrow = one(&problem, now, Zone::Utc, Some(60));
        assert!(
            narrow.starts_with(
                "3f0a91c2de  error trace, 1 204 times, last 2 min ago, first\n            2026-"
            ),
            "{narrow}"
        );
        for width in 1..60 {
            let shown = one(&problem, now, Zone::Utc, Some(width));
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{width}: {shown}");
        }
    }

    #[test]
    fn a_problem_has_figures_a_title_and_an_example() {
        let mut problem = json!({
            "id": "3f0a91c2de", "kind": "line", "level": "error", "title": "bus: no answer from …", "state": "open",
            "count": 1204, "first_seen": "2026-11-28T12:00:00Z", "last_seen": "2026-11-28T13:58:00Z",
            "example": "no answer from bob", "trace_id": "01HXR3F2M9Z5T1V8Q4W7N6K0JD",
        });
        assert_eq!(
            shown(&problem),
            "3f0a91c2de  error line, 1 204 times, last 2 min ago, first 2026-11-28 12:00\n            \
             bus: no answer from …\n            no answer from bob  trace 01HXR3F2M9Z5T1V8Q4W7N6K0JD\n"
        );
        problem["state"] = json!("muted");
        problem["muted_until"] = json!("2026-11-28T20:00:00Z");
        assert!(shown(&problem).contains(", muted until 2026-11-28 20:00\n"));
        for letter in UNSAFE {
            problem["example"] = json!(format!("a{letter}b"));
            problem["title"] = json!(format!("{letter}"));
            assert!(!shown(&problem).replace('\n', "").contains(*letter), "{letter:?}");
        }
    }
}
