//! Timestamp of a line: RFC 3339, UTC, exactly three decimals, `Z`.

use chrono::{DateTime, Datelike, Timelike};

/// Nanoseconds in a millisecond.
const MILLI_NANOS: i64 = 1_000_000;
/// Milliseconds in a second.
const SECOND_MILLIS: i64 = 1_000;

/// Offsets in [`Stamper::head`] of the date, of the milliseconds, and of the closing quote.
const DATE: usize = 7;
const MILLISECOND: usize = DATE + 20;
const END: usize = MILLISECOND + 4;

/// Formatter of timestamps. Keeps the last one, because thousands of lines share a second and many share a millisecond.
#[derive(Debug)]
pub(crate) struct Stamper {
    second: i64,
    /// Start of the millisecond in `head`, in nanoseconds.
    start: i64,
    head: [u8; END + 1],
}

impl Default for Stamper {
    fn default() -> Self {
        Stamper { second: 0, start: 0, head: *b"{\"ts\":\"1970-01-01T00:00:00.000Z\"" }
    }
}

impl Stamper {
    /// Returns the beginning of a line: `{"ts":"2026-05-26T08:14:22.281Z"`.
    #[inline]
    pub(crate) fn head(&mut self, nanos: i64) -> &[u8; END + 1] {
        if !(0..MILLI_NANOS).contains(&nanos.wrapping_sub(self.start)) {
            self.change(nanos);
        }
        &self.head
    }

    /// Returns the time of day: `08:14:22.281`.
    pub(crate) fn time_of_day(&mut self, nanos: i64) -> String {
        const TIME: usize = DATE + "2026-05-26T".len();
        String::from_utf8_lossy(&self.head(nanos)[TIME..END - 1]).into_owned()
    }

    fn change(&mut self, nanos: i64) {
        let milli = nanos.div_euclid(MILLI_NANOS);
        let second = milli.div_euclid(SECOND_MILLIS);
        if second != self.second {
            self.head[DATE..MILLISECOND].copy_from_slice(&text_of(second));
            self.second = second;
        }
        let of_second = milli.rem_euclid(SECOND_MILLIS) as u32;
        self.head[MILLISECOND..END - 1]
            .copy_from_slice(&[of_second / 100, of_second / 10, of_second].map(digit));
        self.start = milli * MILLI_NANOS;
    }
}

fn text_of(second: i64) -> [u8; 20] {
    let time = DateTime::from_timestamp(second, 0).unwrap_or_default();
    let mut text = *b"0000-00-00T00:00:00.";
    let year = time.year().clamp(0, 9999) as u32;
    let mut put = |at: usize, value: u32| {
        text[at] = digit(value / 10);
        text[at + 1] = digit(value);
    };
    put(0, year / 100);
    put(2, year);
    put(5, time.month());
    put(8, time.day());
    put(11, time.hour());
    put(14, time.minute());
    put(17, time.second());
    text
}

fn digit(value: u32) -> u8 {
    b'0' + (value % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(stamper: &mut Stamper, nanos: i64) -> String {
        let head = String::from_utf8(stamper.head(nanos).to_vec()).unwrap();
        let time = head.strip_prefix("{\"ts\":\"").and_then(|head| head.strip_suffix('"')).unwrap();
        assert_eq!(stamper.time_of_day(nanos), time[11..23]);
        time.to_owned()
    }

    #[test]
    fn a_timestamp_has_three_decimals_and_a_z() {
        let mut stamper = Stamper::default();
        assert_eq!(stamp(&mut stamper, 1_779_783_262_281_999_999), "2026-05-26T08:14:22.281Z");
        assert_eq!(stamp(&mut stamper, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(&mut stamper, 999_999_999), "1970-01-01T00:00:00.999Z");
        assert_eq!(stamp(&mut stamper, 1_709_164_800_000_000_000), "2024-02-29T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(nanos in 0..i64::MAX) {
            let expected = DateTime::from_timestamp_nanos(nanos).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            prop_assert_eq!(stamp(&mut Stamper::default(), nanos), expected);
        }
    }
}
