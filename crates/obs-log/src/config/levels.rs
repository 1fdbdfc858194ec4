//! Text with the levels of loggers: `info,hearthnet.bus=debug`.

use std::fmt;

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
        let LevelsOverride { default, directives } = LevelsOverride::parse(text)?;
        Ok(Levels { default: default.unwrap_or(LevelFilter::Info), directives })
    }

    /// Returns these levels with those of `new` in their place.
    pub(crate) fn overridden(mut self, new: &LevelsOverride) -> Levels {
        self.default = new.default.unwrap_or(self.default);
        for (name, level) in &new.directives {
            // A configured level of a logger below `name` would be the nearer one and win.
            self.directives.retain(|(known, _)| !is_at_or_below(known, name));
            self.directives.push((name.clone(), *level));
        }
        self
    }

    /// Most verbose level of any logger, which `log::max_level` has to let through.
    pub(crate) fn most_verbose(&self) -> LevelFilter {
        self.directives.iter().map(|(_, level)| *level).fold(self.default, Ord::max)
    }
}

/// Text of the levels, as [`Levels::parse`] reads it.
impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(self.default))?;
        let mut directives = self.directives.iter();
        directives.try_for_each(|(name, level)| write!(f, ",{}={}", name.replace("::", "."), name_of(*level)))
    }
}

/// Levels that replace configured ones for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LevelsOverride {
    /// Level in place of the configured default. `None` keeps that one.
    default: Option<LevelFilter>,
    /// Logger names with their levels, in the form of [`Levels::directives`].
    directives: Vec<(String, LevelFilter)>,
}

impl LevelsOverride {
    pub(crate) fn parse(text: &str) -> Result<LevelsOverride, Error> {
        let mut levels = LevelsOverride { default: None, directives: Vec::new() };
        for item in text.split(',').map(str::trim) {
            match item.split_once('=') {
                None => levels.default = Some(parse_level(item, text)?),
                Some((name, level)) => {
                    let name = route_name(name.trim(), text)?;
                    levels.directives.retain(|(known, _)| *known != name);
                    levels.directives.push((name, parse_level(level.trim(), text)?));
                }
            }
        }
        Ok(levels)
    }
}

fn is_at_or_below(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns the level as the lines of the log write it.
fn name_of(level: LevelFilter) -> &'static str {
    match level {
        LevelFilter::Off => "off",
        LevelFilter::Error => "error",
        LevelFilter::Warn => "warning",
        LevelFilter::Info => "info",
        LevelFilter::Debug => "debug",
        LevelFilter::Trace => "trace",
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
    fn an_override_replaces_the_levels_that_it_names_and_those_below_them() {
        #[track_caller]
        fn check(configured: &str, new: &str, expected: &str) {
            let levels = Levels::parse(configured).unwrap();
            let levels = levels.overridden(&LevelsOverride::parse(new).unwrap());
            assert_eq!(levels.to_string(), expected);
            assert_eq!(Levels::parse(expected).unwrap(), levels, "the text is read back");
        }
        check("info", "hearthnet.bus=debug", "info,hearthnet.bus=debug");
        check("warn,hyper=off", "debug", "debug,hyper=off");
        check("info,a.b.c=off,a.bc=error", "a::b=TRACE", "info,a.bc=error,a.b=trace");
        check("info,a.b=debug", "error,a=warning", "error,a=warning");
        check("info,a=debug", "a.b=off", "info,a=debug,a.b=off");
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
