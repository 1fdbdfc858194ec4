//! Bars of a plot: a group for each column, a bar for each contender, the median as its length.

use crate::harness::{Area, Plot, Results, figure};
use crate::svg::{Anchor, Svg};

const WIDTH: f64 = 760.0;
/// Room for the names of the contenders.
const LEFT: f64 = 340.0;
/// Room for the figures.
const RIGHT: f64 = 60.0;
const TOP: f64 = 34.0;
/// Height of a bar with its margin, and of a group's heading.
const ROW: f64 = 20.0;

// Each colour has enough contrast on white and on black.
const OURS: &str = "#0b7285";
const PEER: &str = "#d9480f";
const LIMIT: &str = "#868e96";

/// A bar, or the heading of those below it.
enum Row<'a> {
    Heading(&'a str),
    Bar { label: &'static str, colour: &'static str, median: f64 },
}

pub(super) fn draw(plot: &Plot, area: &Area, results: &Results) -> String {
    let rows = rows(plot, area, results);
    let medians =
        rows.iter().filter_map(|row| if let Row::Bar { median, .. } = row { Some(*median) } else { None });
    let longest = medians.fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = Svg::new(WIDTH, TOP + rows.len() as f64 * ROW + 8.0);
    svg.text((WIDTH / 2.0, 18.0), Anchor::Middle, format_args!("{} ({})", plot.title, plot.unit.name()));
    let end = TOP + rows.len() as f64 * ROW;
    svg.grid((LEFT, TOP), (LEFT, end));
    for (index, row) in rows.iter().enumerate() {
        let top = TOP + index as f64 * ROW;
        let line = top + 14.0;
        match row {
            Row::Heading(heading) => svg.text((LEFT + 4.0, line), Anchor::Start, heading),
            Row::Bar { label, colour, median } => {
                let length = (WIDTH - LEFT - RIGHT) * median / longest;
                svg.text((LEFT - 8.0, line), Anchor::End, label);
                svg.add(format_args!(
                    "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                    top + 2.0,
                    ROW - 4.0
                ));
                svg.text((LEFT + length + 5.0, line), Anchor::Start, figure(*median));
            }
        }
    }
    svg.finish()
}

fn rows<'a>(plot: &'a Plot, area: &Area, results: &Results) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for column in &plot.columns {
        rows.push(Row::Heading(&column.heading));
        for who in &area.contenders {
            let Some(samples) = results.get(who.name, &column.key) else { continue };
            let colour = match who.label {
                label if label.starts_with("limit") => LIMIT,
                _ if who.name.starts_with("obs-") => OURS,
                _ => PEER,
            };
            rows.push(Row::Bar { label: who.label, colour, median: samples.median() });
        }
    }
    rows
}
