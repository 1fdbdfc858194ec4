//! Files that another program renames, copies, empties and compresses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

const LIVE: &str = "2026-05-26.log";

fn rename(folder: &Folder, from: &str, to: &str) {
    fs::rename(folder.path(from), folder.path(to)).unwrap();
}

/// Returns the line of a piece that is one.
fn line_of(piece: Piece<'_>) -> Option<String> {
    match piece {
        Piece::Line(line) => Some(String::from_utf8_lossy(line).into_owned()),
        Piece::Passed(_) => None,
        other => panic!("{other:?}"),
    }
}

fn copy_truncate(folder: &Folder, to: &str) {
    fs::copy(folder.path(LIVE), folder.path(to)).unwrap();
    truncate(folder);
}

fn truncate(folder: &Folder) {
    OpenOptions::new().write(true).open(folder.path(LIVE)).unwrap().set_len(0).unwrap();
}

#[test]
fn all_names_of_logrotate_are_read_in_order() {
    for names in [
        &["2026-05-26.log.3", "2026-05-26.log.2.gz", "2026-05-26.log.1", LIVE][..],
        &["2026-05-26.log.10.gz", "2026-05-26.log.9.gz", "2026-05-26.log.0", LIVE],
        &["2026-05-26.log-20260526.gz", "2026-05-26.log-20260527", LIVE],
        &["2026-05-26.log-2026052608.gz", "2026-05-26.log-2026052609", LIVE],
        &["2026-05-26.log-20260526-1779840000", "2026-05-26.log-20260526-1779843600", LIVE],
        &["2026-05-26.2.log", "2026-05-26.1.log.gz", "2026-05-26.0.log", LIVE],
        &["2026-05-26-20260526.log.gz", "2026-05-26-20260527.log", LIVE],
        &[LIVE, "2026-05-26.1.log.1", "2026-05-26.1.log"],
        // The configuration was changed.
        &["2026-05-26.log-20260526", "2026-05-26.log.2.gz", "2026-05-26.log.1", LIVE],
        &["2026-05-26.log.2.gz", "2026-05-26.log.1", "2026-05-26.log-20260526", LIVE],
    ] {
        let mut folder = Folder::new();
        for (at, name) in names.iter().enumerate().rev() {
            let text = text(at * 10..at * 10 + 10);
            match name.ends_with(".gz") {
                true => folder.compress(name, &[&text]),
                false => folder.append(name, &text),
            }
        }
        assert_eq!(folder.read(false), lines(0..names.len() * 10), "{names:?}");
        let mut follower = Reader::new(folder.0.path());
        std::mem::swap(&mut folder.1, &mut follower);
        assert_eq!(folder.read(true), lines(0..names.len() * 10), "{names:?}");
        assert!(folder.read(true).is_empty());
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), names.len(), "none is removed");
    }
}

#[test]
fn names_decide_where_lines_have_no_time() {
    let mut folder = Folder::new();
    let names = ["2026-05-26.log.2", "2026-05-26.log.1", "2026-05-26.log-20260527", LIVE, "2026-05-27.log"];
    for name in names {
        folder.append(name, &format!("{name}\n"));
    }
    assert_eq!(folder.read(false), names);
}

#[test]
fn an_unsupported_compression_is_reported_once() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..1));
    let foreign = ["2026-05-26.log.5.bz2", "2026-05-26.log.4.zst", "2026-05-26.log.3.xz"];
    for name in foreign {
        folder.append(name, "?");
    }
    let mut said = folder.read(true);
    said.sort();
    let expected = [
        "packed: 2026-05-26.log.3.xz: xz -dk",
        "packed: 2026-05-26.log.4.zst: zstd -dk",
        "packed: 2026-05-26.log.5.bz2: bzip2 -dk",
        &line(0),
    ];
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(said, expected);
    assert!(folder.read(true).is_empty());
    // After the unpacking command of the message.
    for name in foreign {
        folder.append(name.rsplit_once('.').unwrap().0, &text(7..8));
    }
    folder.1 = Reader::new(folder.0.path());
    assert!(!folder.read(false).iter().any(|line| line.contains("packed")));
}

