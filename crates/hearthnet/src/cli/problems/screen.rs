//! Problems for a terminal.

use chrono::{DateTime, Utc};

use super::list::{List, Shown};
use crate::cli::history::moment;
use crate::cli::log::time::Zone;
use crate::cli::output::safe_line;
use crate::cli::status::figures::{ago, count};
use crate::wire::clock;

/// Returns the problems, each with a line of figures, its title, and an example if that says more.
pub(super) fn render(list: &List, now: DateTime<Utc>, zone: Zone) -> String {
    list.problems.iter().map(|problem| one(problem, now, zone)).collect()
}

fn one(problem: &Shown, now: DateTime<Utc>, zone: Zone) -> String {
    let time = |text: &str| clock::parse(text).map_or_else(|| "?".to_owned(), |at| moment(at, zone));
    let state = match (problem.state.as_str(), &problem.muted_until) {
        ("open", _) => String::new(),
        ("muted", Some(until)) => format!(", muted until {}", time(until)),
        (state, _) => format!(", {state}"),
    };
    let times = if problem.count == 1 { "time" } else { "times" };
    let head = format!(
        "{}  {} {}, {} {times}, last {}, first {}{state}",
        problem.id,
        problem.level,
        problem.kind,
        count(problem.count),
        ago(Some(&problem.last_seen), &now),
        time(&problem.first_seen),
    );
    let mut lines = vec![head, format!("            {}", problem.title)];
    // The title has the same text where nothing varies.
    let has_more = !problem.example.is_empty() && !problem.title.ends_with(&problem.example);
    let trace = problem.trace_id.as_ref().map(|id| format!("trace {id}"));
    let more = [has_more.then(|| problem.example.clone()), trace].into_iter().flatten().collect::<Vec<_>>();
    if !more.is_empty() {
        lines.push(format!("            {}", more.join("  ")));
    }
    lines.into_iter().map(safe_line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    fn shown(problem: &serde_json::Value) -> String {
        let problem: Shown = serde_json::from_value(problem.clone()).unwrap();
        one(&problem, "2026-11-28T14:00:00Z".parse().unwrap(), Zone::Utc)
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
