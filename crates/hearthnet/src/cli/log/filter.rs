//! Selection of the lines to show.

use clap::ValueEnum;

/// Levels of a line, in ascending order of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    #[value(alias = "warn")]
    Warning,
    Error,
}

impl Level {
    pub(crate) fn of(text: &[u8]) -> Option<Level> {
        Some(match text {
            b"trace" => Level::Trace,
            b"debug" => Level::Debug,
            b"info" => Level::Info,
            b"warning" => Level::Warning,
            b"error" => Level::Error,
            _ => return None,
        })
    }
}

/// Selection by `--level` and `--component`.
pub(crate) struct Filter {
    level: Level,
    component: Option<Vec<String>>,
}

impl Filter {
    pub(crate) fn new(level: Option<Level>, component: Option<&str>) -> Filter {
        let parts = |name: &str| name.replace("::", ".").split('.').map(str::to_owned).collect();
        Filter { level: level.unwrap_or(Level::Trace), component: component.map(parts) }
    }

    pub(crate) fn shows(&self, level: Level, logger: &str) -> bool {
        level >= self.level
            && self.component.as_deref().is_none_or(|component| has_component(logger, component))
    }

    /// Returns whether the first bytes show that the line is not selected. Parsing a line as JSON takes ten times as
    /// long, and most lines are usually not selected.
    pub(crate) fn surely_hides(&self, line: &[u8]) -> bool {
        // {"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus.router","msg":…
        const LEVEL_AT: usize = 42;
        let Some((head, tail)) = line.split_at_checked(LEVEL_AT) else { return false };
        if !head.ends_with(b"\",\"level\":\"") {
            return false;
        }
        let Some((level, tail)) = until_quote(tail) else { return false };
        let Some(level) = Level::of(level) else { return false };
        if level < self.level {
            return true;
        }
        let logger = tail.strip_prefix(b",\"logger\":\"").and_then(until_quote).map(|(logger, _)| logger);
        match logger.and_then(|logger| str::from_utf8(logger).ok()) {
            Some(logger) if !logger.contains('\\') => !self.shows(level, logger),
            _ => false,
        }
    }
}

fn until_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'"')?;
    Some((&text[..end], &text[end + 1..]))
}

/// Returns whether the parts of `component` follow each other in `logger`.
fn has_component(logger: &str, component: &[String]) -> bool {
    let mut rest = logger.split('.');
    loop {
        let mut ahead = rest.clone();
        if component.iter().all(|part| ahead.next() == Some(part)) {
            return true;
        }
        if rest.next().is_none() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: &str, logger: &str) -> String {
        format!(r#"{{"ts":"2026-05-26T08:14:22.281Z","level":"{level}","logger":"{logger}","msg":"m"}}"#)
    }

    #[test]
    fn a_component_is_a_run_of_whole_parts() {
        for (component, shown) in [
            ("bus", true),
            ("router", true),
            ("bus.router", true),
            ("hearthnet::bus", true),
            ("hearthnet.bus.router", true),
            ("hearthnet.router", false),
            ("bu", false),
            ("bus.router.x", false),
            ("", false),
        ] {
            let filter = Filter::new(None, Some(component));
            assert_eq!(filter.shows(Level::Info, "hearthnet.bus.router"), shown, "{component}");
            assert_eq!(
                filter.surely_hides(line("info", "hearthnet.bus.router").as_bytes()),
                !shown,
                "{component}"
            );
        }
    }

    #[test]
    fn a_level_shows_the_more_important_ones_too() {
        let filter = Filter::new(Some(Level::Warning), None);
        let hidden = |level: &str| filter.surely_hides(line(level, "x").as_bytes());
        assert_eq!(["trace", "info", "warning", "error"].map(hidden), [true, true, false, false]);
    }

    #[test]
    fn lines_of_another_form_are_never_hidden_unparsed() {
        let filter = Filter::new(Some(Level::Error), Some("bus"));
        let escaped = line("error", "a\\u002ebus");
        for line in ["", "{", "{\"level\":\"info\"}", &line("loud", "x"), &line("info", "x")[..45], &escaped]
        {
            assert!(!filter.surely_hides(line.as_bytes()), "{line}");
        }
    }
}
