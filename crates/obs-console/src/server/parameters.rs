//! Parameters of a query string.

use chrono::DateTime;

use crate::api::Window;
use crate::refused::Refused;

/// Longest query string, in bytes.
const LONGEST_QUERY: usize = 8 << 10;

/// Parameters of a query string.
const MOST_PARAMETERS: usize = 32;

/// Longest value, in bytes.
const LONGEST_VALUE: usize = 1024;

/// Bytes of a name or value from outside that a message repeats.
const SHOWN: usize = 64;

/// Window before now when `since` is not told, in seconds.
const DEFAULT_WINDOW: u64 = 3600;

/// Parameters of a request, each once and known.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    /// Seconds since 1970.
    now: u64,
}

impl Parameters {
    /// Reads a query string. A name must be one of `names`, or begin with `family` and a dot.
    pub(super) fn read(
        query: Option<&str>,
        names: &[&str],
        family: Option<&str>,
        now: u64,
    ) -> Result<Self, Refused> {
        let query = query.unwrap_or_default();
        if query.len() > LONGEST_QUERY {
            return Err(Refused::bad_request(format!("the query has more than {LONGEST_QUERY} bytes")));
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            check(&name, &value, names, family)?;
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(Refused::bad_request(format!("`{}` is given twice", shown(&name))));
            }
            pairs.push((name.into_owned(), value.into_owned()));
            if pairs.len() > MOST_PARAMETERS {
                return Err(Refused::bad_request(format!(
                    "there are more than {MOST_PARAMETERS} parameters"
                )));
            }
        }
        Ok(Parameters { pairs, now })
    }

    /// Returns a text. An empty one filters nothing.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Returns a text that must be one of some words.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Refused> {
        match self.text(name) {
            Some(word) if !words.contains(&word.as_str()) => {
                Err(malformed(name, &word, &format!("one of {}", words.join(", "))))
            }
            word => Ok(word),
        }
    }

    /// Returns `true` or `false`, which is the default.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refused> {
        match self.value(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(malformed(name, other, "true or false")),
        }
    }

    /// Returns a number from 1 to `most`.
    pub(super) fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Refused> {
        let Some(value) = self.value(name) else { return Ok(default) };
        let number = value.bytes().all(|digit| digit.is_ascii_digit()).then(|| value.parse().ok()).flatten();
        number
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| malformed(name, value, &format!("a number from 1 to {most}")))
    }

    /// Returns a duration in milliseconds.
    pub(super) fn milliseconds(&self, name: &str) -> Result<Option<f64>, Refused> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.map(Some).ok_or_else(|| malformed(name, value, "a number of milliseconds"))
    }

    /// Returns the text of an instant.
    pub(super) fn instant(&self, name: &str) -> Result<Option<String>, Refused> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match seconds(value, Round::Down) {
            Some(_) => Ok(Some(value.to_owned())),
            None => Err(malformed(name, value, "an instant such as 2026-01-31T12:00:00Z")),
        }
    }

    /// Returns `since` and `until`, which can be missing.
    pub(super) fn bounds(&self) -> Result<(Option<u64>, Option<u64>), Refused> {
        let since = self.time("since", Round::Down)?;
        let until = self.time("until", Round::Up)?;
        match (since, until) {
            (Some(since), Some(until)) if since >= until => {
                Err(Refused::bad_request("`since` is not before `until`"))
            }
            bounds => Ok(bounds),
        }
    }

    /// Returns the window from `since` to `until`. The default is the last hour.
    pub(super) fn window(&self) -> Result<Window, Refused> {
        let (since, until) = self.bounds()?;
        let until = until.unwrap_or(self.now + 1);
        let since = since.unwrap_or(until.saturating_sub(DEFAULT_WINDOW));
        match since < until {
            true => Ok(Window { since, until }),
            false => Err(Refused::bad_request("`since` is not before now")),
        }
    }

    /// Returns the parameters whose names begin with a family and a dot, without both.
    pub(super) fn family(&self, family: &str) -> Vec<(String, String)> {
        let pairs = self.pairs.iter();
        pairs.filter_map(|(name, value)| Some((member(name, family)?.to_owned(), value.clone()))).collect()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns a time in seconds since 1970.
    fn time(&self, name: &str, round: Round) -> Result<Option<u64>, Refused> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let time = seconds(value, round).or_else(|| Some(self.now.saturating_sub(age(value)?)));
        let wanted = "an instant such as 2026-01-31T12:00:00Z, or a time before now such as 15m, 24h or 14d";
        time.map(Some).ok_or_else(|| malformed(name, value, wanted))
    }
}

/// Direction in which a part of a second is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Down,
    Up,
}

fn seconds(value: &str, round: Round) -> Option<u64> {
    let instant = DateTime::parse_from_rfc3339(value).ok()?;
    let up = i64::from(round == Round::Up && instant.timestamp_subsec_nanos() > 0);
    u64::try_from(instant.timestamp() + up).ok()
}

/// Reads a number of at most six digits with a unit, in seconds.
fn age(value: &str) -> Option<u64> {
    let unit = match value.as_bytes().last()? {
        b'm' => 60,
        b'h' => 3600,
        b'd' => 24 * 3600,
        _ => return None,
    };
    let digits = &value[..value.len() - 1];
    let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    Some(is_number.then(|| digits.parse::<u64>().ok()).flatten()? * unit)
}

