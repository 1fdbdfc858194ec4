//! The report as text.

use std::fmt::Write;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::TextStyle;
use crate::report::Report;
use crate::report::{Category, CheckResult, Status};

/// Returns `report` as text for people.
///
/// ```
/// use std::sync::Arc;
/// use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Doctor, NoBus, render};
///
/// let mut doctor = Doctor::empty();
/// doctor.register(Check::new("sun").run_blocking(|_| CheckResult::fail("is down").fix("wait for the morning")))?;
/// let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
/// let report = doctor.run_all_blocking(&Config::default(), &bus);
/// let text = render::text(&report, &render::TextStyle::default().quiet(true));
/// assert_eq!(text, "Other\n  ✘ sun  is down\n      → fix: wait for the morning\n");
/// # Ok::<(), obs_doctor::Error>(())
/// ```
#[must_use]
pub fn text(report: &Report, style: &TextStyle) -> String {
    let shown: Vec<&CheckResult> =
        report.results.iter().filter(|result| !style.quiet || is_problem(result)).collect();
    let page = Page { style, name_width: shown.iter().map(|result| result.name.len()).max().unwrap_or(0) };
    let mut out = String::new();
    if !style.quiet {
        page.heading(&mut out, report);
    }
    for (at, category) in categories(&shown).into_iter().enumerate() {
        if at > 0 || !style.quiet {
            out.push('\n');
        }
        page.category(&mut out, category, &shown);
    }
    if !style.quiet {
        page.summary(&mut out, report);
    }
    out
}

fn is_problem(result: &CheckResult) -> bool {
    !result.ok || result.status == Status::Warn
}

/// Returns the headings in the order of their first results.
fn categories<'a>(results: &[&'a CheckResult]) -> Vec<&'a Category> {
    let mut categories: Vec<&Category> = Vec::new();
    for result in results {
        if !categories.contains(&&result.category) {
            categories.push(&result.category);
        }
    }
    categories
}

struct Page<'a> {
    style: &'a TextStyle,
    name_width: usize,
}

/// Columns that a detail needs beside the names. With fewer it is placed below the name.
const DETAIL_WIDTH: usize = 30;
/// Indent of a fix and of evidence.
const FIX_INDENT: usize = 6;

