//! Names of log files: those of the writer, and those that logrotate makes of them.

use std::cmp::Reverse;
use std::fmt;

use crate::files::name::DayFileName;

/// Length of `2026-05-26`.
const DAY_LENGTH: usize = 10;
/// Minimum number of digits of a date after a dot. `dateformat .%Y%m` makes `.202611`, and no rotation counts that far.
const DATE_DIGITS: usize = 6;
/// Minimum number of digits of a date after another separator. `dateformat -%m%d` makes `-1128`.
const SHORT_DATE_DIGITS: usize = 4;

/// Name of a file with lines of a day.
///
/// Names sort in the order in which their lines were written, as far as a name can tell: by day, part and age. With
/// `extension .log`, logrotate makes `2026-05-26.1.log`, which is also the name of a part. The [`Unpacker`] has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    text: String,
    own: DayFileName,
    age: Age,
    compression: Option<Compression>,
}

/// Age within a day and part. The oldest comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// `2026-05-26.log.2`. The highest number is the oldest.
    Numbered(Reverse<u32>),
    /// `2026-05-26.log-20260527`, with any `dateformat`. logrotate requires that it sorts as text.
    Dated(String),
    /// `2026-05-26.log.tmp`, between the two steps of `renamecopy`.
    Moving,
    /// Name that the writer gives.
    Own,
}

/// Compression, by the end of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    /// Compression that the reader does not know.
    Foreign(&'static Unpacker),
}

/// Program for files whose compression the reader does not know.
///
/// ```
/// use obs_log::reader::{Piece, Reader};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("2026-05-26.log.xz"), "")?;
/// Reader::new(folder.path()).read_new(false, |file, piece| {
///     if let Piece::Packed(unpacker) = piece {
///         assert_eq!((file.to_string().as_str(), unpacker.command), ("2026-05-26.log.xz", "xz -dk"));
///     }
///     Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Unpacker {
    ending: &'static str,
    /// Command that unpacks a file and keeps the original.
    pub command: &'static str,
}

/// Endings that logrotate's `compresscmd` programs other than gzip make.
const UNPACKERS: &[Unpacker] = &[
    Unpacker { ending: ".xz", command: "xz -dk" },
    Unpacker { ending: ".bz2", command: "bzip2 -dk" },
    Unpacker { ending: ".zst", command: "zstd -dk" },
    Unpacker { ending: ".lz4", command: "lz4 -dk" },
    Unpacker { ending: ".lzma", command: "xz -dk" },
    Unpacker { ending: ".lzo", command: "lzop -d" },
    Unpacker { ending: ".lz", command: "lzip -dk" },
    Unpacker { ending: ".Z", command: "gzip -dk" },
    Unpacker { ending: ".zip", command: "unzip" },
];

impl FileName {
    /// Parses a name. Returns `None` for a file of neither the writer nor logrotate.
    pub(super) fn parse(text: &str) -> Option<FileName> {
        let (plain, compression) = split_compression(text);
        let name = |own, age, compression| Some(FileName { text: text.to_owned(), own, age, compression });
        if let Some(own) = DayFileName::parse(plain) {
            return name(own, Age::Own, compression);
        }
        if let Some((stem, suffix)) = plain.split_once(".log").filter(|(_, suffix)| !suffix.is_empty()) {
            let own = DayFileName::parse(&format!("{stem}.log"))?;
            // The pattern `*.log*` also rotates files that the writer has compressed.
            let packed = suffix.strip_prefix(".gz");
            let compression = compression.or(packed.map(|_| Compression::Gzip));
            let suffix = packed.unwrap_or(suffix);
            // `dateformat -%Y%m%d.log` keeps the ending.
            return name(own, Age::parse(suffix.strip_suffix(".log").unwrap_or(suffix))?, compression);
        }
        // `extension .log` puts the suffix before the ending.
        let stem = plain.strip_suffix(".log")?;
        let split = |(at, _): (usize, char)| {
            let (own, age) = stem.split_at(at);
            Some((DayFileName::parse(&format!("{own}.log"))?, Age::parse(age)?))
        };
        let (own, age) = stem.char_indices().rev().find_map(split)?;
        name(own, age, compression)
    }

    /// Returns the day, such as `2026-05-26`.
    pub(super) fn day(&self) -> &str {
        &self.text[..DAY_LENGTH]
    }

    /// Returns whether the writer makes such names.
    pub(super) fn is_own(&self) -> bool {
        self.age == Age::Own
    }

    pub(super) fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// Returns the name of the file after unpacking.
    #[must_use]
    pub fn unpacked(&self) -> &str {
        split_compression(&self.text).0
    }

    /// Returns the sort key. If lines come late, the writer starts a new plain file beside its compressed one, so that
    /// the compressed one is older. logrotate's compressed file is a copy of the plain one until that is removed, so
    /// that the plain one is read first.
    fn key(&self) -> (DayFileName, &Age, bool) {
        let packed = self.compression.is_some();
        (self.own, &self.age, packed != (self.age == Age::Own))
    }
}

