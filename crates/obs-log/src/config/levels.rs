//! The text that says which logger may log what: `info,hearthnet.bus=debug`.

use crate::config::error::{Error, ErrorKind};
use log::LevelFilter;

/// A parsed level text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    /// For every logger that no directive covers.
    pub(crate) default: LevelFilter,
    /// Logger name in `::` form, because that is what fern splits on, and its level.
    pub(crate) directives: Vec<(String, LevelFilter)>,
}

impl Levels {
    /// Reads `level` and `logger=level` items separated by commas; the last one for a logger wins, and `info` holds
    /// where only loggers are named.
    pub(crate) fn parse(text: &str) -> Result<Levels, Error> {
        let mut levels = Levels { default: LevelFilter::Info, directives: Vec::new() };
        for item in text.split(',').map(str::trim) {
            match item.split_once('=') {
                None => levels.default = parse_level(item, text)?,
                Some((name, level)) => {
                    let name = route_name(name.trim(), text)?;
                    levels.directives.retain(|(known, _)| *known != name);
                    levels.directives.push((name, parse_level(level.trim(), text)?));
                }
            }
        }
        Ok(levels)
    }

    /// The most verbose level that any logger has: what `log::max_level` has to let through.
    pub(crate) fn most_verbose(&self) -> LevelFilter {
        self.directives.iter().map(|(_, level)| *level).fold(self.default, Ord::max)
    }
}

fn parse_level(level: &str, text: &str) -> Result<LevelFilter, Error> {
    if level.eq_ignore_ascii_case("warning") {
        return Ok(LevelFilter::Warn);
    }
    level.parse().map_err(|_| {
        let what = quoted(level, text);
        let message = format!("{what} is no level; allowed are off, error, warning, info, debug and trace");
        Error::new(ErrorKind::Level, message)
    })
}

/// The part at fault and, if there is more, the text that it stands in.
fn quoted(part: &str, text: &str) -> String {
    if part == text { format!("`{part}`") } else { format!("`{part}` in `{text}`") }
}

fn route_name(name: &str, text: &str) -> Result<String, Error> {
    let path = name.replace("::", ".").replace('.', "::");
    if path.split("::").any(|part| part.is_empty() || part.contains(char::is_whitespace)) {
        let what = quoted(name, text);
        let message = format!("{what} is no logger name; write it as in `info,hearthnet.bus=debug`");
        return Err(Error::new(ErrorKind::Level, message));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_levels_for_all_and_for_one_logger() {
        let levels =
            Levels::parse("warning, hearthnet.bus = DEBUG,tokio::net=off,hearthnet.bus=trace").unwrap();
        assert_eq!(levels.default, LevelFilter::Warn);
        let expected = [("tokio::net", LevelFilter::Off), ("hearthnet::bus", LevelFilter::Trace)];
        assert_eq!(levels.directives, expected.map(|(name, level)| (name.to_owned(), level)));
        assert_eq!(levels.most_verbose(), LevelFilter::Trace);
        assert_eq!(Levels::parse("a=debug").unwrap().default, LevelFilter::Info);
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, wrong) in [
            ("", "``"),
            ("info,", "``"),
            ("loud", "`loud`"),
            ("info,a.b=very", "`very`"),
            ("=info", "``"),
            ("a..b=info", "`a..b`"),
        ] {
            let error = Levels::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Level);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
