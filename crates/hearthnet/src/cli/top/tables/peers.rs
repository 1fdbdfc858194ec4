//! Table of peers.

use super::table::{Cell, Column, Row, Table, Tone, details, without_number};
use crate::cli::top::figures::Figures;
use crate::cli::top::model::{Peer, Status};

const STATE: usize = 1;

/// Columns to sort by.
pub(super) const ORDERS: [usize; 2] = [STATE, 0];

pub(super) fn table(status: &Status, order: usize, figures: &Figures<'_>) -> Table {
    let sorted_by = ORDERS[order % ORDERS.len()];
    let mut all: Vec<&Peer> = status.peers.iter().collect();
    all.sort_by(|a, b| (&a.name, &a.url).cmp(&(&b.name, &b.url)));
    if sorted_by == STATE {
        // Those in trouble come first.
        all.sort_by_key(|peer| peer.answers());
    }
    Table {
        columns: vec![
            Column::text("PEERS", 0),
            Column::text("STATE", 0),
            Column::text("SINCE", 2),
            Column::text("ADDRESS", 3),
            Column { keeps_end: true, rank: 1, ..Column::flexible("ERROR", 20) },
        ],
        rows: all.into_iter().map(|peer| row(peer, figures)).collect(),
        sorted_by: Some(sorted_by),
        empty: "none configured".to_owned(),
    }
}

fn row(peer: &Peer, figures: &Figures<'_>) -> Row {
    let name = match (peer.name.as_str(), peer.node_id.as_str()) {
        ("", "") => peer.url.clone(),
        ("", id) => figures.node(id),
        (name, _) => name.to_owned(),
    };
    let is_named = name != peer.url;
    let tone = if peer.answers() { Tone::Good } else { Tone::Bad };
    Row {
        key: format!("{}\n{}", peer.url, peer.node_id),
        cells: vec![
            Cell::plain(name),
            Cell::new(tone, &*peer.state),
            Cell::quiet(figures.age(&peer.since)),
            Cell::quiet(if is_named { &peer.url } else { "" }),
            Cell::new(Tone::Bad, without_number(&peer.error)),
        ],
        details: details([
            ("peer", peer.name.clone()),
            ("node", peer.node_id.clone()),
            ("address", peer.url.clone()),
            ("state", peer.state.clone()),
            ("since", figures.moment(&peer.since)),
            ("error", peer.error.clone()),
        ]),
    }
}
