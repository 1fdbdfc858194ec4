//! Search for a time in a sorted file, without reading all of it.

use std::io;

use super::delivered::{START_LENGTH, time_of};
use super::source::Source;
use crate::reader::line_time::LineTime;

/// Length at which the search ends. Reading on from there takes less time than another look.
const NEAR: u64 = 128 << 10;
/// Number of bytes that a look reads: several hundred lines.
const LOOK: usize = 64 << 10;

/// Two places of a file, each the start of a line or the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Place before which all lines are earlier than the time.
    pub(super) before: u64,
    /// Place from which no line is earlier than the time.
    pub(super) after: u64,
}

/// Narrows the place of `time` in the first `length` bytes of `source`. Lines without a time are passed over.
pub(super) fn narrow(source: &mut Source, length: u64, time: LineTime) -> io::Result<Range> {
    let mut range = Range { before: 0, after: length };
    // No line with a time starts between `end` and `range.after`.
    let mut end = length;
    let mut buffer = vec![0; LOOK];
    while end - range.before > NEAR {
        let middle = range.before + (end - range.before) / 2;
        match first_line(source, middle, end, &mut buffer)? {
            Some((start, found)) if found < time => range.before = start,
            Some((start, _)) => (range.after, end) = (start, middle),
            None => end = middle,
        }
    }
    Ok(range)
}

/// Returns the start and the time of the first line with a time that starts after `from` and before `to`.
fn first_line(
    source: &mut Source,
    from: u64,
    to: u64,
    buffer: &mut [u8],
) -> io::Result<Option<(u64, LineTime)>> {
    let mut offset = from;
    while offset < to {
        source.go_to(offset)?;
        let read = source.read_full(buffer)?;
        let mut next = offset + read as u64;
        for newline in memchr::memchr_iter(b'\n', &buffer[..read]) {
            let start = offset + newline as u64 + 1;
            if start >= to {
                return Ok(None);
            }
            if let Some(time) = time_of(&buffer[newline + 1..read]) {
                return Ok(Some((start, time)));
            }
            if newline > 0 && newline + 1 + START_LENGTH > read && read == buffer.len() {
                // The start of the line is not whole in the buffer.
                next = start - 1;
                break;
            }
        }
        if read == 0 {
            break;
        }
        offset = next;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn line(second: usize) -> String {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!(
            r#"{{"ts":"2026-05-26T{hour:02}:{minute:02}:{second:02}.000Z","level":"info","logger":"x","msg":"m"}}"#
        )
    }

    fn time(second: usize) -> LineTime {
        time_of(line(second).as_bytes()).unwrap()
    }

    /// Narrows several times of the file, and checks both places against all lines.
    fn check(lines: &[String]) {
        let text = lines.concat();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut source = Source::plain(file);
        let mut start = 0;
        let mut times = Vec::new();
        for line in text.split_inclusive('\n') {
            times.extend(time_of(line.as_bytes()).map(|time| (start, time)));
            start += line.len() as u64;
        }
        for second in (0..=21_000).step_by(1_000) {
            let wanted = time(second);
            let Range { before, after } = narrow(&mut source, text.len() as u64, wanted).unwrap();
            for place in [before as usize, after as usize] {
                assert!(place == 0 || place == text.len() || text.as_bytes()[place - 1] == b'\n', "{place}");
            }
            assert!(times.iter().all(|(at, time)| *at >= before || *time < wanted), "{wanted:?}");
            assert!(times.iter().all(|(at, time)| *at < after || *time >= wanted), "{wanted:?}");
            let left: Vec<_> =
                times.iter().map(|(at, _)| at).filter(|at| (before..after).contains(at)).collect();
            assert!(
                left.is_empty() || **left.last().unwrap() - before <= NEAR,
                "{wanted:?}: {} lines",
                left.len()
            );
        }
    }

    #[test]
    fn both_places_are_near_the_time() {
        check(&[]);
        check(&[line(5) + "\n"]);
        check(&(0..20_000).map(|second| line(second) + "\n").collect::<Vec<_>>());
        check(&vec![line(1_000) + "\n"; 5_000]);
    }

    #[test]
    fn broken_and_long_lines_are_passed_over() {
        let mut lines: Vec<_> = (0..20_000).map(|second| line(second) + "\n").collect();
        for at in (0..20_000).step_by(100) {
            lines[at] = "{\"ts\":\"2026-torn\n\n\u{fffd}\n".to_owned();
        }
        lines[10_000] = "x".repeat(1 << 20) + "\n";
        lines[15_000] = "no time at all\n".repeat(20_000);
        check(&lines);
        lines.push("no time at all\n".repeat(100_000) + "torn");
        check(&lines);
    }
}
