//! Contents of the tables: rows in their order, each with its details.

mod callers;
mod capabilities;
mod causes;
mod checks;
mod peers;
mod table;

pub(super) use self::table::{Column, Row, Table, Tone};
use super::figures::Figures;
use super::model::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Capabilities,
    Causes,
    Callers,
    Peers,
    Checks,
}

impl Kind {
    /// Tables from top to bottom.
    pub(super) const ALL: [Kind; 5] =
        [Kind::Capabilities, Kind::Causes, Kind::Callers, Kind::Peers, Kind::Checks];

    /// Returns the table that is `steps` further down. The first one follows the last one.
    pub(super) fn after(self, steps: usize) -> Kind {
        Kind::ALL[(self as usize + steps) % Kind::ALL.len()]
    }

    /// Returns the number of columns by which the table can be sorted.
    pub(super) fn orders(self) -> usize {
        match self {
            Kind::Capabilities => capabilities::ORDERS.len(),
            Kind::Causes => causes::ORDERS.len(),
            Kind::Callers => callers::ORDERS.len(),
            Kind::Peers => peers::ORDERS.len(),
            Kind::Checks => 1,
        }
    }
}

/// Returns the table `kind` in its order number `order`.
pub(super) fn table(kind: Kind, status: &Status, order: usize, figures: &Figures<'_>) -> Table {
    match kind {
        Kind::Capabilities => capabilities::table(status, order, figures),
        Kind::Causes => causes::table(status, order, figures),
        Kind::Callers => callers::table(status, order, figures),
        Kind::Peers => peers::table(status, order, figures),
        Kind::Checks => checks::table(status, figures),
    }
}
