//! Numbers, times and names as people read them.

use chrono::{DateTime, Local, Utc};

use crate::cli::status::figures;
use crate::cli::trace::text;
use crate::cli::visible::short_id;

/// Way in which figures are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures<'a> {
    pub(super) ascii: bool,
    pub(super) now: DateTime<Utc>,
    /// Options that make a command ask the same node, with a blank in front, or nothing.
    pub(super) options: &'a str,
}

/// Characters of a node ID before the ellipsis: `ed25519:` and four more.
const NODE_HEAD: usize = 12;
impl Figures<'_> {
    pub(super) fn ellipsis(&self) -> char {
        if self.ascii { '~' } else { '…' }
    }

    pub(super) fn node(&self, id: &str) -> String {
        short_id(id, NODE_HEAD, self.ellipsis())
    }

    /// Formats a time of RFC 3339 as an age. Another text is returned as it is.
    pub(super) fn age(&self, time: &str) -> String {
        match DateTime::parse_from_rfc3339(time) {
            Ok(time) => text::age((self.now - time.with_timezone(&Utc)).num_milliseconds()),
            Err(_) => time.to_owned(),
        }
    }

    /// Formats a time of RFC 3339 for the details: local time with its zone, and its age.
    pub(super) fn moment(&self, time: &str) -> String {
        match DateTime::parse_from_rfc3339(time) {
            Ok(moment) => {
                let local = moment.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z");
                format!("{local} ({})", self.age(time))
            }
            Err(_) => time.to_owned(),
        }
    }
}

/// Formats a local time of the day.
pub(super) fn time_of_day(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%H:%M:%S").to_string()
}

/// Formats a count: `0`, `1 204`, `12.3 M`. No count is long.
pub(super) fn count(n: u64) -> String {
    match n {
        0..1_000_000 => figures::count(n),
        1_000_000..1_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        1_000_000_000..1_000_000_000_000 => format!("{:.1} G", n as f64 / 1e9),
        _ => format!("{:.0} T", n as f64 / 1e12),
    }
}

/// Formats a rate: `0`, `0.25`, `12.4`, `1 204`.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        ..=0.0 => "0".to_owned(),
        ..9.995 => format!("{per_second:.2}"),
        ..99.95 => format!("{per_second:.1}"),
        _ => count(per_second.round() as u64),
    }
}

/// Formats a part of a whole, as `3.1 %`. A node that counts more failures than calls must not spoil the line.
pub(super) fn percent(part: u64, whole: u64) -> String {
    figures::percent(part.min(whole), whole)
}

/// Formats the window of the recent calls: `5 min`, `90 s`.
pub(super) fn window(seconds: u64) -> String {
    match seconds {
        0 => "recently".to_owned(),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// Formats a latency. A capability without calls has none.
pub(super) fn latency(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".to_owned(), text::duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_for_every_number() {
        let counts = [
            (0, "0"),
            (999, "999"),
            (1_204, "1 204"),
            (999_999, "999 999"),
            (12_345_678, "12.3 M"),
            (u64::MAX, "18446744 T"),
        ];
        for (n, expected) in counts {
            assert_eq!(count(n), expected);
        }
        for (n, expected) in [(-1.0, "0"), (0.25, "0.25"), (12.44, "12.4"), (1_204.4, "1 204")] {
            assert_eq!(rate(n), expected);
        }
        assert_eq!((percent(1, 1_000), percent(u64::MAX, 1)), ("0.1 %".to_owned(), "100.0 %".to_owned()));
    }

    #[test]
    fn times_have_fitting_units() {
        assert_eq!((window(300), window(90), window(0)), ("5 min".into(), "90 s".into(), "recently".into()));
        let now = DateTime::parse_from_rfc3339("2026-05-26T08:14:22Z").unwrap().with_timezone(&Utc);
        let figures = Figures { ascii: true, now, options: "" };
        assert_eq!(figures.age("2026-05-26T10:12:22+02:00"), "2 min ago");
        assert_eq!(figures.age("2027-01-01T00:00:00Z"), "0 s ago", "clocks of two machines differ");
        assert_eq!(figures.age("yesterday"), "yesterday");
        assert_eq!(figures.node("ed25519:7H4GABCDEFGHK9LM"), "ed25519:7H4G~K9LM");
    }
}
