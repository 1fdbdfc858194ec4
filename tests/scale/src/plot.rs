//! Plot of a measurement as SVG, readable on a light and on a dark page.

use crate::measure::Row;
use crate::svg::{Anchor, Svg};

const WIDTH: f64 = 740.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 44.0;

/// A line of the plot. Its colour has enough contrast on white and on black.
struct Line {
    name: &'static str,
    colour: &'static str,
    value: fn(&Row) -> f64,
}

const LINES: [Line; 4] = [
    Line { name: "store, MB", colour: "#0b7285", value: |row| row.store_bytes as f64 / 1e6 },
    Line { name: "vmagent, MB", colour: "#d9480f", value: |row| row.agent_bytes as f64 / 1e6 },
    Line {
        name: "both, % of a core",
        colour: "#9c36b5",
        value: |row| (row.agent_cores + row.store_cores) * 100.0,
    },
    Line {
        name: "a scrape, µs of a node", colour: "#2b8a3e", value: |row| row.node_cpu.as_secs_f64() * 1e6
    },
];

/// Draws all lines over the number of nodes. Both axes are logarithmic.
pub(crate) fn draw(rows: &[Row]) -> String {
    let most = rows.iter().map(|row| row.targets).max().unwrap_or(10) as f64;
    let x =
        |nodes: f64| LEFT + (nodes.log10() - 1.0) / (most.log10() - 1.0).max(0.1) * (WIDTH - LEFT - RIGHT);
    // From 0.1 to 10 000.
    let y = |value: f64| TOP + (4.0 - value.max(0.1).log10()) / 5.0 * (HEIGHT - TOP - BOTTOM);
    let mut svg = Svg::new(WIDTH, HEIGHT);
    for power in -1..=4 {
        let (value, at) = (10f64.powi(power), y(10f64.powi(power)));
        svg.grid((LEFT, at), (WIDTH - RIGHT, at));
        svg.text((LEFT - 8.0, at + 4.0), Anchor::End, value);
    }
    for row in rows {
        svg.text((x(row.targets as f64), HEIGHT - BOTTOM + 18.0), Anchor::Middle, row.targets);
    }
    svg.text(((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0), Anchor::Middle, "nodes");
    for (index, line) in LINES.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            rows.iter().map(|row| (x(row.targets as f64), y((line.value)(row)))).collect();
        let path: String = points.iter().map(|(x, y)| format!("{x:.1},{y:.1} ")).collect();
        let colour = line.colour;
        svg.add(format_args!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{path}\"/>"
        ));
        for (x, y) in points {
            svg.add(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"));
        }
        let at = TOP + 14.0 + 20.0 * index as f64;
        let left = WIDTH - RIGHT + 16.0;
        svg.add(format_args!("<circle cx=\"{left}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"/>", at - 4.0));
        svg.text((left + 10.0, at), Anchor::Start, line.name);
    }
    svg.finish()
}
