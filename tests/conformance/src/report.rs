//! The printed report, and the report as JSON.

use serde_json::{Value, json};

use crate::case::Stop;
use crate::manifest::Selected;
use crate::options::Options;
use crate::runner::Ran;

/// Prints the table by section. A failed case has the expected and the observed value and a command that reproduces it.
pub(crate) fn print(results: &[Ran]) {
    let mut section = "";
    let width = results.iter().map(|ran| ran.selected.entry.path.len()).max().unwrap_or_default();
    for ran in results {
        let entry = &ran.selected.entry;
        if entry.section != section {
            section = &entry.section;
            say(&format!("\n{section}"));
        }
        let mark = match &ran.outcome {
            Ok(()) => "✔",
            Err(Stop::Skip(_)) => "-",
            Err(Stop::Fail(_)) => "✘",
        };
        let shows = entry.shows.join(" ");
        say(&format!("  {mark} {:width$}  {shows:<12} {:>7.2} s", entry.path, ran.took.as_secs_f64()));
        match &ran.outcome {
            Ok(()) => {}
            Err(Stop::Skip(reason)) => say(&format!("      skipped: {reason}")),
            Err(Stop::Fail(failure)) => {
                say(&format!("      expected   {}", indented(&failure.expected)));
                say(&format!("      observed   {}", indented(&failure.observed)));
                say(&format!("      reproduce  {}", ran.reproduce));
                if let Some(command) = &failure.by_hand {
                    say(&format!("      by hand    {}", indented(command)));
                }
            }
        }
    }
}

/// Prints the cases without running them.
pub(crate) fn list(selected: &[Selected]) {
    let width = selected.iter().map(|it| it.entry.path.len()).max().unwrap_or_default();
    let mut section = "";
    for Selected { entry, case } in selected {
        if entry.section != section {
            section = &entry.section;
            say(&format!("\n{section}"));
        }
        let kind = if case.black_box { "black box" } else { "" };
        say(&format!("  {:width$}  {:<12}  {kind}", entry.path, entry.shows.join(" ")));
    }
}

/// Returns the report as JSON. `schema` names its form.
pub(crate) fn json(results: &[Ran], options: &Options) -> String {
    let report = json!({
        "schema": 1,
        "target": options.target,
        "summary": {
            "passed": count(results, |outcome| outcome.is_ok()),
            "failed": count(results, |outcome| matches!(outcome, Err(Stop::Fail(_)))),
            "skipped": count(results, |outcome| matches!(outcome, Err(Stop::Skip(_)))),
        },
        "cases": results.iter().map(case).collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

fn case(ran: &Ran) -> Value {
    let entry = &ran.selected.entry;
    let mut case = json!({
        "case": entry.path,
        "section": entry.section,
        "requirements": entry.shows,
        "duration_ms": u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX),
    });
    match &ran.outcome {
        Ok(()) => case["status"] = json!("passed"),
        Err(Stop::Skip(reason)) => {
            case["status"] = json!("skipped");
            case["reason"] = json!(reason);
        }
        Err(Stop::Fail(failure)) => {
            case["status"] = json!("failed");
            case["expected"] = json!(failure.expected);
            case["observed"] = json!(failure.observed);
            case["reproduce"] = json!(ran.reproduce);
            case["by_hand"] = json!(failure.by_hand);
        }
    }
    case
}

/// Tells whether a case ran and none failed.
pub(crate) fn is_success(results: &[Ran]) -> bool {
    !results.is_empty() && results.iter().all(|ran| !matches!(ran.outcome, Err(Stop::Fail(_))))
}

fn count(results: &[Ran], which: impl Fn(&crate::case::Outcome) -> bool) -> usize {
    results.iter().filter(|ran| which(&ran.outcome)).count()
}

/// Indents all lines but the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n                 ")
}

/// Prints the reason why no case ran.
#[expect(clippy::print_stderr, reason = "a command line tool reports errors on stderr")]
pub(crate) fn refuse(why: &str) {
    eprintln!("error: {why}");
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn say(line: &str) {
    println!("{line}");
}