impl Page<'_> {
    fn heading(&self, out: &mut String, report: &Report) {
        let dot = self.dot();
        let node = if report.node_id.is_some() { "node running" } else { "no node running" };
        let facts = format!("v{}{dot}{}{dot}{node}", env!("CARGO_PKG_VERSION"), std::env::consts::OS);
        let mut line = Line::new(self);
        line.add("", "hearthnet doctor", BOLD);
        line.add("  ", &facts, PLAIN);
        let _ = writeln!(out, "{}", line.text);
    }

    fn category(&self, out: &mut String, category: &Category, shown: &[&CheckResult]) {
        for line in self.lines(&self.plain(category.as_str()), 0) {
            let _ = writeln!(out, "{}", self.paint(&line, BOLD));
        }
        for result in shown.iter().filter(|result| result.category == *category) {
            self.result(out, result);
        }
    }

    fn result(&self, out: &mut String, result: &CheckResult) {
        let (mark, color) = self.mark(result.status);
        let detail = self.detail(result);
        let column = 2 + mark.width() + 1 + self.name_width + 2;
        if self.is_narrow(column) {
            let _ = write!(out, "  {} ", self.paint(mark, color));
            self.hanging(out, 2 + mark.width() + 1, &result.name);
            self.wrapped(out, &" ".repeat(FIX_INDENT), &detail);
        } else {
            let _ = write!(
                out,
                "  {} {:<width$}  ",
                self.paint(mark, color),
                result.name,
                width = self.name_width
            );
            self.hanging(out, column, &detail);
        }
        if let Some(fix) = &result.fix {
            let arrow = if self.style.ascii { "-> fix: " } else { "→ fix: " };
            let _ = write!(out, "{:FIX_INDENT$}{}", "", self.paint(arrow, color));
            self.hanging(out, FIX_INDENT + arrow.width(), &self.plain(fix));
        }
        if self.style.verbose {
            for (key, value) in &result.evidence {
                let line = format!("{}: {}", self.plain(key), self.plain(value));
                self.wrapped(out, &" ".repeat(FIX_INDENT), &line);
            }
        }
    }

    fn detail(&self, result: &CheckResult) -> String {
        let mut detail = self.plain(&result.detail);
        if result.status == Status::Skip {
            detail.insert_str(0, "skipped: ");
        }
        if self.style.verbose {
            let _ = write!(detail, " ({} ms)", result.duration.as_millis());
        }
        detail
    }

    fn summary(&self, out: &mut String, report: &Report) {
        let counts = report.summary();
        let warnings = if counts.warn == 1 { "warning" } else { "warnings" };
        let errors = if counts.error == 1 { "error" } else { "errors" };
        let parts = [
            (counts.fail, "failed", RED),
            (counts.error, errors, RED),
            (counts.warn, warnings, YELLOW),
            (counts.skip, "skipped", DIM),
        ];
        let mut line = Line::new(self);
        for (n, what, color) in parts.into_iter().filter(|(n, ..)| *n > 0) {
            line.add(self.dot(), &format!("{n} {what}"), color);
        }
        line.add(self.dot(), &format!("{} passed", counts.pass), GREEN);
        line.add("   ", &seconds(report.duration), PLAIN);
        let _ = writeln!(out, "\n{}", line.text);
    }

    fn mark(&self, status: Status) -> (&'static str, &'static str) {
        match (status, self.style.ascii) {
            (Status::Pass, false) => ("✔", GREEN),
            (Status::Warn, false) => ("!", YELLOW),
            (Status::Fail | Status::Error, false) => ("✘", RED),
            (Status::Skip, false) => ("-", DIM),
            (Status::Pass, true) => ("[ok]  ", GREEN),
            (Status::Warn, true) => ("[!!]  ", YELLOW),
            (Status::Fail | Status::Error, true) => ("[FAIL]", RED),
            (Status::Skip, true) => ("[--]  ", DIM),
        }
    }

    /// Writes `text` whose first line starts at the cursor in `column`, and indents the other lines to that column.
    fn hanging(&self, out: &mut String, column: usize, text: &str) {
        for (at, line) in self.lines(text, column).into_iter().enumerate() {
            let indent = if at == 0 { 0 } else { column };
            let _ = writeln!(out, "{:indent$}{line}", "");
        }
    }

    fn wrapped(&self, out: &mut String, indent: &str, text: &str) {
        for line in self.lines(text, indent.len()) {
            let _ = writeln!(out, "{indent}{line}");
        }
    }

    fn lines(&self, text: &str, column: usize) -> Vec<String> {
        match self.style.width {
            Some(width) => wrap(text, width.saturating_sub(column).max(10)),
            None => vec![text.to_owned()],
        }
    }

    /// Returns whether a detail that starts at `column` has too few columns.
    fn is_narrow(&self, column: usize) -> bool {
        self.style.width.is_some_and(|width| width < column + DETAIL_WIDTH)
    }

    fn dot(&self) -> &'static str {
        if self.style.ascii { " | " } else { " · " }
    }

    /// Returns `text` in characters that the terminal can show.
    fn plain(&self, text: &str) -> String {
        if !self.style.ascii {
            return text.to_owned();
        }
        text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '…' => out.push_str("..."),
                '±' => out.push_str("+/-"),
                '“' | '”' => out.push('"'),
                _ if c.is_ascii() => out.push(c),
                _ => out.extend(c.escape_unicode()),
            }
            out
        })
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.style.color && code != PLAIN {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Row of parts, which breaks before a part that does not fit.
struct Line<'a> {
    page: &'a Page<'a>,
    text: String,
    used: usize,
}

impl<'a> Line<'a> {
    fn new(page: &'a Page<'a>) -> Self {
        Self { page, text: String::new(), used: 0 }
    }

    fn add(&mut self, separator: &str, part: &str, color: &str) {
        let needed = separator.width() + part.width();
        if self.used == 0 {
            self.used = part.width();
        } else if self.page.style.width.is_some_and(|width| self.used + needed > width) {
            self.text.push_str("\n  ");
            self.used = 2 + part.width();
        } else {
            self.text.push_str(separator);
            self.used += needed;
        }
        self.text.push_str(&self.page.paint(part, color));
    }
}

// SGR parameters of ANSI escape sequences.
const PLAIN: &str = "";
const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Breaks `text` at spaces. A word that is wider than a line is broken after a `/` if possible, else anywhere.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let needed = word.width();
        if used > 0 && used + 1 + needed > width {
            lines.push(String::new());
            used = 0;
        } else if used > 0 {
            push(&mut lines, &mut used, ' ', usize::MAX);
        }
        for piece in word.split_inclusive('/') {
            if used > 0 && used + piece.width() > width {
                lines.push(String::new());
                used = 0;
            }
            for c in piece.chars() {
                push(&mut lines, &mut used, c, width);
            }
        }
    }
    lines
}

fn push(lines: &mut Vec<String>, used: &mut usize, c: char, width: usize) {
    // Columns and not characters: wide letters take two, combining ones none.
    let needed = c.width().unwrap_or(0);
    if *used + needed > width {
        lines.push(String::new());
        *used = 0;
    }
    *used += needed;
    if let Some(line) = lines.last_mut() {
        line.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_spaces_and_long_words_break() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijkl", 5), ["abcde", "fghij", "kl"]);
        assert_eq!(wrap("~/share/keys/device, 0600", 12), ["~/share/", "keys/device,", "0600"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_the_limit(text in "\\PC{0,120}", width in 10_usize..60) {
            for line in wrap(&text, width) {
                let columns: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
                proptest::prop_assert!(columns <= width);
            }
        }
    }
}
