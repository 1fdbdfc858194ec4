//! Coloured line, cut at the edge of the terminal.

use obs_facade::doctor::render::TextStyle;

use super::text::shortened;
use crate::trace::record::RUNNING;

#[derive(Clone, Copy)]
pub(crate) enum Color {
    Bold,
    Dim,
    Cyan,
    Green,
    Red,
    Yellow,
}

impl Color {
    pub(crate) fn of_status(status: &str) -> Color {
        match status {
            "ok" => Color::Green,
            RUNNING => Color::Cyan,
            "cancelled" => Color::Yellow,
            _ => Color::Red,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Color::Bold => "1",
            Color::Dim => "2",
            Color::Cyan => "36",
            Color::Green => "32",
            Color::Red => "31",
            Color::Yellow => "33",
        }
    }
}

#[derive(Default)]
pub(crate) struct Line {
    pieces: Vec<(Option<Color>, String)>,
}

impl Line {
    pub(crate) fn new() -> Line {
        Line::default()
    }

    pub(crate) fn plain(mut self, text: impl Into<String>) -> Line {
        self.pieces.push((None, text.into()));
        self
    }

    pub(crate) fn with(mut self, color: Color, text: impl Into<String>) -> Line {
        self.pieces.push((Some(color), text.into()));
        self
    }

    /// Returns the number of characters.
    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Returns the line with colours and a line feed, and without trailing blanks.
    pub(crate) fn painted(&self, style: &TextStyle) -> String {
        // Output to a pipe has no width and is never cut.
        let mut left = style.width.unwrap_or(usize::MAX);
        let mut out = String::new();
        for (color, text) in &self.pieces {
            let text = shortened(text, left, style.ascii);
            left -= text.chars().count();
            match color {
                // The codes are not counted: they take no columns.
                Some(color) if style.color && !text.is_empty() => {
                    out.push_str(&format!("\x1b[{}m{text}\x1b[0m", color.code()));
                }
                _ => out.push_str(&text),
            }
        }
        // A bar ends in blanks that would wrap on a narrow terminal.
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}
