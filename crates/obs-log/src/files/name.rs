//! Names of day files.

use std::cmp::Ordering;
use std::path::Path;
use std::{fmt, fs};

use chrono::{Datelike, NaiveDate};

/// Number of the last part of a day. A file with a higher number is foreign.
pub(crate) const LAST_PART: u32 = 999_999;

/// Number of 1970-01-01 as chrono counts days.
const EPOCH_FROM_CE: i32 = 719_163;

/// Name of a day file: `2026-05-26.log`, followed by `2026-05-26.1.log`, `2026-05-26.2.log` and so on when a file is full.
/// A finished file may be compressed and then ends in `.gz`.
///
/// Names are ordered as their lines were written, which is enough to read a folder:
///
/// ```
/// use obs_log::DayFileName;
///
/// let listed = ["2026-05-27.log", "notes.log", "2026-05-26.10.log", "2026-05-26.2.log", "2026-05-26.log.gz"];
/// let mut names: Vec<_> = listed.into_iter().filter_map(DayFileName::parse).collect();
/// names.sort();
/// let names: Vec<_> = names.iter().map(ToString::to_string).collect();
/// assert_eq!(names, ["2026-05-26.log.gz", "2026-05-26.2.log", "2026-05-26.10.log", "2026-05-27.log"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DayFileName {
    /// Days since 1970-01-01.
    pub(crate) day: i32,
    /// Number among the files of the day, from 0.
    pub(crate) part: u32,
    pub(crate) compressed: bool,
}

impl DayFileName {
    /// Reads a name. Returns `None` unless it is exactly as this crate writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<DayFileName> {
        let (plain, compressed) = text.strip_suffix(".gz").map_or((text, false), |plain| (plain, true));
        let stem = plain.strip_suffix(".log")?;
        let (date, part) = stem.split_once('.').map_or((stem, "0"), |(date, part)| (date, part));
        let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
        let day = date.num_days_from_ce() - EPOCH_FROM_CE;
        let part = part.parse().ok().filter(|part| *part <= LAST_PART)?;
        let name = DayFileName { day, part, compressed };
        (name.to_string() == text).then_some(name)
    }

    /// Whether the file is a finished one that is compressed with gzip.
    #[must_use]
    pub fn is_compressed(self) -> bool {
        self.compressed
    }

    /// Returns the name of the first file of a day.
    pub(crate) fn first_of(day: i32) -> DayFileName {
        DayFileName { day, part: 0, compressed: false }
    }

    /// Returns the name of the file that follows when this one is full.
    pub(crate) fn next_part(self) -> DayFileName {
        DayFileName { part: (self.part + 1).min(LAST_PART), ..self }
    }
}

/// Formats the name as in `2026-05-26.1.log`.
impl fmt::Display for DayFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.day.saturating_add(EPOCH_FROM_CE);
        let date = NaiveDate::from_num_days_from_ce_opt(day).unwrap_or_default();
        write!(f, "{}", date.format("%Y-%m-%d"))?;
        if self.part > 0 {
            write!(f, ".{}", self.part)?;
        }
        f.write_str(if self.compressed { ".log.gz" } else { ".log" })
    }
}

/// Orders by day, then by part. Late lines for a compressed file begin a plain one of the same name, so the compressed one
/// comes first.
impl Ord for DayFileName {
    fn cmp(&self, other: &DayFileName) -> Ordering {
        let key = |name: &DayFileName| (name.day, name.part, !name.compressed);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for DayFileName {
    fn partial_cmp(&self, other: &DayFileName) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Lists the names in `dir` that are those of day files.
pub(crate) fn names_in(dir: &Path) -> impl Iterator<Item = DayFileName> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| DayFileName::parse(entry.file_name().to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_exact_name_is_a_day_file() {
        let name = |part, compressed| Some(DayFileName { day: 20_599, part, compressed });
        assert_eq!(DayFileName::first_of(0).to_string(), "1970-01-01.log");
        assert_eq!(DayFileName::parse("2026-05-26.log"), name(0, false));
        assert_eq!(DayFileName::parse("2026-05-26.12.log"), name(12, false));
        assert_eq!(DayFileName::parse("2026-05-26.12.log.gz"), name(12, true));
        for text in [
            "2026-5-26.log",
            "2026-05-26.log.bak",
            "2026-05-26.log.gz.gz",
            "2026-05-26.gz",
            "x2026-05-26.log",
            "2026-02-30.log",
            "+2026-05-26.log",
            "2026-05-26.0.log",
            "2026-05-26.01.log",
            "2026-05-26.+1.log",
            "2026-05-26.1.1.log",
            "2026-05-26.99999999999.log",
            ".log",
            "",
        ] {
            assert_eq!(DayFileName::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_reads_back_unchanged(text in "\\PC*|[0-9]{4}-[0-9]{2}-[0-9]{2}(\\.[0-9]{1,3})?\\.log(\\.gz)?") {
            if let Some(name) = DayFileName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