/// Two files with the same lines, as a compression or copy leaves them for a moment, and for good if interrupted.
#[test]
fn lines_in_two_files_are_delivered_once() {
    type Step = fn(&Folder);
    let steps: [(&str, Step); 6] = [
        ("compressed whole, not yet removed", |folder| {
            folder.compress("2026-05-26.log.1.gz", &[&text(0..100)]);
        }),
        ("compressed in part", |folder| {
            folder.compress("2026-05-26.log.1.gz", &[&text(0..100)]);
            let file = OpenOptions::new().write(true).open(folder.path("2026-05-26.log.1.gz")).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("copied whole, not yet truncated", |folder| {
            fs::copy(folder.path(LIVE), folder.path("2026-05-26.log.0")).unwrap();
        }),
        ("copied in part", |folder| {
            let whole = fs::read(folder.path(LIVE)).unwrap();
            fs::write(folder.path("2026-05-26.log.0"), &whole[..whole.len() / 2 + 3]).unwrap();
        }),
        ("copied by `copy`, twice", |folder| {
            fs::copy(folder.path(LIVE), folder.path("2026-05-26.log.0")).unwrap();
            folder.append("2026-05-26.log-20260526", &text(100..130));
        }),
        ("compressed by the writer", |folder| folder.compress("2026-05-26.log.gz", &[&text(100..200)])),
    ];
    for (step, take) in steps {
        for growing in [false, true] {
            let mut folder = Folder::new();
            folder.append("2026-05-26.log.1", &text(0..100));
            folder.append(LIVE, &text(100..200));
            take(&folder);
            let delivered = folder.read(growing);
            let delivered: Vec<_> = delivered.iter().filter(|line| line.ends_with('}')).collect();
            assert!(delivered.len() == 200 && delivered.into_iter().eq(&lines(0..200)), "{step}, {growing}");
        }
        let mut folder = Folder::new();
        folder.append("2026-05-26.log.1", &text(0..100));
        folder.append(LIVE, &text(100..200));
        assert_eq!(folder.read(true), lines(0..200));
        take(&folder);
        assert!(folder.read(true).is_empty(), "{step}, followed");
    }
}

#[test]
fn files_of_one_name_with_and_without_compression_may_differ() {
    let mut folder = Folder::new();
    // `compress` was removed from the configuration.
    folder.compress("2026-05-26.log.1.gz", &[&text(0..10)]);
    folder.append("2026-05-26.log.1", &text(10..20));
    folder.append(LIVE, &text(20..30));
    assert_eq!(folder.read(false), lines(0..30));
}

#[test]
fn a_writer_that_has_not_noticed_a_rename_is_followed() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..2));
    assert_eq!(folder.read(true), lines(0..2));
    // Twice between two looks.
    rename(&folder, LIVE, "2026-05-26.log.1");
    folder.append(LIVE, &text(2..4));
    rename(&folder, "2026-05-26.log.1", "2026-05-26.log.2");
    rename(&folder, LIVE, "2026-05-26.log.1");
    folder.append(LIVE, &text(4..6));
    assert_eq!(folder.read(true), lines(2..6));
    folder.append("2026-05-26.log.1", &text(6..7));
    assert_eq!(folder.read(true), lines(6..7));
    folder.compress("2026-05-26.log.2.gz", &[&text(0..2)]);
    fs::remove_file(folder.path("2026-05-26.log.2")).unwrap();
    assert!(folder.read(true).is_empty());
    // Rotated and compressed between two looks, with lines that no look has seen.
    folder.append(LIVE, &text(7..9));
    rename(&folder, LIVE, "2026-05-26.log.0");
    folder.compress("2026-05-26.log.0.gz", &[&(text(4..6) + &text(7..9))]);
    fs::remove_file(folder.path("2026-05-26.log.0")).unwrap();
    folder.append("2026-05-26.log-20260526", &text(9..11));
    folder.compress("2026-05-26.log-20260526.gz", &[&text(9..11)]);
    fs::remove_file(folder.path("2026-05-26.log-20260526")).unwrap();
    assert_eq!(folder.read(true), lines(7..11));
}

