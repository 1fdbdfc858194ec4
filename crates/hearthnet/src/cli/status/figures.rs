//! Numbers, times and names for people.

use chrono::{DateTime, TimeZone};

use crate::cli::trace::text::age;
use crate::wire::clock;

/// Formats a size: `512 B`, `210 MB`, `1.4 TB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1e3, 0);
    while value >= 999.5 && unit < UNITS.len() - 1 {
        value /= 1e3;
        unit += 1;
    }
    let decimals = usize::from(value < 9.95);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Formats a number with a thin group of three digits: `1 204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Formats a length of time by its two largest units: `3 d 4 h`, `12 min 3 s`.
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Formats the age of a time in RFC 3339; empty for any other text.
pub(crate) fn ago<Tz: TimeZone>(text: Option<&str>, now: &DateTime<Tz>) -> String {
    let Some(at) = text.and_then(clock::parse) else { return String::new() };
    age(now.clone().signed_duration_since(at).num_milliseconds())
}

/// Formats the time since a moment in RFC 3339, as `14 min`; `an unknown time` for any other text.
pub(super) fn since<Tz: TimeZone>(text: Option<&str>, now: &DateTime<Tz>) -> String {
    match ago(text, now).strip_suffix(" ago") {
        Some(time) => time.to_owned(),
        None => "an unknown time".to_owned(),
    }
}

/// Formats a duration in six characters: `0.3 ms`, `412 ms`, `12.3 s`, `240 s`.
pub(crate) fn short_time(ms: f64) -> String {
    match ms {
        ..9.95 => format!("{:.1} ms", ms.max(0.0)),
        ..999.5 => format!("{ms:.0} ms"),
        ..99_950.0 => format!("{:.1} s", ms / 1e3),
        _ => format!("{:.0} s", ms / 1e3),
    }
}

/// Returns `text` with at most `limit` characters. What is left out is in the middle, in place of which is `mark`.
pub(crate) fn squeezed(text: &str, limit: usize, mark: char) -> String {
    let all = text.chars().count();
    if all <= limit {
        return text.to_owned();
    }
    let head = limit.saturating_sub(1) / 2;
    let tail = limit.saturating_sub(1) - head;
    text.chars().take(head).chain([mark]).chain(text.chars().skip(all - tail)).take(limit).collect()
}

/// Formats a part of a whole: `3.1 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    // A failure must not read as none.
    if part > 0 && share < 0.05 { "< 0.1 %".to_owned() } else { format!("{share:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (210_400_000, "210 MB"),
            (999_600_000, "1.0 GB"),
            (73_000_000_000, "73 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!([count(7), count(1_204), count(1_000_000)], ["7", "1 204", "1 000 000"]);
        assert_eq!(
            [span(9), span(723), span(7_500), span(273_600)],
            ["9 s", "12 min 3 s", "2 h 5 min", "3 d 4 h"]
        );
        assert_eq!(
            [short_time(0.28), short_time(412.0), short_time(12_300.0)],
            ["0.3 ms", "412 ms", "12.3 s"]
        );
        assert_eq!([squeezed("größer", 6, '…'), squeezed("größer", 4, '~')], ["größer", "g~er"]);
        assert_eq!([squeezed("größer", 1, '~'), squeezed("größer", 0, '~')], ["~", ""]);
        assert_eq!([percent(0, 0), percent(1, 10_000), percent(37, 1_204)], ["0.0 %", "< 0.1 %", "3.1 %"]);
    }
}
