//! Times of lines.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// Time of a line in the form of the log, `2026-05-26T08:14:22.281Z`. Such times sort as text.
///
/// ```
/// use obs_log::reader::LineTime;
///
/// let time = LineTime::of(b"2026-05-26T08:14:22.281Z").unwrap();
/// assert_eq!((time.day(), time.instant()), ("2026-05-26", "2026-05-26T08:14:22.281Z".parse().ok()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineTime([u8; LineTime::LENGTH]);

impl LineTime {
    /// Length in bytes.
    pub const LENGTH: usize = 24;

    /// Parses the time of a line. `None` for a text of another form.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<LineTime> {
        const FORM: &[u8; LineTime::LENGTH] = b"0000-00-00T00:00:00.000Z";
        let bytes: [u8; LineTime::LENGTH] = bytes.try_into().ok()?;
        let fits =
            |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
        bytes.iter().zip(FORM).all(fits).then_some(LineTime(bytes))
    }

    /// Returns the time that a line of this instant has.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> LineTime {
        let text = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        // Years beyond 9999 have a sign and more digits.
        LineTime::of(text.as_bytes()).unwrap_or(LineTime(*b"9999-12-31T23:59:59.999Z"))
    }

    /// Returns the instant. `None` if no clock shows this time, such as one of a 13th month.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        self.text().parse().ok()
    }

    /// Returns the day, such as `2026-05-26`.
    #[must_use]
    pub fn day(&self) -> &str {
        &self.text()[..10]
    }

    /// Returns the time as it stands in the line.
    #[must_use]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for LineTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
