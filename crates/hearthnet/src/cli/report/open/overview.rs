//! Overview of an archive: that of the console, or one from the history.

use std::collections::BTreeMap;

use chrono::DateTime;
use obs_facade::console::api::{
    Capability, CodeCount, Node, Overview, Point, ProblemState, Problems, Remark, Run, Severity, Window,
};
use serde::Deserialize;

use super::super::place::{HISTORY, OVERVIEW};
use super::files::Files;

/// Returns the overview. Its first remarks say that it is a report, and what is missing.
pub(super) fn of(files: &Files, problems: &Problems) -> Overview {
    let mut overview = files.json(OVERVIEW).unwrap_or_else(|| from_history(files, problems));
    let mut remarks = vec![remark(format!(
        "this is a report of {}, not a running node: nothing changes here",
        files.manifest.made_at
    ))];
    let left_out = files.manifest.left_out.iter().take(16);
    remarks.extend(left_out.map(|left| remark(format!("the report is without {}: {}", left.what, left.why))));
    remarks.append(&mut overview.remarks);
    overview.severity = overview.severity.max(Severity::Attention);
    overview.remarks = remarks;
    overview
}

fn remark(text: String) -> Remark {
    Remark { severity: Severity::Attention, text, link: None }
}

/// The history of the archive, as `hearthnet history --json` prints it.
#[derive(Default, Deserialize)]
struct History {
    since: String,
    until: String,
    step_seconds: u32,
    rows: Vec<Row>,
    runs: Vec<StoredRun>,
}

#[derive(Deserialize)]
struct Row {
    time: String,
    capability: String,
    calls: f64,
    errors: f64,
    results: BTreeMap<String, f64>,
    p50_seconds: Option<f64>,
    p95_seconds: Option<f64>,
    p99_seconds: Option<f64>,
}

#[derive(Deserialize)]
struct StoredRun {
    first_minute: String,
    last_minute: String,
    ended_in_order: bool,
    version: Option<String>,
}

fn from_history(files: &Files, problems: &Problems) -> Overview {
    let history: Option<History> = files.json(HISTORY);
    let history_missing = history.is_none().then(|| "the report has no history".to_owned());
    let history = history.unwrap_or_default();
    let window = Window { since: second(&history.since), until: second(&history.until) };
    let manifest = &files.manifest;
    let run = |run: &StoredRun| Run {
        since: second(&run.first_minute),
        until: second(&run.last_minute),
        version: run.version.clone().unwrap_or_default(),
        ended: Some(if run.ended_in_order { "stopped" } else { "killed" }.to_owned()),
    };
    let open = problems.problems.iter().filter(|problem| problem.state == ProblemState::Open).count();
    Overview {
        node: Node {
            id: manifest.node.id.clone().unwrap_or_default(),
            name: manifest.node.name.clone().unwrap_or_default(),
            version: manifest.made_by.version.clone(),
            started_at: history.runs.last().map_or_else(String::new, |run| run.first_minute.clone()),
            uptime_seconds: 0,
        },
        now: manifest.made_at.clone(),
        severity: Severity::Well,
        remarks: Vec::new(),
        window,
        step_seconds: history.step_seconds,
        capabilities: capabilities(&history, window),
        gauges: Vec::new(),
        runs: history.runs.iter().map(run).collect(),
        problems_open: u32::try_from(open).unwrap_or(u32::MAX),
        history_missing,
    }
}

/// Returns the capabilities, those with most calls first.
fn capabilities(history: &History, window: Window) -> Vec<Capability> {
    let mut by_name: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    history.rows.iter().for_each(|row| by_name.entry(&row.capability).or_default().push(row));
    let mut capabilities: Vec<Capability> =
        by_name.into_iter().map(|(name, rows)| capability(name, &rows, window)).collect();
    capabilities.sort_by_key(|capability| std::cmp::Reverse(capability.calls));
    capabilities
}

fn capability(name: &str, rows: &[&Row], window: Window) -> Capability {
    let calls = rows.iter().map(|row| row.calls).sum::<f64>();
    let mut codes: BTreeMap<&str, f64> = BTreeMap::new();
    let results = rows.iter().flat_map(|row| &row.results);
    results
        .filter(|(result, _)| !matches!(result.as_str(), "ok" | "cancelled"))
        .for_each(|(result, count)| *codes.entry(result).or_default() += count);
    let mut codes: Vec<CodeCount> = codes
        .into_iter()
        .map(|(code, calls)| CodeCount { code: code.to_owned(), calls: calls as u64 })
        .collect();
    codes.sort_by_key(|code| std::cmp::Reverse(code.calls));
    // Quantiles of steps make no quantile of the whole. Those of one step do.
    let alone = match rows {
        [row] => Some(*row),
        _ => None,
    };
    let ms = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3);
    Capability {
        capability: name.to_owned(),
        calls: calls as u64,
        errors: rows.iter().map(|row| row.errors).sum::<f64>() as u64,
        codes,
        in_flight: 0,
        rate: calls / window.until.saturating_sub(window.since).max(1) as f64,
        p50_ms: alone.and_then(|row| ms(row.p50_seconds)),
        p95_ms: alone.and_then(|row| ms(row.p95_seconds)),
        p99_ms: alone.and_then(|row| ms(row.p99_seconds)),
        points: rows
            .iter()
            .map(|row| Point {
                t: second(&row.time),
                calls: row.calls as u64,
                errors: row.errors as u64,
                p50_ms: ms(row.p50_seconds),
                p95_ms: ms(row.p95_seconds),
                p99_ms: ms(row.p99_seconds),
            })
            .collect(),
    }
}

/// Returns the seconds since 1970 of a time as it is written, or 0.
fn second(time: &str) -> u64 {
    let time = DateTime::parse_from_rfc3339(time).ok();
    time.and_then(|time| u64::try_from(time.timestamp()).ok()).unwrap_or_default()
}
