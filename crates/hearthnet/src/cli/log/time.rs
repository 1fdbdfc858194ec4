//! Times: those that a user types, and those of lines.

use std::cell::RefCell;
use std::str::FromStr;

use chrono::{
    DateTime, Days, Duration, Local, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc,
};

use obs_facade::log::reader::LineTime;

/// Forms that are allowed.
const ALLOWED: &str = "give an age such as `2h`, `90s` or `1d 12h`; `now`, `today`, `yesterday` or `tomorrow`; a date and time \
                       such as `2026-11-28`, `10:00`, `2026-11-28 10:00` or `2026-11-28T10:00:00+01:00`; or `@` and Unix \
                       seconds";

/// Zone of times without an offset, and of the times that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Utc,
    Local,
}

/// Choice between the two times that a wall clock shows twice when it is set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Earliest,
    Latest,
}

/// Time as a user typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeSpec(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Exact(DateTime<Utc>),
    /// Distance from now.
    Distance(Duration),
    /// Beginning of the day at this distance from today.
    Day(i64),
    /// Time of today.
    Clock(NaiveTime),
    Wall(NaiveDateTime),
}

impl TimeSpec {
    /// Returns the time, where `now` is the current one.
    pub(crate) fn resolve(&self, now: DateTime<Utc>, zone: Zone, edge: Edge) -> DateTime<Utc> {
        match zone {
            Zone::Utc => self.resolve_in(&Utc, now, edge),
            Zone::Local => self.resolve_in(&Local, now, edge),
        }
    }

    fn resolve_in<Z: TimeZone>(&self, zone: &Z, now: DateTime<Utc>, edge: Edge) -> DateTime<Utc> {
        let today = now.with_timezone(zone).date_naive();
        let wall = match &self.0 {
            Form::Exact(time) => return *time,
            Form::Distance(distance) => {
                return now.checked_add_signed(*distance).unwrap_or(DateTime::UNIX_EPOCH);
            }
            Form::Day(days) => {
                today.checked_add_signed(Duration::days(*days)).unwrap_or(today).and_time(NaiveTime::MIN)
            }
            Form::Clock(time) => today.and_time(*time),
            Form::Wall(time) => *time,
        };
        instant(zone, wall, edge)
    }
}

/// Returns the instant at which clocks of the zone show `wall`.
fn instant<Z: TimeZone>(zone: &Z, wall: NaiveDateTime, edge: Edge) -> DateTime<Utc> {
    let found = zone.from_local_datetime(&wall);
    // The order of the two is no promise of `chrono`.
    let (one, other) = (found.clone().earliest(), found.latest());
    let found = if edge == Edge::Earliest { one.min(other) } else { one.max(other) };
    if let Some(found) = found {
        return found.with_timezone(&Utc);
    }
    // The clock is set forward over this time. The offset of the day before gives the instant at which it would have
    // shown it.
    let offset =
        wall.checked_sub_days(Days::new(1)).and_then(|before| zone.from_local_datetime(&before).earliest());
    let seconds = offset.map_or(0, |before| (before.naive_local() - before.naive_utc()).num_seconds());
    (wall - Duration::seconds(seconds)).and_utc()
}

impl FromStr for TimeSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<TimeSpec, String> {
        parse(text.trim()).map(TimeSpec).ok_or_else(|| format!("no time; {ALLOWED}"))
    }
}

fn parse(text: &str) -> Option<Form> {
    match text {
        "now" => return Some(Form::Distance(Duration::zero())),
        "today" => return Some(Form::Day(0)),
        "yesterday" => return Some(Form::Day(-1)),
        "tomorrow" => return Some(Form::Day(1)),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return DateTime::from_timestamp(seconds.parse().ok()?, 0).map(Form::Exact);
    }
    age(text)
        .map(|age| Form::Distance(-age))
        .or_else(|| exact(text).map(Form::Exact))
        .or_else(|| clock(text).map(Form::Clock))
        .or_else(|| wall(text).map(Form::Wall))
}

/// Parses a date and time with an offset.
fn exact(text: &str) -> Option<DateTime<Utc>> {
    let (text, offset) = match text.strip_suffix("UTC") {
        Some(text) => (text.trim_end(), "Z"),
        None => (text, ""),
    };
    let text = text.replacen(' ', "T", 1).replace(' ', "") + offset;
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Some(time.with_timezone(&Utc));
    }
    // RFC 3339 demands seconds.
    let (date_and_time, offset) = text.split_at_checked("2026-11-28T10:00".len())?;
    DateTime::parse_from_rfc3339(&format!("{date_and_time}:00{offset}"))
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

