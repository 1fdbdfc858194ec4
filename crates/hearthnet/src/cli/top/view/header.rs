//! Lines about the node as a whole, and the bar with the keys.

use chrono::{DateTime, Utc};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::palette::Palette;
use super::text::{Part, fit, join, pad, sparkline, width};
use crate::cli::status::figures::{size, span};
use crate::cli::top::figures::{count, percent, rate, time_of_day, window};
use crate::cli::top::model::Status;
use crate::cli::top::state::{Shown, State};
use crate::cli::top::tables::Tone;

/// Columns between two parts of a line.
const GAP: usize = 3;
/// Maximum length of a sparkline. A longer one says no more.
const MAX_SPARKLINE: usize = 60;
/// Free share of a disk below which it is almost full.
const LITTLE_SPACE: f64 = 0.05;

/// Returns the three lines, the most important one first.
pub(super) fn lines(
    state: &State,
    now: DateTime<Utc>,
    palette: &Palette,
    columns: usize,
) -> Vec<Line<'static>> {
    let shown = state.shown();
    let mut lines = vec![
        line(node(state), palette, columns, state.ascii),
        line(rates(shown, columns, state.ascii), palette, columns, state.ascii),
    ];
    match &shown.silence {
        // The first line is the only one on a tiny terminal.
        Some(why) => {
            lines.insert(lines_before_alarm(columns), silence(shown, why, now, palette, columns, state))
        }
        None => lines.push(line(summary(&shown.status), palette, columns, state.ascii)),
    }
    lines
}

fn lines_before_alarm(columns: usize) -> usize {
    usize::from(columns >= 30)
}

fn line(parts: Vec<Part>, palette: &Palette, columns: usize, ascii: bool) -> Line<'static> {
    let parts = join(parts, columns, GAP, ascii);
    Line::from_iter(parts.into_iter().map(|(tone, text)| Span::styled(text, palette.tone(tone))))
}

fn node(state: &State) -> Vec<Part> {
    let node = &state.shown().status.node;
    let id = crate::cli::visible::short_id(&node.id, 12, if state.ascii { '~' } else { '…' });
    let name = if node.name.is_empty() { id.clone() } else { node.name.clone() };
    let commit = if node.commit.is_empty() {
        String::new()
    } else {
        format!(" ({})", fit(&node.commit, 9, state.ascii))
    };
    let paused = if state.is_paused() { "PAUSED, p goes on" } else { "" };
    let id = if node.name.is_empty() { String::new() } else { id };
    vec![
        vec![(Tone::Strong, name)],
        vec![(Tone::Warning, paused.to_owned())],
        problems(&state.shown().status),
        vec![(Tone::Plain, format!("up {}", span(node.uptime_seconds)))],
        vec![(Tone::Quiet, id)],
        vec![(Tone::Quiet, format!("hearthnet {}{commit}", node.version))],
        vec![(Tone::Quiet, node.profile.clone())],
    ]
}

fn problems(status: &Status) -> Part {
    match status.open_problems {
        0 => Vec::new(),
        1 => vec![(Tone::Bad, "1 problem open".to_owned())],
        open => vec![(Tone::Bad, format!("{} problems open", count(open)))],
    }
}

fn rates(shown: &Shown, columns: usize, ascii: bool) -> Vec<Part> {
    let newest = shown.rates.newest();
    let number = |value: Option<f64>| pad(value.map_or_else(|| "-".to_owned(), rate), 5, true);
    let requests = format!("requests/s {} ", number(newest.map(|rate| rate.requests)));
    let errors = format!("errors/s {} ", number(newest.map(|rate| rate.errors)));
    let in_flight = format!("in flight {}", count(shown.status.in_flight));
    let fixed = width(&requests) + width(&errors) + width(&in_flight) + 2 * GAP;
    let bars = (columns.saturating_sub(fixed) / 2).min(MAX_SPARKLINE);
    let spark = |of: fn(super::super::rates::Rate) -> f64| {
        pad(sparkline(shown.rates.samples().map(|sample| sample.map(of)), bars, ascii), bars, true)
    };
    let fails = shown.rates.newest().is_some_and(|rate| rate.errors > 0.0);
    let has_failed = shown.rates.samples().rev().take(bars).flatten().any(|rate| rate.errors > 0.0);
    vec![
        vec![(Tone::Strong, requests), (Tone::Good, spark(|rate| rate.requests))],
        vec![
            (if fails { Tone::Bad } else { Tone::Strong }, errors),
            (if has_failed { Tone::Bad } else { Tone::Quiet }, spark(|rate| rate.errors)),
        ],
        vec![(Tone::Strong, in_flight)],
    ]
}

