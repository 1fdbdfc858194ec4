//! Periods as people write them: `90s`, `10m`, `1h30m`.

use std::fmt::Write as _;
use std::time::Duration;

const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

/// Parses whole hours, minutes and seconds, each with its unit and in this order.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, length) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        // `parse` takes a plus sign, too.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds = number.parse::<u64>().ok()?.checked_mul(length)?.checked_add(seconds)?;
        rest = after;
    }
    (!text.is_empty() && rest.is_empty()).then(|| Duration::from_secs(seconds))
}

/// Renders a period in the form that [`parse`] reads. Parts of a second are left out.
pub(crate) fn render(period: Duration) -> String {
    let mut rest = period.as_secs();
    let mut text = String::new();
    for (unit, length) in UNITS {
        if rest >= length {
            let _ = write!(text, "{}{unit}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_and_written() {
        for (text, seconds) in
            [("90s", 90), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("2h1s", 7201), ("0s", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for (seconds, text) in [(0, "0s"), (90, "1m30s"), (3600, "1h"), (86_400, "24h")] {
            assert_eq!(render(Duration::from_secs(seconds)), text);
        }
        for bad in [
            "",
            "10",
            "m",
            "10 m",
            "-1m",
            "+1m",
            "1.5h",
            "1m1h",
            "1m1m",
            "99999999999999999999s",
            "1h9999999999999999999m",
            "1d",
            "10m\n",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