fn clock(text: &str) -> Option<NaiveTime> {
    ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

/// Parses a date, or a date and time without an offset.
fn wall(text: &str) -> Option<NaiveDateTime> {
    let date = |text: &str| {
        let is_plain = text.len() == "2026-11-28".len();
        is_plain.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
    };
    match text.split_once(['T', ' ']) {
        Some((day, time)) => Some(date(day)?.and_time(clock(time.trim())?)),
        None => Some(date(text)?.and_time(NaiveTime::MIN)),
    }
}

/// Parses `2h`, `1h30m`, `-2h`, `2 hours ago`.
fn age(text: &str) -> Option<Duration> {
    let text = text.strip_suffix("ago").unwrap_or(text);
    let mut rest = text.strip_prefix('-').unwrap_or(text).trim();
    let mut sum = Duration::zero();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit())?);
        let tail = tail.trim_start();
        let (unit, tail) =
            tail.split_at(tail.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let seconds = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            _ => return None,
        };
        let part = Duration::try_seconds(number.parse::<i64>().ok()?.checked_mul(seconds)?)?;
        sum = sum.checked_add(&part)?;
        rest = tail.trim_start();
    }
    // Earlier than any clock.
    (sum <= Duration::days(365 * 100)).then_some(sum)
}

/// Returns the time of a line in the zone, with its offset: `2026-05-26T10:14:22.281+02:00`.
pub(crate) fn shown(time: LineTime, zone: Zone) -> String {
    match zone {
        Zone::Utc => time.text().to_owned(),
        Zone::Local => LAST_MINUTE.with_borrow_mut(|last| last.shown(time)),
    }
}

/// Minute whose lines were shown last. A minute of a busy log has thousands of lines, and the zone shifts all of them by the
/// same time.
#[derive(Default)]
struct Minute {
    /// The minute in UTC, such as `2026-05-26T08:14`. Empty at first.
    utc: String,
    /// The minute in the local zone.
    local: String,
    /// Offset of the local zone, such as `+02:00`.
    offset: String,
}

thread_local! {
    static LAST_MINUTE: RefCell<Minute> = RefCell::default();
}

impl Minute {
    const LENGTH: usize = 16;
    /// Length of a time without its offset.
    const WITHOUT_OFFSET: usize = 23;