fn summary(status: &Status) -> Vec<Part> {
    let failed = match status.errors {
        0 => (Tone::Good, ", none failed".to_owned()),
        errors => (Tone::Bad, format!(", {} failed", percent(errors, status.requests))),
    };
    let mut calls =
        vec![(Tone::Plain, format!("{}: {} calls", window(status.window_seconds), count(status.requests)))];
    if status.requests > 0 {
        calls.push(failed);
    }
    vec![calls, checks(status), peers(status), drops(status), disk(status)]
}

fn checks(status: &Status) -> Part {
    let checks = &status.checks;
    let (failed, warned) = (checks.failed.len() as u64, checks.warned.len() as u64);
    let part = match (failed, warned, checks.passed) {
        (0, 0, 0) => (Tone::Quiet, "no checks yet".to_owned()),
        (0, 0, passed) => (Tone::Good, format!("{} checks pass", count(passed))),
        (0, 1, _) => (Tone::Warning, "1 check warns".to_owned()),
        (0, warned, _) => (Tone::Warning, format!("{} checks warn", count(warned))),
        (1, ..) => (Tone::Bad, "1 check fails".to_owned()),
        (failed, ..) => (Tone::Bad, format!("{} checks fail", count(failed))),
    };
    vec![part]
}

fn peers(status: &Status) -> Part {
    let all = status.peers.len();
    let answer = status.peers.iter().filter(|peer| peer.answers()).count();
    match all {
        0 => vec![(Tone::Quiet, "no peers".to_owned())],
        _ => {
            let tone = if answer == all { Tone::Good } else { Tone::Warning };
            vec![(tone, format!("{answer} of {all} peers answer"))]
        }
    }
}

fn drops(status: &Status) -> Part {
    let sum = status.drops.iter().fold(0, |sum: u64, (_, n)| sum.saturating_add(*n));
    match sum {
        0 => vec![(Tone::Quiet, "nothing lost".to_owned())],
        sum => vec![(Tone::Bad, format!("{} losses", count(sum)))],
    }
}

fn disk(status: &Status) -> Part {
    let Some(free) = status.disk.free_bytes else { return Vec::new() };
    let is_full = status.disk.total_bytes.is_some_and(|total| (free as f64) < total as f64 * LITTLE_SPACE);
    vec![(if is_full { Tone::Bad } else { Tone::Quiet }, format!("disk {} free", size(free)))]
}

/// Says since when the node has been silent. The values below are older.
fn silence(
    shown: &Shown,
    why: &str,
    now: DateTime<Utc>,
    palette: &Palette,
    columns: usize,
    state: &State,
) -> Line<'static> {
    let seconds = (state.figures(now).now - shown.taken).num_seconds().max(0);
    let text = format!("NO ANSWER since {} ({}): {why}", time_of_day(shown.taken), span(seconds as u64));
    Line::styled(pad(fit(&text, columns, state.ascii), columns, false), palette.alarm())
}

/// Returns the bar with the keys. The last ones are left out on a narrow terminal.
pub(super) fn keys(state: &State, palette: &Palette, columns: usize) -> Line<'static> {
    let keys: &[(&str, &str)] = match &state.overlay {
        Some(_) => &[("q", "quit"), ("Esc", "close"), ("j/k", "scroll")],
        None => &[
            ("q", "quit"),
            ("?", "help"),
            ("Tab", "table"),
            ("j/k", "scroll"),
            ("Enter", "details"),
            ("s", "sort"),
            ("p", if state.is_paused() { "go on" } else { "pause" }),
        ],
    };
    let part = |(key, what): &(&str, &str)| {
        vec![(Tone::Strong, format!(" {key}")), (Tone::Plain, format!(" {what}"))]
    };
    let parts = join(keys.iter().map(part).collect(), columns, 2, state.ascii);
    let used: usize = parts.iter().map(|(_, text)| width(text)).sum();
    let blanks = Span::raw(" ".repeat(columns.saturating_sub(used)));
    let spans = parts.into_iter().map(|(tone, text)| Span::styled(text, palette.tone(tone)));
    Line::from_iter(spans.chain([blanks])).style(Style::new().add_modifier(Modifier::REVERSED))
}
