//! Lines of the log around failures, the newest first.
//!
//! The end of a log of any size is read, not the whole: what failed last is what a report is about.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use chrono::SecondsFormat;
use flate2::read::MultiGzDecoder;
use memchr::memmem;
use obs_facade::log::reader;
use serde_json::{Value, json};

use crate::cli::log::period::Period;

/// Bytes that are read from the end of the log, over all files.
const MAX_READ: usize = 32 << 20;
/// Bytes of the lines in the report.
const MAX_KEPT: usize = 4 << 20;
/// Length of the longest line that is kept.
const MAX_LINE: usize = 64 << 10;
/// Lines before a failure. They say what led to it.
const BEFORE: usize = 20;
/// Lines after a failure.
const AFTER: usize = 5;
/// Last lines of the log, which are kept whether something failed or not.
const LAST: usize = 200;

/// Lines for the report, oldest first, and what they are a part of.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: String,
    /// Bytes of the log that were looked at.
    read: usize,
    /// Whether older lines were not looked at.
    is_cut: bool,
    failures: usize,
    kept_failures: usize,
    kept: usize,
    /// Lines that are too long.
    long: usize,
    /// Files that were left out, and the reasons.
    pub(super) unread: Vec<String>,
}

impl Lines {
    /// Describes the lines for the list of contents.
    pub(super) fn described(&self) -> Value {
        json!({
            "read_bytes": self.read, "older_lines_were_not_read": self.is_cut,
            "failures": self.failures, "failures_with_lines": self.kept_failures,
            "lines": self.kept, "long_lines_left_out": self.long,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept == 0
    }
}

/// Reads the lines of the period, until `deadline`.
pub(super) fn read(log_dir: &Path, period: Period, deadline: Instant) -> io::Result<Lines> {
    let mut lines = Lines::default();
    let mut parts: VecDeque<Vec<u8>> = VecDeque::new();
    let (since, until) = bounds(period);
    for name in reader::names(log_dir)?.into_iter().rev() {
        let left = MAX_READ - lines.read;
        // The newest file is read however late it is. It has what a report is about.
        if left == 0 || !parts.is_empty() && Instant::now() >= deadline {
            lines.is_cut = true;
            break;
        }
        match tail(&log_dir.join(&name), left, deadline) {
            Ok(Tail { bytes, is_cut }) => {
                lines.read += bytes.len();
                lines.is_cut |= is_cut;
                // Earlier files have earlier lines.
                let is_older = time_of(&bytes).is_some_and(|first| first < since.as_bytes());
                parts.push_front(bytes);
                if is_cut || is_older {
                    break;
                }
            }
            // The retention has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => lines.unread.push(format!("cannot read {name}: {error}")),
        }
    }
    let is_wanted = |line: &&[u8]| {
        let time = time_of(line);
        !line.is_empty() && time.is_none_or(|time| time >= since.as_bytes() && time <= until.as_bytes())
    };
    let all: Vec<&[u8]> =
        parts.iter().flat_map(|part| part.split(|byte| *byte == b'\n')).filter(is_wanted).collect();
    lines.select(&all);
    Ok(lines)
}

/// Returns the first and the last time as the log writes them.
fn bounds(period: Period) -> (String, String) {
    let text = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    (period.since.map(text).unwrap_or_default(), period.until.map_or_else(|| "~".to_owned(), text))
}

/// Returns the time of the line at the start of `bytes`, as it is written.
fn time_of(bytes: &[u8]) -> Option<&[u8]> {
    let time = bytes.strip_prefix(br#"{"ts":""#)?.get(..24)?;
    (time[4] == b'-' && time[10] == b'T' && time[23] == b'Z').then_some(time)
}

struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
}

/// Returns the last bytes of a file, from the start of a line on.
fn tail(path: &Path, most: usize, deadline: Instant) -> io::Result<Tail> {
    let file = File::open(path)?;
    let packed = path.extension().is_some_and(|end| end == "gz");
    if !packed
        && path.extension().is_some_and(|end| matches!(end.to_str(), Some("xz" | "zst" | "bz2" | "lz4")))
    {
        return Err(io::Error::other("it is compressed by another program"));
    }
    let (mut bytes, is_cut) = match packed {
        true => tail_of(MultiGzDecoder::new(file), most, deadline)?,
        false => {
            let length = file.metadata()?.len();
            let start = length.saturating_sub(most as u64);
            let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(most)];
            let read = read_at(&file, &mut bytes, start)?;
            bytes.truncate(read);
            (bytes, start > 0)
        }
    };
    if is_cut {
        let line = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1);
        bytes.drain(..line);
    }
    Ok(Tail { bytes, is_cut })
}

fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], start + filled as u64) {
            // The file was truncated meanwhile.
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Returns the last bytes of a compressed file, which has no place to begin at. What is not read by the deadline is newer
/// than the rest, so that nothing of the file is used then.
fn tail_of(mut content: impl Read, most: usize, deadline: Instant) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let (mut buffer, mut is_cut) = (vec![0; 64 << 10], false);
    loop {
        if Instant::now() >= deadline {
            return Err(io::Error::other("it takes too long to decompress"));
        }
        match content.read(&mut buffer)? {
            0 => break,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
        // Moving the bytes at each read would take as long as the decompression.
        if bytes.len() > 2 * most {
            bytes.drain(..bytes.len() - most);
            is_cut = true;
        }
    }
    if bytes.len() > most {
        bytes.drain(..bytes.len() - most);
        is_cut = true;
    }
    Ok((bytes, is_cut))
}

impl Lines {
    /// Keeps the last lines, and those around failures from the newest one on.
    fn select(&mut self, all: &[&[u8]]) {
        let warning = memmem::Finder::new(br#""level":"warning""#);
        let error = memmem::Finder::new(br#""level":"error""#);
        let has_failed = |line: &[u8]| {
            let head = &line[..line.len().min(256)];
            warning.find(head).is_some() || error.find(head).is_some()
        };
        let mut is_kept = vec![false; all.len()];
        let mut bytes = 0;
        let mut keep = |from: usize, to: usize| {
            for at in from..to.min(all.len()) {
                if !is_kept[at] && all[at].len() <= MAX_LINE {
                    bytes += all[at].len() + 1;
                    is_kept[at] = true;
                }
            }
            bytes <= MAX_KEPT
        };
        let mut has_room = keep(all.len().saturating_sub(LAST), all.len());
        for (at, _) in all.iter().enumerate().rev().filter(|(_, line)| has_failed(line)) {
            self.failures += 1;
            if has_room {
                self.kept_failures += 1;
                has_room = keep(at.saturating_sub(BEFORE), at + 1 + AFTER);
            }
        }
        self.long = all.iter().filter(|line| line.len() > MAX_LINE).count();
        for (line, _) in all.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept) {
            self.text.push_str(&String::from_utf8_lossy(line));
            self.text.push('\n');
            self.kept += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::time::Duration;

    use super::*;

    fn line(at: usize, level: &str) -> String {
        let (minute, second) = (at / 60 % 60, at % 60);
        format!(
            r#"{{"ts":"2026-11-28T02:{minute:02}:{second:02}.000Z","level":"{level}","logger":"a","msg":"m{at}"}}"#
        )
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    const ALL: Period = Period { since: None, until: None };

    #[test]
    fn lines_around_failures_and_the_last_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let of = |at| line(at, if at == 1000 { "error" } else { "info" }) + "\n";
        fs::write(folder.path().join("2026-11-28.log"), (0..3000).map(of).collect::<String>()).unwrap();
        let lines = read(folder.path(), ALL, soon()).unwrap();
        let has = |at: usize| lines.text.contains(&format!("\"m{at}\""));
        assert!(has(980) && has(1000) && has(1005) && has(2800) && has(2999));
        assert!(!has(979) && !has(1006) && !has(2799));
        assert_eq!(lines.described()["failures"], 1);
        assert_eq!(lines.described()["lines"], 226);

        let since = Some("2026-11-28T02:49:00Z".parse().unwrap());
        let lines = read(folder.path(), Period { since, until: None }, soon()).unwrap();
        assert!(lines.text.contains("\"m2940\"") && !lines.text.contains("\"m2939\""), "{}", lines.text);
    }

    /// The file has a hole of a gigabyte before its lines.
    #[test]
    fn the_end_of_a_large_log_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::create(folder.path().join("2026-11-28.log")).unwrap();
        file.seek(SeekFrom::Start(1 << 30)).unwrap();
        file.write_all(b"\n").unwrap();
        for at in 0..60_000 {
            file.write_all((line(at, "warning") + &" ".repeat(100) + "\n").as_bytes()).unwrap();
        }
        fs::write(folder.path().join("2026-11-27.log"), line(1, "error")).unwrap();
        let lines = read(folder.path(), ALL, soon()).unwrap();
        assert!(lines.is_cut && lines.read <= MAX_READ && lines.text.len() <= MAX_KEPT + 64 * MAX_LINE);
        assert!(lines.text.contains("\"m59999\"") && !lines.text.contains("\"m100\""));
        assert!(lines.kept_failures > 10_000 && lines.failures == 60_000, "{:?}", lines.described());
    }

    #[test]
    fn a_compressed_day_is_read_and_odd_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let packed = File::create(folder.path().join("2026-11-27.log.gz")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        packed.write_all((line(7, "error") + "\n").as_bytes()).unwrap();
        packed.finish().unwrap();
        fs::write(folder.path().join("2026-11-26.log.gz"), "no gzip").unwrap();
        fs::write(
            folder.path().join("2026-11-28.log"),
            format!("{}\n\u{fffd}torn", "x".repeat(MAX_LINE + 1)),
        )
        .unwrap();
        let lines = read(folder.path(), ALL, soon()).unwrap();
        assert!(
            lines.text.starts_with(&line(7, "error")) && lines.text.ends_with("torn\n"),
            "{}",
            lines.text
        );
        assert_eq!((lines.long, lines.unread.len()), (1, 1));
        let late = read(folder.path(), ALL, Instant::now()).unwrap();
        assert!(late.is_cut && late.text.ends_with("torn\n"), "the newest file alone: {}", late.text);
        assert!(!late.text.contains(&line(7, "error")), "{}", late.text);
    }
}
