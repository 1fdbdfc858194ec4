//! SVG of a plot, readable on a light and on a dark page. Each program that draws one includes this file.

use std::fmt::{Display, Write as _};

/// Drawing, to which elements are added.
pub(crate) struct Svg(String);

/// Side of a text that is at its place.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Svg {
        Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <style>text{{fill:#333}}.grid{{stroke:#8885}}@media(prefers-color-scheme:dark){{text{{fill:#ddd}}}}</style>\n"
        ))
    }

    /// Adds an element.
    pub(crate) fn add(&mut self, element: impl Display) {
        _ = writeln!(self.0, "{element}");
    }

    /// Adds a line of the grid.
    pub(crate) fn grid(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(format_args!(
            "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.to_string().replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
    }

    pub(crate) fn finish(self) -> String {
        self.0 + "</svg>\n"
    }
}