fn check(name: &str, value: &str, names: &[&str], family: Option<&str>) -> Result<(), Refused> {
    // The parser puts this character in the place of bytes that are not UTF-8.
    if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
        return Err(Refused::bad_request(format!("`{}` is not UTF-8", shown(name))));
    }
    if value.len() > LONGEST_VALUE {
        return Err(Refused::bad_request(format!("`{}` has more than {LONGEST_VALUE} bytes", shown(name))));
    }
    let is_member = family.is_some_and(|family| member(name, family).is_some());
    match names.contains(&name) || is_member {
        true => Ok(()),
        false => Err(Refused::bad_request(format!(
            "`{}` is not a parameter of this request{}",
            shown(name),
            known(names, family)
        ))),
    }
}

fn known(names: &[&str], family: Option<&str>) -> String {
    let family = family.map(|family| format!("{family}.NAME"));
    let all: Vec<_> = names.iter().copied().chain(family.as_deref()).collect();
    if all.is_empty() { ", which has none".to_owned() } else { format!("; there are {}", all.join(", ")) }
}

fn member<'a>(name: &'a str, family: &str) -> Option<&'a str> {
    name.strip_prefix(family)?.strip_prefix('.').filter(|member| !member.is_empty())
}

fn malformed(name: &str, value: &str, wanted: &str) -> Refused {
    Refused::bad_request(format!("`{name}` is `{}`; it must be {wanted}", shown(value)))
}

/// Returns a text from outside for a message: its beginning, with escapes for what is not printable.
pub(super) fn shown(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN);
    let rest = if end < text.len() { "…" } else { "" };
    format!("{}{rest}", text[..end].escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn read(query: &str) -> Result<Parameters, Refused> {
        Parameters::read(
            Some(query),
            &["since", "until", "n", "text", "min_ms", "active"],
            Some("field"),
            NOW,
        )
    }

    #[test]
    fn times_are_instants_or_ages() {
        let bounds = |query| read(query).unwrap().bounds().unwrap();
        assert_eq!(bounds("since=15m"), (Some(NOW - 900), None));
        assert_eq!(bounds("since=14d&until=0h"), (Some(NOW - 14 * 86_400), Some(NOW)));
        assert_eq!(bounds("since=999999d"), (Some(0), None));
        let text = "since=2026-01-31T12:00:00Z&until=2026-01-31T13:00:00%2B01:00";
        assert!(read(text).unwrap().bounds().is_err(), "one instant");
        let text = "since=2026-01-31T12:00:00.5Z&until=2026-01-31T12:00:00.6Z";
        assert_eq!(bounds(text), (Some(1_769_860_800), Some(1_769_860_801)));
        assert_eq!(read("").unwrap().window().unwrap(), Window { since: NOW + 1 - 3600, until: NOW + 1 });
    }

    #[test]
    fn malformed_values_are_refused_with_the_reason() {
        for (query, reason) in [
            ("since=", "`since` is ``"),
            ("since=1", "15m"),
            ("since=-1h", "15m"),
            ("since=1s", "15m"),
            ("since=%2B1h", "15m"),
            ("since=1234567d", "15m"),
            ("since=1969-12-31T23:59:59Z", "15m"),
            ("since=2026-02-30T00:00:00Z", "15m"),
            ("since=2026-01-31T12:00:00", "15m"),
            ("since=1h&until=2h", "not before"),
            ("since=%C3%A9h", "15m"),
        ] {
            let refused = read(query).unwrap().bounds().unwrap_err();
            assert!(refused.message.contains(reason), "{query}: {}", refused.message);
        }
        for n in ["", "0", "-1", "%2B1", "1001", "1.0", "x", "99999999999999999999999"] {
            assert!(read(&format!("n={n}")).unwrap().number("n", 10, 1000).is_err(), "{n}");
        }
        for number in ["", "-1", "NaN", "inf", "x"] {
            assert!(read(&format!("min_ms={number}")).unwrap().milliseconds("min_ms").is_err(), "{number}");
        }
        for flag in ["", "1", "True"] {
            assert!(read(&format!("active={flag}")).unwrap().flag("active").is_err(), "{flag}");
        }
        assert!(read("since=2027-02-01T00:00:00Z").unwrap().window().is_err(), "later than now");
    }

    #[test]
    fn unknown_repeated_and_long_parameters_are_refused() {
        for query in [
            "x=1".to_owned(),
            "since=1h&since=1h".to_owned(),
            "field.=1".to_owned(),
            "fields.a=1".to_owned(),
            "field.a=1&field.a=2".to_owned(),
            "text=%FF".to_owned(),
            "%FF=1".to_owned(),
            format!("text={}", "x".repeat(LONGEST_VALUE + 1)),
            format!("text={}", "x".repeat(LONGEST_QUERY)),
            (0..100).map(|n| format!("field.{n}=1&")).collect(),
        ] {
            assert!(read(&query).is_err(), "{query}");
        }
        let hostile = read("%3Cscript%3E%0A%1B[31m=1").unwrap_err().message.into_owned();
        assert!(hostile.contains(r"<script>\n\u{1b}[31m"), "{hostile}");
        let long = read(&"x".repeat(5000)).unwrap_err().message.into_owned();
        assert!(long.len() < 300, "{long}");
        let read = read("text=&field.a.b=c").unwrap();
        assert_eq!(read.text("text"), None);
        assert_eq!(read.family("field"), [("a.b".to_owned(), "c".to_owned())]);
    }
}
