//! Table of the causes of failures.

use std::cmp::Reverse;

use super::table::{Cell, Column, Row, Table, Tone, details, without_number};
use crate::cli::top::figures::{Figures, count, window};
use crate::cli::top::model::{Cause, Status};

const CAPABILITY: usize = 1;
const COUNT: usize = 3;
const LAST: usize = 4;

/// Columns to sort by.
pub(super) const ORDERS: [usize; 3] = [COUNT, LAST, CAPABILITY];

pub(super) fn table(status: &Status, order: usize, figures: &Figures<'_>) -> Table {
    let sorted_by = ORDERS[order % ORDERS.len()];
    let mut all: Vec<&Cause> = status.causes.iter().collect();
    // Times of one zone are in the order of their texts.
    all.sort_by(|a, b| b.last_at.cmp(&a.last_at));
    match sorted_by {
        COUNT => all.sort_by_key(|cause| Reverse(cause.count)),
        CAPABILITY => all.sort_by(|a, b| a.capability.cmp(&b.capability)),
        _ => {}
    }
    Table {
        columns: vec![
            Column { keeps_end: true, ..Column::flexible("CAUSES", 48) },
            Column::text("CAPABILITY", 1),
            Column::text("CODE", 2),
            Column::number("COUNT", 0),
            Column::number("LAST", 3),
        ],
        rows: all.into_iter().map(|cause| row(cause, figures)).collect(),
        sorted_by: Some(sorted_by),
        empty: format!("no failure in the last {}", window(status.window_seconds)),
    }
}

fn row(cause: &Cause, figures: &Figures<'_>) -> Row {
    let why = if cause.cause.is_empty() { "no cause recorded" } else { &cause.cause };
    let command = match cause.trace_id.as_str() {
        "" => String::new(),
        id => format!("hearthnet trace show {id}{}", figures.options),
    };
    Row {
        key: format!("{}\n{}\n{}", cause.capability, cause.code, cause.cause),
        cells: vec![
            Cell::plain(without_number(why)),
            Cell::quiet(&*cause.capability),
            Cell::new(Tone::Bad, &*cause.code),
            Cell::counted(Tone::Strong, cause.count),
            Cell::quiet(figures.age(&cause.last_at)),
        ],
        details: details([
            ("cause", why.to_owned()),
            ("capability", cause.capability.clone()),
            ("code", cause.code.clone()),
            ("count", count(cause.count)),
            ("first", figures.moment(&cause.first_at)),
            ("last", figures.moment(&cause.last_at)),
            ("trace", command),
        ]),
    }
}
