//! Explanation of an empty result.

mod component;

pub(crate) use self::component::unknown;
use super::filter::{Hidden, Tally};
use super::time::{self, Zone};
use obs_facade::log::reader::LineTime;

/// Explains why no line is shown. `wanted` describes the lines that were asked for, such as `of level error`.
pub(super) fn explanation(wanted: &str, tally: &Tally, first: Option<LineTime>, zone: Zone) -> String {
    let Some(first) = first else { return format!("no line{wanted}; the log has no lines yet") };
    let mut out = format!("no line{wanted}; the log begins at {}", time::shown(first, zone));
    if let Some(last) = tally.latest() {
        out += &format!(", the last line looked at is of {}", time::shown(last, zone));
    }
    for (hidden, of) in [
        (Hidden::Component, "of other components"),
        (Hidden::Level, "of lower level"),
        (Hidden::Trace, "of other traces"),
        (Hidden::Field, "without that field"),
        (Hidden::Text, "without the text"),
    ] {
        match tally.count(hidden) {
            0 => {}
            1 => out += &format!("; 1 line {of}"),
            count => out += &format!("; {} lines {of}", grouped(count)),
        }
    }
    out
}

/// Writes a number with a blank between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::filter::Filter;
    use super::super::line::Level;
    use super::*;

    #[test]
    fn the_reasons_are_counted() {
        let mut tally = Tally::default();
        let filter = Filter::new().level(Some(Level::Error));
        let line = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"x","msg":"m"}"#;
        for _ in 0..1_203 {
            filter.judge(line.as_bytes(), &mut tally);
        }
        // A search for the last lines goes backwards.
        filter.judge(&line.replace("08:14", "08:13").into_bytes(), &mut tally);
        let first = LineTime::of(b"2026-05-26T08:00:00.000Z");
        assert_eq!(
            explanation(" of level error", &tally, first, Zone::Utc),
            "no line of level error; the log begins at 2026-05-26T08:00:00.000Z, the last line looked at is of \
             2026-05-26T08:14:22.281Z; 1 204 lines of lower level"
        );
        let nothing = explanation("", &Tally::default(), None, Zone::Utc);
        assert_eq!(nothing, "no line; the log has no lines yet");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
