//! Box above the tables: help, or the details of a row in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::palette::Palette;
use super::text::wrap;
use crate::cli::top::state::Overlay;
use crate::cli::top::tables::Tone;

/// Width beyond which a line is hard to read.
const MAX_WIDTH: u16 = 100;
/// Columns of the names in front of the texts.
const NAME: usize = 12;

const HELP: [(&str, &str); 11] = [
    ("q Esc", "quit, as Ctrl-C does"),
    ("Tab", "next table; Shift-Tab goes back"),
    ("j k", "next and previous row, as the arrows do"),
    ("PgDn PgUp", "ten rows down and up"),
    ("g G", "first and last row"),
    ("Enter", "the row in full; for a cause, the command that shows its trace"),
    ("s S", "sort by the next or previous column; a mark shows which one"),
    ("p", "pause and go on"),
    ("Ctrl-Z", "suspend; `fg` in the shell comes back"),
    ("Ctrl-L", "draw the screen anew"),
    ("?", "this help"),
];

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

pub(super) fn draw(frame: &mut Frame<'_>, overlay: &Overlay, palette: &Palette, ascii: bool) {
    let area = frame.area();
    let width = area.width.min(MAX_WIDTH);
    // Without the border and a blank on each side.
    let columns = usize::from(width.saturating_sub(4));
    let (title, lines, scroll) = match overlay {
        Overlay::Help { scroll } => (
            " Help ",
            HELP.iter().flat_map(|(key, what)| named(key, what, columns, palette)).collect(),
            scroll,
        ),
        Overlay::Details { texts, scroll } => {
            let texts = texts.iter().flat_map(|(name, text)| named(name, text, columns, palette));
            (" Details ", texts.collect::<Vec<_>>(), scroll)
        }
    };
    let needed = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let height = needed.saturating_add(2).min(area.height.saturating_sub(1));
    let at =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    // Beyond the end there is nothing to scroll to.
    let scroll = (*scroll).min(needed.saturating_sub(height.saturating_sub(2)));
    let set = if ascii { ASCII_BORDER } else { border::PLAIN };
    let block =
        Block::bordered().border_set(set).title(title).padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).block(block).scroll((scroll, 0)), at);
}

/// Returns the lines of a text behind its name.
fn named(name: &str, text: &str, columns: usize, palette: &Palette) -> Vec<Line<'static>> {
    let lines = wrap(text, columns.saturating_sub(NAME).max(1));
    let named = lines.into_iter().enumerate().map(|(index, text)| {
        let name = if index == 0 { name } else { "" };
        Line::from(vec![Span::styled(format!("{name:<NAME$}"), palette.tone(Tone::Quiet)), Span::raw(text)])
    });
    named.collect()
}