#[test]
fn a_truncated_file_goes_on_from_its_copy() {
    for grown in [1, 3, 40] {
        let mut folder = Folder::new();
        folder.append(LIVE, &text(0..10));
        assert_eq!(folder.read(true), lines(0..10));
        folder.append(LIVE, &text(10..13));
        copy_truncate(&folder, "2026-05-26.log.1");
        folder.append(LIVE, &text(13..13 + grown));
        assert_eq!(folder.read(true), lines(10..13 + grown), "grown by {grown}");
        assert!(folder.read(true).is_empty());
        // No line came between the look and the copy.
        copy_truncate(&folder, "2026-05-26.log.0");
        assert!(folder.read(true).is_empty());
        folder.append(LIVE, &text(100..120));
        assert_eq!(folder.read(true), lines(100..120));
    }
}

#[test]
fn several_truncations_between_two_looks_are_followed() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..10));
    assert_eq!(folder.read(true), lines(0..10));
    folder.append(LIVE, &text(10..12));
    copy_truncate(&folder, "2026-05-26.log.1");
    folder.append(LIVE, &text(12..30));
    rename(&folder, "2026-05-26.log.1", "2026-05-26.log.2");
    copy_truncate(&folder, "2026-05-26.log.1");
    folder.append(LIVE, &text(30..31));
    folder.compress("2026-05-26.log.2.gz", &[&text(0..12)]);
    fs::remove_file(folder.path("2026-05-26.log.2")).unwrap();
    assert_eq!(folder.read(true), lines(10..31));
}

#[test]
fn a_truncation_without_a_copy_is_reported() {
    for grown in [0, 1, 40] {
        let mut folder = Folder::new();
        folder.append(LIVE, &text(0..10));
        assert_eq!(folder.read(true), lines(0..10));
        truncate(&folder);
        folder.append(LIVE, &text(20..20 + grown));
        let expected = [vec![format!("truncated: {LIVE}")], lines(20..20 + grown)].concat();
        assert_eq!(folder.read(true), expected, "grown by {grown}");
        assert!(folder.read(true).is_empty());
    }
    // The copy with the rest is gone.
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..10));
    assert_eq!(folder.read(true), lines(0..10));
    folder.append(LIVE, &text(10..12));
    truncate(&folder);
    folder.append(LIVE, &text(12..30));
    copy_truncate(&folder, "2026-05-26.log.1");
    assert_eq!(folder.read(true), [lines(12..30), vec![format!("truncated: {LIVE}")]].concat());
}

