//! Table of the callers with the most calls.

use std::cmp::Reverse;

use super::capabilities::errors_tone;
use super::table::{Cell, Column, Row, Table, Tone, details, node_name};
use crate::cli::top::figures::{Figures, count, percent};
use crate::cli::top::model::{Caller, Status};

const CALLS: usize = 2;
const REFUSED: usize = 4;
const ERRORS: usize = 5;

/// Columns to sort by.
pub(super) const ORDERS: [usize; 3] = [CALLS, REFUSED, ERRORS];

pub(super) fn table(status: &Status, order: usize, figures: &Figures<'_>) -> Table {
    let sorted_by = ORDERS[order % ORDERS.len()];
    let mut all: Vec<&Caller> = status.callers.iter().collect();
    all.sort_by(|a, b| (&a.node_id, &a.address).cmp(&(&b.node_id, &b.address)));
    all.sort_by_key(|caller| {
        Reverse(match sorted_by {
            CALLS => caller.calls,
            REFUSED => caller.refused,
            _ => caller.errors,
        })
    });
    let sum = all.iter().fold(0, |sum: u64, caller| sum.saturating_add(caller.calls));
    Table {
        columns: vec![
            Column::flexible("CALLERS", 12),
            Column::text("ADDRESS", 3),
            Column::number("CALLS", 0),
            Column::number("SHARE", 4),
            Column::number("REFUSED", 1),
            Column::number("ERRORS", 2),
        ],
        rows: all.into_iter().map(|caller| row(caller, sum, status, figures)).collect(),
        sorted_by: Some(sorted_by),
        empty: match status.requests {
            0 => "no calls yet".to_owned(),
            _ => "the node does not tell them".to_owned(),
        },
    }
}

fn row(caller: &Caller, sum: u64, status: &Status, figures: &Figures<'_>) -> Row {
    let name = match caller.node_id.as_str() {
        "" => Cell::plain(format!("{} (unsigned)", caller.address)),
        id => Cell::plain(node_name(status, id, figures)),
    };
    Row {
        key: format!("{}\n{}", caller.node_id, caller.address),
        cells: vec![
            name,
            Cell::quiet(if caller.node_id.is_empty() { "" } else { &caller.address }),
            Cell::counted(Tone::Plain, caller.calls),
            Cell::quiet(percent(caller.calls, sum)),
            Cell::counted(Tone::Warning, caller.refused),
            Cell::counted(errors_tone(caller.errors, caller.calls), caller.errors),
        ],
        details: details([
            ("node", caller.node_id.clone()),
            ("address", caller.address.clone()),
            ("calls", format!("{} ({} of those listed)", count(caller.calls), percent(caller.calls, sum))),
            ("refused", count(caller.refused)),
            ("errors", format!("{} ({})", count(caller.errors), percent(caller.errors, caller.calls))),
        ]),
    }
}
