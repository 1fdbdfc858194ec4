//! Table of capabilities: calls, failures and latencies of the window.

use std::cmp::Reverse;

use super::table::{Cell, Column, Row, Table, Tone, details, node_name};
use crate::cli::top::figures::{Figures, count, latency, percent, window};
use crate::cli::top::model::{Capability, Status};

const CALLS: usize = 1;
const ERRORS: usize = 2;
const P99: usize = 5;
const IN_FLIGHT: usize = 6;

/// Columns to sort by.
pub(super) const ORDERS: [usize; 5] = [CALLS, ERRORS, P99, IN_FLIGHT, 0];

pub(super) fn table(status: &Status, order: usize, figures: &Figures<'_>) -> Table {
    let sorted_by = ORDERS[order % ORDERS.len()];
    let mut all: Vec<&Capability> = status.capabilities.iter().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    match sorted_by {
        CALLS => all.sort_by_key(|found| Reverse(found.requests)),
        ERRORS => all.sort_by_key(|found| Reverse(found.errors)),
        P99 => all.sort_by(|a, b| p99(b).total_cmp(&p99(a))),
        IN_FLIGHT => all.sort_by_key(|found| Reverse(found.in_flight)),
        _ => {}
    }
    Table {
        columns: vec![
            Column::flexible("CAPABILITIES", 20),
            Column::number("CALLS", 0),
            Column::number("ERRORS", 1),
            Column::number("P50", 5),
            Column::number("P95", 4),
            Column::number("P99", 2),
            Column::number("IN FLIGHT", 3),
            Column::text("OFFERED BY", 6),
        ],
        rows: all.into_iter().map(|found| row(found, status, figures)).collect(),
        sorted_by: Some(sorted_by),
        empty: "none offered and none called".to_owned(),
    }
}

fn p99(found: &Capability) -> f64 {
    found.p99_ms.unwrap_or(-1.0)
}

fn row(found: &Capability, status: &Status, figures: &Figures<'_>) -> Row {
    let calls_tone = if found.requests == 0 { Tone::Quiet } else { Tone::Plain };
    let (offered, offered_tone) = offered(found, status, figures);
    let ms = |ms| Cell::new(calls_tone, latency(ms));
    Row {
        key: found.name.clone(),
        cells: vec![
            Cell::new(if found.requests == 0 { Tone::Plain } else { Tone::Strong }, &*found.name),
            Cell::counted(Tone::Plain, found.requests),
            Cell::counted(errors_tone(found.errors, found.requests), found.errors),
            ms(found.p50_ms),
            ms(found.p95_ms),
            ms(found.p99_ms),
            Cell::counted(Tone::Strong, found.in_flight),
            Cell::new(offered_tone, offered),
        ],
        details: details([
            ("capability", found.name.clone()),
            ("offered by", all_nodes(found, status, figures)),
            ("calls", format!("{} in {}", count(found.requests), window(status.window_seconds))),
            ("errors", format!("{} ({})", count(found.errors), percent(found.errors, found.requests))),
            (
                "latency",
                format!(
                    "p50 {}, p95 {}, p99 {}",
                    latency(found.p50_ms),
                    latency(found.p95_ms),
                    latency(found.p99_ms)
                ),
            ),
            ("in flight", count(found.in_flight)),
        ]),
    }
}

/// Returns the tone of failures. Single ones among many calls are no alarm.
pub(super) fn errors_tone(errors: u64, requests: u64) -> Tone {
    if errors.saturating_mul(20) >= requests { Tone::Bad } else { Tone::Warning }
}

fn offered(found: &Capability, status: &Status, figures: &Figures<'_>) -> (String, Tone) {
    match (found.is_local, found.nodes.as_slice()) {
        (_, []) => ("no node".to_owned(), Tone::Warning),
        (true, [_]) => ("this node".to_owned(), Tone::Plain),
        (true, nodes) => (format!("this node +{}", nodes.len() - 1), Tone::Plain),
        (false, [node]) => (node_name(status, node, figures), Tone::Plain),
        (false, nodes) => (format!("{} peers", nodes.len()), Tone::Plain),
    }
}

fn all_nodes(found: &Capability, status: &Status, figures: &Figures<'_>) -> String {
    match found.nodes.as_slice() {
        [] => "no node at the moment".to_owned(),
        nodes => nodes.iter().map(|node| node_name(status, node, figures)).collect::<Vec<_>>().join(", "),
    }
}