#[test]
fn a_look_between_copy_and_truncation_delivers_no_line_twice() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..100));
    assert_eq!(folder.read(true), lines(0..100));
    folder.append(LIVE, &text(100..110));
    let whole = fs::read(folder.path(LIVE)).unwrap();
    fs::write(folder.path("2026-05-26.log.1"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(folder.read(true), lines(100..110));
    folder.append("2026-05-26.log.1", str::from_utf8(&whole[whole.len() / 2..]).unwrap());
    assert!(folder.read(true).is_empty());
    folder.append(LIVE, &text(110..112));
    folder.append("2026-05-26.log.1", &text(110..112));
    truncate(&folder);
    folder.append(LIVE, &text(112..113));
    assert_eq!(folder.read(true), lines(110..113));
}

#[test]
fn a_folder_that_is_replaced_is_followed() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..3));
    assert_eq!(folder.read(true), lines(0..3));
    let moved = folder.0.path().with_extension("moved");
    fs::rename(folder.0.path(), &moved).unwrap();
    assert!(folder.read(true).is_empty());
    let append_moved = |text: &str| {
        let mut file = OpenOptions::new().append(true).open(moved.join(LIVE)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append_moved(&text(3..4));
    fs::create_dir(folder.0.path()).unwrap();
    folder.append(LIVE, &text(4..5));
    assert_eq!(folder.read(true), lines(3..5));
    append_moved(&text(5..6));
    folder.append(LIVE, &text(6..7));
    assert_eq!(folder.read(true), lines(5..7));
    fs::remove_dir_all(&moved).unwrap();
}

/// Increases all numbers by one, and starts a new file with the lines.
fn rotate(folder: &Folder, count: usize, lines: &str) {
    for number in (1..=count).rev() {
        let _ = fs::rename(
            folder.path(&format!("{LIVE}.{number}")),
            folder.path(&format!("{LIVE}.{}", number + 1)),
        );
    }
    rename(folder, LIVE, "2026-05-26.log.1");
    folder.append(LIVE, lines);
}

/// Lines that exist when a look begins are delivered once and in order, while names change.
///
/// A listing needs two readings that agree. The pause between rotations leaves time for three on any machine.
#[test]
fn rotations_during_a_look_lose_and_repeat_no_line() {
    const FILES: usize = 12;
    let folder = Folder::new();
    for file in 0..FILES {
        let name = if file + 1 == FILES { LIVE.to_owned() } else { format!("{LIVE}.{}", FILES - 1 - file) };
        folder.append(&name, &text(file * 50..file * 50 + 50));
    }
    let (expected, is_over) = (lines(0..FILES * 50), AtomicBool::new(false));
    let rotator = Folder(folder.0, Reader::new(std::path::Path::new("")));
    let rotations = thread::scope(|scope| {
        let rotating = scope.spawn(|| {
            let mut rotations = 0;
            while !is_over.load(Ordering::Relaxed) && rotations < 100 {
                rotate(&rotator, FILES + rotations, &text(600 + rotations..601 + rotations));
                rotations += 1;
                let begin = Instant::now();
                fs::read_dir(rotator.0.path()).unwrap().for_each(|entry| drop(entry.unwrap().metadata()));
                thread::sleep((4 * begin.elapsed()).max(Duration::from_millis(3)));
            }
            rotations
        });
        for round in 0..20 {
            let mut delivered = Vec::new();
            Reader::new(rotator.0.path())
                .read_new(false, |_, piece| {
                    delivered.extend(line_of(piece));
                    Ok(())
                })
                .unwrap();
            assert!(
                delivered.len() >= expected.len() && delivered[..expected.len()] == expected[..],
                "round {round}"
            );
            let all: std::collections::BTreeSet<_> = delivered.iter().collect();
            assert_eq!(all.len(), delivered.len(), "round {round}");
        }
        is_over.store(true, Ordering::Relaxed);
        rotating.join().unwrap()
    });
    assert!(rotations > 0);
}

/// The copy is read first, so that the file itself has nothing new and stays closed until the next look.
#[test]
fn a_file_that_was_read_from_its_copy_is_sorted_again_after_a_truncation() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..10));
    fs::copy(folder.path(LIVE), folder.path("2026-05-26.log.3")).unwrap();
    assert_eq!(folder.read(true), lines(0..10));
    truncate(&folder);
    folder.append(LIVE, &text(10..20));
    copy_truncate(&folder, "2026-05-26.log.2");
    folder.append(LIVE, &text(20..30));
    assert_eq!(folder.read(true), lines(10..30));
}

#[test]
fn a_file_that_was_removed_while_it_was_empty_is_read_on() {
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..10));
    assert_eq!(folder.read(true), lines(0..10));
    copy_truncate(&folder, "2026-05-26.log.1");
    assert!(folder.read(true).is_empty());
    let mut writer = OpenOptions::new().append(true).open(folder.path(LIVE)).unwrap();
    fs::remove_file(folder.path(LIVE)).unwrap();
    writer.write_all(text(10..20).as_bytes()).unwrap();
    assert_eq!(folder.read(true), lines(10..20));
}

/// Lines that come while their file is copied and truncated are delivered once, for each truncation with its copy.
#[test]
fn truncations_between_and_during_looks_lose_and_double_nothing() {
    const LINES: usize = 3000;
    let mut folder = Folder::new();
    folder.append(LIVE, &text(0..10));
    let writing = Folder(folder.0, Reader::new(std::path::Path::new("")));
    let mut delivered = Vec::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 10..LINES {
                writing.append(LIVE, &text(number..number + 1));
                if number % 37 == 0 {
                    copy_truncate(&writing, &format!("{LIVE}-20260526-{number:010}"));
                }
            }
        });
        let mut is_last = false;
        while !is_last {
            is_last = writer.is_finished();
            let deliver = |_: &FileName, piece: Piece<'_>| {
                delivered.extend(line_of(piece));
                Ok(())
            };
            folder.1.read_new(true, deliver).unwrap();
        }
    });
    let numbers: Vec<_> = delivered.iter().map(|line| number_of(line)).collect();
    let in_order: Vec<_> =
        numbers.chunk_by(|a, b| a + 1 == *b).map(|run| run[0]..run[run.len() - 1] + 1).collect();
    assert_eq!((in_order.len(), &in_order[0]), (1, &(0..LINES)), "{in_order:?}");
}