    fn shown(&mut self, time: LineTime) -> String {
        let (minute, rest) = time.text().split_at(Minute::LENGTH);
        if self.utc == minute {
            let seconds = &rest[..Minute::WITHOUT_OFFSET - Minute::LENGTH];
            return [&self.local, seconds, &self.offset].concat();
        }
        let Some(local) = time.instant().map(|time| time.with_timezone(&Local)) else {
            return time.text().to_owned();
        };
        let shown = local.to_rfc3339_opts(SecondsFormat::Millis, true);
        // Zones of the nineteenth century were off by seconds, and a year beyond 9999 has another length.
        if local.offset().local_minus_utc() % 60 == 0
            && shown.as_bytes().get(Minute::LENGTH) == Some(&b':')
            && let Some((without, offset)) = shown.split_at_checked(Minute::WITHOUT_OFFSET)
        {
            let (utc, local) = (minute.to_owned(), without[..Minute::LENGTH].to_owned());
            *self = Minute { utc, local, offset: offset.to_owned() };
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    const NOW: &str = "2026-11-28T14:30:00.000Z";

    fn resolved(text: &str, hours_east: i32) -> String {
        let zone = FixedOffset::east_opt(hours_east * 3600).unwrap();
        let spec: TimeSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let time = spec.resolve_in(&zone, NOW.parse().unwrap(), Edge::Earliest);
        time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    #[test]
    fn ages_count_back_from_now() {
        for (text, expected) in [
            ("now", "2026-11-28T14:30:00Z"),
            ("2h", "2026-11-28T12:30:00Z"),
            ("-2h", "2026-11-28T12:30:00Z"),
            ("2 hours ago", "2026-11-28T12:30:00Z"),
            ("1h30m", "2026-11-28T13:00:00Z"),
            ("1d 12h", "2026-11-27T02:30:00Z"),
            ("90 s", "2026-11-28T14:28:30Z"),
            ("1w", "2026-11-21T14:30:00Z"),
            ("5min", "2026-11-28T14:25:00Z"),
        ] {
            assert_eq!(resolved(text, 1), expected, "{text}");
        }
    }

    #[test]
    fn times_without_an_offset_are_in_the_zone() {
        for (text, utc, east) in [
            ("today", "2026-11-28T00:00:00Z", "2026-11-28T14:00:00Z"),
            ("yesterday", "2026-11-27T00:00:00Z", "2026-11-27T14:00:00Z"),
            ("tomorrow", "2026-11-29T00:00:00Z", "2026-11-29T14:00:00Z"),
            ("2026-11-28", "2026-11-28T00:00:00Z", "2026-11-27T14:00:00Z"),
            ("2026-11-28 10:00", "2026-11-28T10:00:00Z", "2026-11-28T00:00:00Z"),
            ("2026-11-28T10:00:05.25", "2026-11-28T10:00:05.250Z", "2026-11-28T00:00:05.250Z"),
            ("10:00", "2026-11-28T10:00:00Z", "2026-11-29T00:00:00Z"),
            ("10:00:01", "2026-11-28T10:00:01Z", "2026-11-29T00:00:01Z"),
        ] {
            assert_eq!(resolved(text, 0), utc, "{text}");
            assert_eq!(resolved(text, 10), east, "{text}");
        }
    }

    #[test]
    fn an_offset_decides() {
        for text in [
            "2026-11-28T10:00:00Z",
            "2026-11-28T11:00:00+01:00",
            "2026-11-28 11:00:00 +01:00",
            "2026-11-28 11:00+01:00",
            "2026-11-28 10:00 UTC",
            "2026-11-28T10:00:00.000Z",
            "@1795860000",
        ] {
            assert_eq!(resolved(text, 10), "2026-11-28T10:00:00Z", "{text}");
        }
    }

    #[test]
    fn a_mistake_lists_the_forms() {
        for text in [
            "",
            "2",
            "h",
            "2x",
            "2h3",
            "ago",
            "-",
            "@x",
            "25:00",
            "2026-13-01",
            "2026-11-28T",
            "2026-11-28 ü",
            "ü",
            "11/28",
            "99999999999999999999h",
            "9999999w",
            "2026-11-28T10:00:00+99:00",
            "üüüüüüüüüüüü",
        ] {
            let error = text.parse::<TimeSpec>().unwrap_err();
            assert!(error.contains("`2h`") && error.contains("yesterday"), "{text}: {error}");
        }
    }

    #[test]
    fn the_lines_of_a_minute_are_shown_as_each_of_them() {
        let whole = |time: LineTime| {
            let local = time.instant().unwrap().with_timezone(&Local);
            local.to_rfc3339_opts(SecondsFormat::Millis, true)
        };
        let mut minute = Minute::default();
        for text in [
            "2026-05-26T08:14:22.281Z",
            "2026-05-26T08:14:59.999Z",
            "2026-05-26T08:15:00.000Z",
            "2026-05-26T08:14:00.000Z",
            "1850-01-01T00:00:00.000Z",
            "1850-01-01T00:00:59.000Z",
            "2026-10-25T00:59:59.000Z",
            "2026-10-25T01:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
            "0000-01-01T00:00:00.000Z",
        ] {
            let time = LineTime::of(text.as_bytes()).unwrap();
            assert_eq!(minute.shown(time), whole(time), "{text}");
        }
        let no_time = LineTime::of(b"2026-13-99T99:99:99.999Z").unwrap();
        assert_eq!(minute.shown(no_time), "2026-13-99T99:99:99.999Z");
    }

    #[test]
    fn times_of_lines_sort_as_text() {
        let time = LineTime::of(NOW.as_bytes()).unwrap();
        assert_eq!(LineTime::at(time.instant().unwrap()), time);
        assert!(LineTime::at("2026-11-28T14:30:00.001Z".parse().unwrap()) > time);
        assert_eq!((shown(time, Zone::Utc), time.day()), (NOW.to_owned(), "2026-11-28"));
        for bad in ["", "2026-11-28T14:30:00.00Z", "2026-11-28T14:30:00.000z", "2026-11-28 14:30:00.000Z"] {
            assert!(LineTime::of(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
