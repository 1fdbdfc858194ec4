//! Types of a table: columns, rows, cells and their meaning.

use crate::cli::top::figures::{Figures, count};
use crate::cli::top::model::Status;

pub(in crate::cli::top) struct Table {
    pub(in crate::cli::top) columns: Vec<Column>,
    pub(in crate::cli::top) rows: Vec<Row>,
    /// Column by which the rows are sorted.
    pub(in crate::cli::top) sorted_by: Option<usize>,
    /// Text in place of rows if there are none.
    pub(in crate::cli::top) empty: String,
}

#[derive(Clone, Copy, Default)]
pub(in crate::cli::top) struct Column {
    pub(in crate::cli::top) title: &'static str,
    pub(in crate::cli::top) is_number: bool,
    /// Number of columns that texts are cut to where the space is short; `None` if they are not cut.
    pub(in crate::cli::top) least: Option<usize>,
    /// Whether texts are cut in their middle, because the end says as much as the beginning.
    pub(in crate::cli::top) keeps_end: bool,
    /// On a narrow terminal, the column with the highest number is left out first. 0 is never left out.
    pub(in crate::cli::top) rank: u8,
}

pub(in crate::cli::top) struct Row {
    /// Identity of the row in later answers.
    pub(in crate::cli::top) key: String,
    pub(in crate::cli::top) cells: Vec<Cell>,
    /// Names and texts that are shown on demand.
    pub(in crate::cli::top) details: Vec<(&'static str, String)>,
}

pub(in crate::cli::top) struct Cell {
    pub(in crate::cli::top) text: String,
    pub(in crate::cli::top) tone: Tone,
}

/// Meaning of a text, which the view shows by a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::top) enum Tone {
    Plain,
    Quiet,
    Strong,
    Good,
    Warning,
    Bad,
}

impl Column {
    pub(super) fn text(title: &'static str, rank: u8) -> Column {
        Column { title, rank, ..Column::default() }
    }

    pub(super) fn number(title: &'static str, rank: u8) -> Column {
        Column { title, rank, is_number: true, ..Column::default() }
    }

    pub(super) fn flexible(title: &'static str, least: usize) -> Column {
        Column { title, least: Some(least), ..Column::default() }
    }
}

impl Cell {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone }
    }

    pub(super) fn plain(text: impl Into<String>) -> Cell {
        Cell::new(Tone::Plain, text)
    }

    pub(super) fn quiet(text: impl Into<String>) -> Cell {
        Cell::new(Tone::Quiet, text)
    }

    /// Returns a count that is quiet at 0 and has `tone` otherwise.
    pub(super) fn counted(tone: Tone, n: u64) -> Cell {
        Cell::new(if n == 0 { Tone::Quiet } else { tone }, count(n))
    }
}

/// Returns the name of the node `id`, or its shortened ID.
pub(super) fn node_name(status: &Status, id: &str, figures: &Figures<'_>) -> String {
    let peer = status.peers.iter().find(|peer| peer.node_id == id && !peer.name.is_empty());
    match peer {
        _ if id == status.node.id => "this node".to_owned(),
        Some(peer) => peer.name.clone(),
        None => figures.node(id),
    }
}

/// Returns the details that have a text.
pub(super) fn details<const N: usize>(all: [(&'static str, String); N]) -> Vec<(&'static str, String)> {
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// Returns the cause without the number of an error of the system, which its name before it explains.
pub(super) fn without_number(cause: &str) -> &str {
    cause.rsplit_once(" (os error ").map_or(cause, |(named, _)| named)
}
