//! Picture of the state: a pure function of the state and the time.

mod header;
mod overlay;
mod palette;
mod section;
mod text;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) use self::palette::Palette;
use self::section::Section;
use super::state::State;
use super::tables::Kind;

/// Lines that a section needs at least: its title and a row.
const MIN_SECTION: usize = 2;

/// Draws the state into the whole frame.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, now: DateTime<Utc>, palette: &Palette) {
    let area = frame.area();
    let (head, keys) = lines_around(area.height);
    let width = usize::from(area.width);
    let mut lines = header::lines(state, now, palette, width);
    lines.truncate(head);
    lines.extend(body(state, now, palette, width, usize::from(area.height).saturating_sub(head + keys)));
    if keys > 0 {
        lines.resize(usize::from(area.height) - 1, Line::default());
        lines.push(header::keys(state, palette, width));
    }
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
    if let Some(overlay) = &state.overlay {
        overlay::draw(frame, overlay, palette, state.ascii);
    }
}

/// Returns the number of lines of the header and of the bar with the keys.
fn lines_around(height: u16) -> (usize, usize) {
    match height {
        0..4 => (1, 0),
        4..8 => (1, 1),
        _ => (3, 1),
    }
}

/// Returns the lines of the sections. If there is no room for all of them, the one with the focus has all of it.
fn body(
    state: &State,
    now: DateTime<Utc>,
    palette: &Palette,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let shown: Vec<Kind> = match height >= Kind::ALL.len() * MIN_SECTION {
        true => Kind::ALL.to_vec(),
        false => vec![state.focus],
    };
    let sections: Vec<Section<'_>> =
        shown.into_iter().map(|kind| Section::new(kind, state, now, palette, width)).collect();
    let needed: Vec<usize> = sections.iter().map(Section::height).collect();
    let (heights, gap) = share(&needed, height, sections.iter().position(|section| section.has_focus));
    let mut lines = Vec::new();
    for (section, height) in sections.iter().zip(heights) {
        lines.extend(section.lines(height));
        lines.extend((0..gap).map(|_| Line::default()));
    }
    lines
}

/// Shares `height` lines among sections that need so many. The one with the focus gets two lines at a time. The second
/// figure is the number of lines between two sections.
fn share(needed: &[usize], height: usize, focus: Option<usize>) -> (Vec<usize>, usize) {
    let mut given = vec![0; needed.len()];
    let mut left = height;
    // The least of all sections comes first, so that none is missing.
    for least in [MIN_SECTION, usize::MAX] {
        while left > 0 {
            let before = left;
            for (index, given) in given.iter_mut().enumerate() {
                let step = if focus == Some(index) { 2 } else { 1 };
                let more = needed[index].min(least).saturating_sub(*given).min(step).min(left);
                *given += more;
                left -= more;
            }
            if left == before {
                break;
            }
        }
    }
    let gap = usize::from(needed.len() > 1 && left >= needed.len());
    (given, gap)
}

#[cfg(test)]
mod tests;
