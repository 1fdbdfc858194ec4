//! Table on the screen: a title with the names of the columns, and the rows around the cursor.

use chrono::{DateTime, Utc};
use ratatui::text::{Line, Span};

use super::palette::Palette;
use super::text::{fit, fit_ends, pad, width};
use crate::cli::top::state::State;
use crate::cli::top::tables::{Column, Kind, Row, Table, Tone};

/// Columns between two columns of the table.
const GAP: usize = 2;
/// Columns of a text that is not flexible, such as a code from a peer.
const MAX_FIXED: usize = 32;

pub(super) struct Section<'a> {
    table: Table,
    /// Indexes and widths of the columns that are shown.
    columns: Vec<(usize, usize)>,
    cursor: usize,
    pub(super) has_focus: bool,
    palette: &'a Palette,
    ascii: bool,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        kind: Kind,
        state: &State,
        now: DateTime<Utc>,
        palette: &'a Palette,
        width: usize,
    ) -> Section<'a> {
        let table = state.table(kind, now);
        Section {
            columns: columns(&table, width),
            cursor: state.cursor(kind, &table.rows),
            has_focus: state.focus == kind,
            table,
            palette,
            ascii: state.ascii,
        }
    }

    /// Returns the number of lines that show all rows.
    pub(super) fn height(&self) -> usize {
        1 + self.table.rows.len()
    }

    /// Returns at most `height` lines.
    pub(super) fn lines(&self, height: usize) -> Vec<Line<'static>> {
        let rows = &self.table.rows;
        let shown = height.saturating_sub(1);
        // The cursor is in the last line once the table is scrolled.
        let first = (self.cursor + 1).saturating_sub(shown);
        if rows.is_empty() {
            return vec![self.title_of_nothing()];
        }
        let mut lines = vec![self.title(first, shown)];
        lines
            .extend(rows.iter().enumerate().skip(first).take(shown).map(|(index, row)| self.row(index, row)));
        lines.truncate(height);
        lines
    }

    /// Returns the title of a table without rows, with the reason for it.
    fn title_of_nothing(&self) -> Line<'static> {
        let title = format!("{} 0", self.table.columns[0].title);
        let gap = Span::raw(" ".repeat(GAP));
        let empty = Span::styled(self.table.empty.clone(), self.palette.tone(Tone::Quiet));
        Line::from(vec![Span::styled(title, self.palette.title(self.has_focus)), gap, empty])
    }

    fn title(&self, first: usize, shown: usize) -> Line<'static> {
        let all = self.table.rows.len();
        let mut spans = Vec::new();
        for (place, (index, columns)) in self.columns.iter().enumerate() {
            let column = &self.table.columns[*index];
            let mut text = name(column, self.table.sorted_by == Some(*index), self.ascii);
            if place == 0 {
                let part = match all > shown && shown > 0 {
                    true => format!(" {}-{} of {all}", first + 1, (first + shown).min(all)),
                    false => format!(" {all}"),
                };
                text += &part;
            }
            spans.push(gap(place));
            let text = pad(fit(&text, *columns, self.ascii), *columns, column.is_number);
            spans.push(Span::styled(text, self.palette.title(self.has_focus)));
        }
        Line::from(spans)
    }

    fn row(&self, index: usize, row: &Row) -> Line<'static> {
        let spans = self.columns.iter().enumerate().flat_map(|(place, (index, columns))| {
            let (column, cell) = (&self.table.columns[*index], &row.cells[*index]);
            let fit = if column.keeps_end { fit_ends } else { fit };
            let text = pad(fit(&cell.text, *columns, self.ascii), *columns, column.is_number);
            [gap(place), Span::styled(text, self.palette.tone(cell.tone))]
        });
        let line = Line::from_iter(spans);
        if self.has_focus && index == self.cursor { line.style(self.palette.cursor()) } else { line }
    }
}

fn gap(place: usize) -> Span<'static> {
    Span::raw(if place == 0 { "" } else { "  " })
}

/// Returns the name of a column, with a mark if the rows are sorted by it.
fn name(column: &Column, is_sorted_by: bool, ascii: bool) -> String {
    let mark = match is_sorted_by {
        true if ascii => "v",
        true => "▾",
        false => "",
    };
    format!("{}{mark}", column.title)
}

/// Returns the indexes and widths of the columns for a line of `width`.
fn columns(table: &Table, width: usize) -> Vec<(usize, usize)> {
    let all = table.columns.iter().enumerate();
    let mut shown: Vec<(usize, usize)> = all.map(|(index, _)| (index, natural(table, index))).collect();
    while let Some(place) = too_much(table, &shown, width) {
        shown.remove(place);
    }
    let others = needed(&shown)
        - shown.iter().filter(|(index, _)| is_flexible(table, *index)).map(|(_, width)| width).sum::<usize>();
    for (index, columns) in &mut shown {
        if is_flexible(table, *index) {
            *columns = (*columns).min(width.saturating_sub(others));
        }
    }
    shown
}

/// Returns the place of the column to leave out next, if the line is longer than `width`.
fn too_much(table: &Table, shown: &[(usize, usize)], width: usize) -> Option<usize> {
    let least = |(index, columns): &(usize, usize)| {
        let least = table.columns[*index].least.map_or(usize::MAX, |least| least.max(title(table, *index)));
        (*index, least.min(*columns))
    };
    let least: Vec<_> = shown.iter().map(least).collect();
    let rank = |place: &usize| table.columns[shown[*place].0].rank;
    let last = (0..shown.len()).max_by_key(rank).filter(|place| rank(place) > 0)?;
    (needed(&least) > width).then_some(last)
}

fn needed(shown: &[(usize, usize)]) -> usize {
    shown.iter().map(|(_, columns)| columns + GAP).sum::<usize>().saturating_sub(GAP)
}

fn is_flexible(table: &Table, index: usize) -> bool {
    table.columns[index].least.is_some()
}

/// Returns the width that shows all texts of a column.
fn natural(table: &Table, index: usize) -> usize {
    let texts = table.rows.iter().map(|row| width(&row.cells[index].text)).max().unwrap_or(0);
    let texts = if is_flexible(table, index) { texts } else { texts.min(MAX_FIXED) };
    texts.max(title(table, index))
}

/// Returns the width of a title with its mark. The first one has the numbers of the rows.
fn title(table: &Table, index: usize) -> usize {
    let rows = table.rows.len();
    let part = if index == 0 { format!(" {rows}-{rows} of {rows}").len() } else { 0 };
    width(table.columns[index].title) + part + 1
}
