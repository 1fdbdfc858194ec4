//! Styles of meanings. Without colours, only bold, dim and reversed text is used.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::top::tables::Tone;

#[derive(Clone, Copy, Debug)]
pub(in crate::cli::top) struct Palette {
    pub(in crate::cli::top) color: bool,
}

impl Palette {
    pub(super) fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tone::Good => self.colored(Color::Green),
            Tone::Warning => self.colored(Color::Yellow),
            Tone::Bad => self.colored(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// Style of the title of a section.
    pub(super) fn title(&self, has_focus: bool) -> Style {
        let style = self.colored(Color::Cyan).add_modifier(Modifier::BOLD);
        if has_focus { style.add_modifier(Modifier::UNDERLINED) } else { style }
    }

    /// Style of the row under the cursor.
    pub(super) fn cursor(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Style of a line that must be seen.
    pub(super) fn alarm(&self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    fn colored(&self, color: Color) -> Style {
        // The sixteen colours of the terminal: its user has chosen them to be legible.
        if self.color { Style::new().fg(color) } else { Style::new() }
    }
}
