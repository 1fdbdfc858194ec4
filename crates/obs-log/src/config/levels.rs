//! Text with the levels of loggers: `info,hearthnet.bus=debug`.

use crate::config::error::{Error, ErrorKind};
use log::LevelFilter;

/// Parsed level text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    /// Level of every logger that no directive covers.
    pub(crate) default: LevelFilter,
    /// Logger names with their levels. Names have the `::` form, because fern splits on that.
    pub(crate) directives: Vec<(String, LevelFilter)>,
}

impl Levels {
    /// Reads `level` and `logger=level` items separated by commas. The last item of a logger counts. If only loggers are
    /// named, the others have `info`.
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

    /// Most verbose level of any logger, which `log::max_level` has to let through.
    pub(crate) fn most_verbose(&self) -> LevelFilter {
        self.directives.iter().map(|(_, level)| *level).fold(self.default, Ord::max)
    }
}

fn parse_level(level: &str, text: &str) -> Result<LevelFilter, Error> {
    if level.eq_ignore_ascii_case("warning") {
        return Ok(LevelFilter::Warn);
    }
    level.parse().map_err(|_| {
        let problem = format!("{} is not a level", quoted(level, text));
        Error::new(ErrorKind::Level, problem, "use off, error, warning, info, debug or trace")
    })
}

/// Part at fault and, if there is more, the text around it.
fn quoted(part: &str, text: &str) -> String {
    if part == text { format!("`{part}`") } else { format!("`{part}` in `{text}`") }
}

fn route_name(name: &str, text: &str) -> Result<String, Error> {
    let path = name.replace("::", ".").replace('.', "::");
    if path.split("::").any(|part| part.is_empty() || part.contains(char::is_whitespace)) {
        let problem = format!("{} is not a logger name", quoted(name, text));
        return Err(Error::new(ErrorKind::Level, problem, "write it as in `info,hearthnet.bus=debug`"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_all_loggers_and_of_one_are_read() {
        let levels =
            Levels::parse("warning, hearthnet.bus = DEBUG,tokio::net=off,hearthnet.bus=trace").unwrap();
        assert_eq!(levels.default, LevelFilter::Warn);
        let expected = [("tokio::net", LevelFilter::Off), ("hearthnet::bus", LevelFilter::Trace)];
        assert_eq!(levels.directives, expected.map(|(name, level)| (name.to_owned(), level)));
        assert_eq!(levels.most_verbose(), LevelFilter::Trace);
        assert_eq!(Levels::parse("a=debug").unwrap().default, LevelFilter::Info);
    }

    #[test]
    fn an_error_quotes_the_part_at_fault() {
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
