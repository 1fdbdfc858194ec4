//! Change of the levels, checked before it is applied.

use std::fmt;
use std::time::Duration;

use super::{component, period};
use crate::nearest::nearest;

/// Time of a change that names none. Long enough to look for a cause, and over before the day is.
pub(crate) const DEFAULT_PERIOD: Duration = Duration::from_secs(3600);
/// Maximum time of a change. Levels that are to stay belong into the configuration.
const MAX_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// Maximum number of levels in a change. Each costs a comparison when a thread first uses a logger.
const MAX_LEVELS: usize = 32;
/// Maximum length of the text.
const MAX_BYTES: usize = 1024;
/// Maximum length of a part of the text that an error repeats.
const SHOWN_CHARS: usize = 60;

const LEVELS: [&str; 6] = ["off", "error", "warning", "info", "debug", "trace"];
const ALLOWED: &str = "use off, error, warning, info, debug or trace";

/// Levels and the time for which they replace the configured ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(super) levels: String,
    pub(super) period: Duration,
}

/// Reason for which a change is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) kind: RefusalKind,
    pub(super) problem: String,
    pub(super) advice: String,
    /// Name that was most likely meant.
    pub(super) meant: Option<String>,
}

/// Kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    UnknownLevel,
    BadTarget,
    UnknownComponent,
    TooMuch,
    BadPeriod,
    BadRequest,
}

impl RefusalKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RefusalKind::UnknownLevel => "unknown_level",
            RefusalKind::BadTarget => "bad_target",
            RefusalKind::UnknownComponent => "unknown_component",
            RefusalKind::TooMuch => "too_much",
            RefusalKind::BadPeriod => "bad_period",
            RefusalKind::BadRequest => "bad_request",
        }
    }
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, problem: impl Into<String>, advice: impl Into<String>) -> Refusal {
        Refusal { kind, problem: problem.into(), advice: advice.into(), meant: None }
    }

    fn meaning(mut self, meant: Option<String>) -> Refusal {
        self.meant = meant;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.advice)?;
        match &self.meant {
            Some(meant) => write!(f, "; did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

impl Change {
    pub(crate) fn new(levels: &str, period: Duration) -> Result<Change, Refusal> {
        if levels.len() > MAX_BYTES || levels.split(',').count() > MAX_LEVELS {
            let problem =
                format!("the text has {} levels and {} bytes", levels.split(',').count(), levels.len());
            let advice = format!("use at most {MAX_LEVELS} levels and {MAX_BYTES} bytes");
            return Err(Refusal::new(RefusalKind::TooMuch, problem, advice));
        }
        levels.split(',').try_for_each(check_item)?;
        if !(Duration::from_secs(1)..=MAX_PERIOD).contains(&period) {
            let problem = format!("the time {} is not allowed", period::render(period));
            let advice = format!("use a time from 1s to {}, such as 10m", period::render(MAX_PERIOD));
            return Err(Refusal::new(RefusalKind::BadPeriod, problem, advice));
        }
        // The log has the last word, so that a change which is accepted here can be applied.
        let log = obs_facade::log::Config::new("").level(levels).check();
        log.map_err(|error| Refusal::new(RefusalKind::BadTarget, error.problem(), error.advice()))?;
        Ok(Change { levels: levels.split_whitespace().collect(), period })
    }
}

/// Checks `level` or `logger=level`.
fn check_item(item: &str) -> Result<(), Refusal> {
    let item = item.trim();
    match item.split_once('=') {
        None if item.contains(['.', ':']) => {
            let advice = format!("write a level behind it, as in `{}=debug`", shown(item));
            Err(Refusal::new(RefusalKind::UnknownLevel, format!("`{}` has no level", shown(item)), advice))
        }
        None => check_level(item),
        Some((target, level)) => {
            check_target(target.trim())?;
            check_level(level.trim())
        }
    }
}

fn check_level(level: &str) -> Result<(), Refusal> {
    if LEVELS.iter().chain(&["warn"]).any(|known| known.eq_ignore_ascii_case(level)) {
        return Ok(());
    }
    let refusal =
        Refusal::new(RefusalKind::UnknownLevel, format!("`{}` is not a level", shown(level)), ALLOWED);
    Err(refusal.meaning(nearest(level, LEVELS).map(str::to_owned)))
}

fn check_target(target: &str) -> Result<(), Refusal> {
    let name = target.replace("::", ".");
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    if !name.split('.').all(is_part) {
        let problem = format!("`{}` is not a logger", shown(target));
        return Err(Refusal::new(RefusalKind::BadTarget, problem, "write it as in `hearthnet.bus=debug`"));
    }
    match component::suggestion(&name) {
        None => Ok(()),
        meant => {
            let problem = format!("the node has no logger `{}`", shown(target));
            let advice = "name a logger as the lines of the log do";
            Err(Refusal::new(RefusalKind::UnknownComponent, problem, advice).meaning(meant))
        }
    }
}

/// Returns the beginning of a text that an error repeats.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(levels: &str, seconds: u64) -> Result<Change, Refusal> {
        Change::new(levels, Duration::from_secs(seconds))
    }

    #[test]
    fn levels_of_all_loggers_and_of_one_are_taken() {
        for levels in
            ["debug", "WARN", "hearthnet.bus=debug", "hearthnet::bus = trace , hyper=off", "info,h2=debug"]
        {
            let taken = change(levels, 600).unwrap();
            assert_eq!(taken.levels, levels.replace(' ', ""));
            assert!(obs_facade::log::Config::new("").level(&taken.levels).check().is_ok(), "{levels}");
        }
        assert!(change("debug", 1).is_ok() && change("debug", 86_400).is_ok());
    }

    #[test]
    fn a_refusal_has_a_kind_and_says_what_is_allowed() {
        use RefusalKind::{BadPeriod, BadTarget, TooMuch, UnknownComponent, UnknownLevel};
        let many = vec!["a=info"; 33].join(",");
        let long = format!("{}=info", "a".repeat(1024));
        for (levels, seconds, kind, words) in [
            ("loud", 600, UnknownLevel, "use off, error, warning, info, debug or trace"),
            ("hearthnet.bus=debgu", 600, UnknownLevel, "did you mean `debug`?"),
            ("", 600, UnknownLevel, "`` is not a level"),
            ("info,", 600, UnknownLevel, "`` is not a level"),
            ("hearthnet.bus", 600, UnknownLevel, "as in `hearthnet.bus=debug`"),
            ("a b=debug", 600, BadTarget, "`a b` is not a logger"),
            ("a..b=debug", 600, BadTarget, "`a..b` is not a logger"),
            ("=debug", 600, BadTarget, "hearthnet.bus=debug"),
            ("\u{1b}[2J=debug", 600, BadTarget, "`\\u{1b}[2J` is not a logger"),
            ("hearthnet.bsu=debug", 600, UnknownComponent, "did you mean `hearthnet.bus`?"),
            ("debug", 0, BadPeriod, "from 1s to 24h"),
            ("debug", 86_401, BadPeriod, "24h1s is not allowed"),
            (&many, 600, TooMuch, "at most 32 levels"),
            (&long, 600, TooMuch, "1024 bytes"),
        ] {
            let refusal = change(levels, seconds).unwrap_err();
            assert_eq!(refusal.kind, kind, "{levels}");
            let text = refusal.to_string();
            assert!(text.contains(words) && !text.contains('\u{1b}'), "{text}");
        }
    }
}