impl Age {
    fn parse(suffix: &str) -> Option<Age> {
        if suffix == ".tmp" {
            return Some(Age::Moving);
        }
        let body = suffix.strip_prefix(['-', '.', '_'])?;
        let is_number = body.bytes().all(|byte| byte.is_ascii_digit()) && body.len() < DATE_DIGITS;
        if is_number && suffix.starts_with('.') {
            let number: u32 = body.parse().ok()?;
            return (number.to_string() == body).then_some(Age::Numbered(Reverse(number)));
        }
        let digits = body.bytes().filter(u8::is_ascii_digit).count();
        let enough = if suffix.starts_with('.') { DATE_DIGITS } else { SHORT_DATE_DIGITS };
        // The letters are those of ISO 8601: `20261128T102423Z`, `2026-W48`.
        let is_date =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b"-_.:+TWZ".contains(&byte));
        (digits >= enough && is_date(body)).then(|| Age::Dated(suffix.to_owned()))
    }
}

/// Splits the ending of a compression off a name.
fn split_compression(text: &str) -> (&str, Option<Compression>) {
    if let Some(plain) = text.strip_suffix(".gz") {
        return (plain, Some(Compression::Gzip));
    }
    let foreign = |unpacker: &'static Unpacker| {
        Some((text.strip_suffix(unpacker.ending)?, Some(Compression::Foreign(unpacker))))
    };
    UNPACKERS.iter().find_map(foreign).unwrap_or((text, None))
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for FileName {
    fn cmp(&self, other: &FileName) -> std::cmp::Ordering {
        self.key().cmp(&other.key()).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for FileName {
    fn partial_cmp(&self, other: &FileName) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logrotate_are_in_the_order_of_their_lines() {
        let expected = [
            "2026-05-26.log.10",
            "2026-05-26.log.2",
            "2026-05-26.log.2.gz",
            "2026-05-26.log.1",
            "2026-05-26.log.0",
            "2026-05-26-20260527.log",
            "2026-05-26.log-20260527",
            "2026-05-26-20260527.log.gz",
            "2026-05-26.log-2026052713.gz",
            "2026-05-26.log-20260528",
            "2026-05-26-20260528-1779926400.log",
            "2026-05-26.log-20260528-1779926400",
            "2026-05-26.log.20260529",
            "2026-05-26.log_2026-05-30",
            "2026-05-26.log.tmp",
            "2026-05-26.log.gz",
            "2026-05-26.log",
            "2026-05-26.1.log.1",
            "2026-05-26.1.log",
            "2026-05-27.log.3.xz",
            "2026-05-27.log",
        ];
        let mut names: Vec<_> = expected.iter().rev().map(|name| FileName::parse(name).unwrap()).collect();
        names.sort();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn dates_of_other_formats_are_read() {
        for text in [
            "2026-05-26.log-0527",
            "2026-05-26.log_1423",
            "2026-05-26.log-2026-W22",
            "2026-05-26.log-20260527T102423Z",
            "2026-05-26.log-20260527T102423+0200.gz",
            "2026-05-26.log-20260527.log",
            "2026-05-26.log.20260527.log.gz",
            "2026-05-26-20260527T102423Z.log",
        ] {
            let name = FileName::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert!(matches!(name.age, Age::Dated(_)), "{text}");
        }
    }

    #[test]
    fn other_files_are_not_read() {
        for text in [
            "2026-05-26.log.bak",
            "2026-05-26.log~",
            "2026-05-26.log.",
            "2026-05-26.log.01",
            "2026-05-26.log.1.bak",
            "2026-05-26.log.1.gz-2026052713.backup",
            ".2026-05-26.log.gz",
            "2026-05-26.log-old",
            "2026-05-26.log-1",
            "2026-05-26-1.log",
            "2026-02-30.log.1",
            "2026-5-26.log.1",
            "audit.log.1",
            "latest.log",
            "audit-20260526.log",
            "2026-05-26.1",
            "2026-05-26",
            ".log",
            "",
            "ü-2026-05-26.log",
        ] {
            assert_eq!(FileName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_name_determines_the_compression() {
        let compression = |text: &str| FileName::parse(text).unwrap().compression();
        assert_eq!(compression("2026-05-26.log.1"), None);
        for gzip in ["2026-05-26.log.1.gz", "2026-05-26.log.gz.1", "2026-05-26.0.log.gz", "2026-05-26.log.gz"]
        {
            assert_eq!(compression(gzip), Some(Compression::Gzip), "{gzip}");
        }
        for (text, command) in [("2026-05-26.log.1.xz", "xz -dk"), ("2026-05-26.log.zst", "zstd -dk")] {
            let Some(Compression::Foreign(unpacker)) = compression(text) else { panic!("{text}") };
            assert_eq!(unpacker.command, command);
        }
        assert_eq!(FileName::parse("2026-05-26.log.1.xz").unwrap().unpacked(), "2026-05-26.log.1");
    }
}
