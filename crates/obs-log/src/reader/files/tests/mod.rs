//! Reading and following the files of a folder.

mod interrupted;
mod rotation;

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use super::open_file::LONGEST_LINE;
use super::visit::FOLLOWED;
use super::*;

/// Returns a line that differs from all others.
fn line(number: usize) -> String {
    let (seconds, millis) = (number / 1000, number % 1000);
    format!(
        r#"{{"ts":"2026-05-26T08:{:02}:{:02}.{millis:03}Z","level":"info","logger":"x","msg":"line {number}"}}"#,
        seconds / 60,
        seconds % 60
    )
}

/// Returns the number of a line that [`line`] made.
fn number_of(line: &str) -> usize {
    let (_, number) = line.rsplit_once(' ').unwrap();
    number.trim_end_matches("\"}").parse().unwrap()
}

/// Returns lines, each with its newline.
fn text(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| line(number) + "\n").collect()
}

/// Returns the same lines as a reader delivers them.
fn lines(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(line).collect()
}

struct Folder(tempfile::TempDir, Reader);

impl Folder {
    fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let reader = Reader::new(dir.path());
        Folder(dir, reader)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn compress(&self, name: &str, members: &[&str]) {
        let mut file = File::create(self.path(name)).unwrap();
        for member in members {
            let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::default());
            encoder.write_all(member.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
    }

    fn read(&mut self, growing: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let deliver = |file: &FileName, piece: Piece<'_>| {
            if matches!(piece, Piece::Passed(_)) {
                return Ok(());
            }
            lines.push(match piece {
                Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
                Piece::Passed(_) => unreachable!(),
                Piece::TooLong(beginning) => format!("too long: {}", beginning.len()),
                Piece::Unreadable(error) => format!("unreadable: {:?}", error.kind()),
                Piece::Unopened(error) => format!("unopened: {:?}", error.kind()),
                Piece::Packed(unpacker) => format!("packed: {file}: {}", unpacker.command),
                Piece::Truncated(from, to) if from <= to => format!("truncated: {file}"),
                Piece::Truncated(..) => "truncated in no time".to_owned(),
            });
            Ok(())
        };
        self.1.read_new(growing, deliver).unwrap();
        lines
    }
}

#[test]
fn days_are_in_order_and_foreign_files_are_left_out() {
    let mut folder = Folder::new();
    for name in [
        "2026-05-27.log",
        "2025-12-31.log",
        "2026-05-26.log",
        "2026-05-26.log.bak",
        "audit.log",
        "2026-5-1.log",
    ] {
        folder.append(name, &format!("{name}\n"));
    }
    fs::create_dir(folder.path("2026-05-28.log")).unwrap();
    assert_eq!(folder.read(false), ["2025-12-31.log", "2026-05-26.log", "2026-05-27.log"]);
}

#[test]
fn a_followed_line_is_delivered_once_it_is_whole() {
    let mut folder = Folder::new();
    assert!(folder.read(true).is_empty(), "no file yet");
    folder.append("2026-05-26.log", "one\nhal");
    assert_eq!(folder.read(true), ["one"]);
    assert!(folder.read(true).is_empty());
    folder.append("2026-05-26.log", "f\ntwo");
    assert_eq!(folder.read(true), ["half"]);
    assert_eq!(folder.read(false), ["two"]);
}

#[test]
fn a_followed_folder_may_be_missing_at_any_number_of_looks() {
    let mut folder = Folder::new();
    folder.append("2026-05-26.log", "one\n");
    assert_eq!(folder.read(true), ["one"]);
    fs::remove_dir_all(folder.0.path()).unwrap();
    assert!((0..3).all(|_| folder.read(true).is_empty()));
    fs::create_dir(folder.0.path()).unwrap();
    folder.append("2026-05-26.log", "two\n");
    assert_eq!(folder.read(true), ["two"]);
}

#[test]
fn following_goes_on_over_midnight() {
    let mut folder = Folder::new();
    folder.append("2026-05-26.log", "a\n");
    assert_eq!(folder.read(true), ["a"]);
    folder.append("2026-05-26.log", "b\ntorn");
    folder.append("2026-05-27.log", "c\n");
    assert_eq!(folder.read(true), ["b", "torn", "c"]);
    folder.append("2026-05-27.log", "d\n");
    assert_eq!(folder.read(true), ["d"]);
}

#[test]
fn following_goes_on_after_truncation_rename_and_removal() {
    let mut folder = Folder::new();
    let name = "2026-05-26.log";
    folder.append(name, "a\nb\n");
    assert_eq!(folder.read(true), ["a", "b"]);
    fs::write(folder.path(name), "c\n").unwrap();
    assert_eq!(folder.read(true), ["truncated: 2026-05-26.log", "c"]);
    fs::rename(folder.path(name), folder.path("kept")).unwrap();
    folder.append("kept", "late\n");
    folder.append(name, "d\n");
    assert_eq!(folder.read(true), ["late", "d"]);
    fs::remove_file(folder.path(name)).unwrap();
    assert!(folder.read(true).is_empty());
    folder.append(name, "e\n");
    assert_eq!(folder.read(true), ["e"]);
    fs::remove_dir_all(folder.0.path()).unwrap();
    assert!(folder.read(true).is_empty());
}

