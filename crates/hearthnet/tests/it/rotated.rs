//! Log files that Debian's `logrotate` rotates with a real configuration.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::node::{Home, text_of};

const DAY: &str = "2026-05-26";

fn line(number: usize) -> String {
    let (second, millis) = (number / 1000, number % 1000);
    format!(
        r#"{{"ts":"{DAY}T08:00:{second:02}.{millis:03}Z","level":"info","logger":"hearthnet.bus","msg":"line {number}"}}"#
    )
}

/// Folder in a configuration of logrotate.
struct Rotated {
    home: Home,
    logrotate: &'static str,
    written: usize,
}

impl Rotated {
    /// Returns `None` if logrotate is missing.
    fn new() -> Option<Rotated> {
        let places = ["/usr/sbin/logrotate", "/usr/bin/logrotate", "/sbin/logrotate"];
        let Some(logrotate) = places.into_iter().find(|place| Path::new(place).exists()) else {
            let _ = std::io::stderr().write_all(b"skipped: logrotate is not installed\n");
            return None;
        };
        let home = Home::new();
        fs::create_dir_all(home.log()).unwrap();
        Some(Rotated { home, logrotate, written: 0 })
    }

    fn live(&self) -> std::path::PathBuf {
        self.home.log().join(format!("{DAY}.log"))
    }

    fn write(&mut self, count: usize) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.live()).unwrap();
        let lines: String = (self.written..self.written + count).map(|number| line(number) + "\n").collect();
        file.write_all(lines.as_bytes()).unwrap();
        self.written += count;
    }

    fn rotate(&self, options: &str) {
        let (configuration, state) =
            (self.home.path().join("logrotate.conf"), self.home.path().join("state.txt"));
        let text = format!("{} {{\nrotate 50\ncreate\n{options}\n}}\n", self.live().display());
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(self.logrotate);
        let done = command.arg("-f").arg("-s").arg(state).arg(&configuration).output().unwrap();
        assert!(done.status.success(), "{options}: {done:?}");
    }

    fn all_lines(&self) -> String {
        (0..self.written).map(|number| line(number) + "\n").collect()
    }
}

/// Options of a configuration, and the number of rotations that its names allow within a second.
const CONFIGURATIONS: &[(&str, usize)] = &[
    ("", 5),
    ("copytruncate", 5),
    ("compress", 5),
    ("compress\ndelaycompress", 5),
    ("copytruncate\ncompress\ndelaycompress", 5),
    ("dateext", 1),
    ("dateext\ncompress", 1),
    ("dateext\nhourly", 1),
    ("dateext\ndateformat -%Y%m%d-%s", 1),
    ("dateext\ndateformat .%Y-%m-%d\ndateyesterday", 1),
    ("dateext\ndateformat -%m%d", 1),
    ("dateext\ndateformat -%Y-W%V", 1),
    ("dateext\ndateformat -%Y%m%dT%H%M%SZ", 1),
    ("dateext\ndateformat -%Y%m%d.log", 1),
    ("extension .log", 5),
    ("extension .log\ncompress", 5),
    ("extension .log\ncopytruncate", 5),
    ("addextension .log\ndateext", 1),
    ("renamecopy", 5),
    ("start 0", 5),
    ("copy", 5),
];

#[test]
fn every_configuration_of_logrotate_is_read_in_order_and_once() {
    for (options, rotations) in CONFIGURATIONS {
        let Some(mut rotated) = Rotated::new() else { return };
        for _ in 0..*rotations {
            rotated.write(330);
            rotated.rotate(options);
        }
        rotated.write(350);
        let names = || {
            let entries = fs::read_dir(rotated.home.log()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
        };
        let before = names();
        let shown = rotated.home.run(&["log", "--json"]);
        assert_eq!(text_of(&shown.stderr), "", "{options}");
        assert!(text_of(&shown.stdout) == rotated.all_lines(), "{options}: {before:?}");
        assert_eq!(names(), before, "{options}: no file is removed");
    }
}

/// Each configuration rotates while its log is followed, several times between two looks and once between others.
#[test]
fn every_configuration_of_logrotate_is_followed_in_order_and_once() {
    for (options, rotations) in CONFIGURATIONS {
        let Some(mut rotated) = Rotated::new() else { return };
        rotated.write(10);
        let mut command = rotated.home.command(&["log", "--follow", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut expect = |numbers: std::ops::Range<usize>| {
            for number in numbers {
                assert_eq!(shown.next().unwrap().unwrap(), line(number), "{options}");
            }
        };
        expect(0..10);
        for rotation in 0..*rotations {
            let before = rotated.written;
            rotated.write(3);
            rotated.rotate(options);
            rotated.write(40);
            if rotation % 2 == 0 {
                expect(before..rotated.written);
            } else {
                std::thread::sleep(Duration::from_millis(20));
                let begun = rotated.written;
                rotated.write(1);
                expect(before..begun + 1);
            }
        }
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(text_of(&output.stderr), "", "{options}");
    }
}

/// A message names the time of a truncation that lost lines.
#[test]
fn a_truncation_without_a_copy_is_reported() {
    let Some(mut rotated) = Rotated::new() else { return };
    rotated.write(5);
    let mut command = rotated.home.command(&["log", "--follow", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || shown.next().unwrap().unwrap();
    assert!((0..5).all(|number| next() == line(number)));
    fs::write(rotated.live(), "").unwrap();
    rotated.write(20);
    assert!((5..25).all(|number| next() == line(number)));
    child.kill().unwrap();
    let said = text_of(&child.wait_with_output().unwrap().stderr).to_string();
    assert!(said.contains("2026-05-26.log was truncated; lines written between 20"), "{said}");
    assert!(said.contains("may be missing"), "{said}");
}

/// A message names an unsupported compression, and the command that unpacks the file.
#[test]
fn an_unsupported_compression_is_reported_with_its_command() {
    let Some(mut rotated) = Rotated::new() else { return };
    rotated.write(5);
    let packed = rotated.home.log().join("2026-05-26.log.3.xz");
    fs::write(&packed, "\u{fd}7zXZ").unwrap();
    let shown = rotated.home.run(&["log", "--json"]);
    assert_eq!(shown.status.code(), Some(0));
    assert_eq!(text_of(&shown.stdout), rotated.all_lines());
    let said = text_of(&shown.stderr);
    // The home folder is short, as in the doctor's advice.
    assert!(said.contains("`xz -dk ~/state/hearthnet/log/2026-05-26.log.3.xz`"), "{said}");
}