/// Another process may write a line of yesterday when this one has begun today.
#[test]
fn late_lines_of_an_earlier_day_are_followed() {
    let mut folder = Folder::new();
    folder.append("2026-05-26.log", "a\n");
    folder.append("2026-05-27.log", "b\n");
    assert_eq!(folder.read(true), ["a", "b"]);
    folder.append("2026-05-26.log", "late\n");
    assert_eq!(folder.read(true), ["late"]);
    // Lines of a killed process, from before the first file.
    folder.append("2026-05-25.log", "recovered\n");
    folder.append("2026-05-27.log", "c\n");
    assert_eq!(folder.read(true), ["recovered", "c"]);
    folder.append("2026-05-26.log", "and once more\nhalf");
    assert_eq!(folder.read(true), ["and once more"]);
    folder.append("2026-05-26.log", " a line\n");
    assert_eq!(folder.read(true), ["half a line"]);
    assert!(folder.read(true).is_empty());
}

/// A file grows, is compressed, and gets new lines under its old name, all between two looks.
#[test]
fn late_lines_of_a_compressed_day_are_followed() {
    let mut folder = Folder::new();
    let name = "2026-05-26.log";
    folder.append(name, &text(0..1));
    folder.append("2026-05-27.log", "b\n");
    assert_eq!(folder.read(true), [line(0), "b".to_owned()]);
    folder.append(name, &text(1..2));
    folder.compress("2026-05-26.log.gz", &[&text(0..2)]);
    fs::remove_file(folder.path(name)).unwrap();
    folder.append(name, &text(2..3));
    assert_eq!(folder.read(true), lines(1..3));
    folder.compress("2026-05-26.log.gz", &[&text(0..2), &text(2..3)]);
    assert!(folder.read(true).is_empty(), "compressed, and not yet removed");
    fs::remove_file(folder.path(name)).unwrap();
    assert!(folder.read(true).is_empty());
    folder.append(name, &text(3..4));
    assert_eq!(folder.read(true), lines(3..4));
}

/// The next writer cuts off the torn line of one that died.
#[test]
fn a_torn_line_that_is_cut_off_does_not_spoil_the_next_one() {
    for next in ["x\n", "a longer line than the torn one\n"] {
        let mut folder = Folder::new();
        let name = "2026-05-26.log";
        folder.append(name, "a\n{\"ts\":\"2026");
        assert_eq!(folder.read(true), ["a"]);
        let file = OpenOptions::new().write(true).open(folder.path(name)).unwrap();
        file.set_len("a\n".len() as u64).unwrap();
        folder.append(name, next);
        assert_eq!(folder.read(true), [next.trim_end()]);
    }
}

#[test]
fn the_latest_files_are_kept_open_and_none_is_read_twice() {
    let mut folder = Folder::new();
    let name = |part: usize| format!("2026-05-26.{part}.log");
    for part in 1..=FOLLOWED + 9 {
        folder.append(&name(part), &text(part..part + 1));
    }
    assert_eq!(folder.read(true), lines(1..FOLLOWED + 10));
    assert_eq!(folder.1.followed.len(), FOLLOWED);
    assert!(folder.read(true).is_empty());
    folder.append(&name(9), "seen\n");
    folder.append(&name(10), "seen too\n");
    assert_eq!(folder.read(true), ["seen", "seen too"]);
}

#[test]
fn a_line_that_is_too_long_is_skipped_in_bounded_memory() {
    let mut folder = Folder::new();
    let long = "x".repeat(3 * LONGEST_LINE);
    folder.append("2026-05-26.log", &format!("a\n{long}\nb\n{}\n{long}", &long[..3 * BLOCK]));
    let expected = ["a", "too long: 1048576", "b", &long[..3 * BLOCK], "too long: 1048576"];
    assert_eq!(folder.read(false), expected);
}

#[test]
fn parts_of_a_day_and_compressed_files_are_in_order() {
    let mut folder = Folder::new();
    for part in
        ["2026-05-26.10.log", "2026-05-26.2.log", "2026-05-27.log", "2026-05-26.log", "2026-05-26.1.log"]
    {
        folder.append(part, &format!("{part}\n"));
    }
    folder.compress("2026-05-26.1.log.gz", &["first\n", "second\ntorn"]);
    let expected = ["2026-05-26.log", "first", "second", "torn", "2026-05-26.1.log", "2026-05-26.2.log"];
    let expected = [&expected[..], &["2026-05-26.10.log", "2026-05-27.log"]].concat();
    assert_eq!(folder.read(true), expected);
    // A file that was read and is compressed now is not read again.
    folder.append("2026-05-27.log", &text(0..2));
    assert_eq!(folder.read(true), lines(0..2));
    folder.compress("2026-05-27.log.gz", &[&("2026-05-27.log\n".to_owned() + &text(0..2))]);
    fs::remove_file(folder.path("2026-05-27.log")).unwrap();
    assert!(folder.read(true).is_empty());
    folder.append("2026-05-28.log", "next\n");
    assert_eq!(folder.read(true), ["next"]);
}

#[test]
fn an_empty_compressed_file_is_not_damaged() {
    let mut folder = Folder::new();
    folder.append("2026-05-26.log.1.gz", "");
    folder.append("2026-05-26.log", &text(0..2));
    assert_eq!(folder.read(false), lines(0..2));
}

#[test]
fn a_damaged_compressed_file_is_reported_and_skipped() {
    let mut folder = Folder::new();
    folder.compress("2026-05-25.log.gz", &["a\n"]);
    let mut bytes = fs::read(folder.path("2026-05-25.log.gz")).unwrap();
    bytes.truncate(bytes.len() - 4);
    fs::write(folder.path("2026-05-25.log.gz"), bytes).unwrap();
    folder.append("2026-05-26.log.gz", "no gzip at all");
    folder.append("2026-05-27.log", "b\n");
    assert_eq!(folder.read(false), ["a", "unreadable: UnexpectedEof", "unreadable: InvalidInput", "b"]);
}
