//! Looks that end early, and files that leave the folder.

use super::*;

/// Reads all lines, and interrupts each look after `pace` of them. With `renew`, another reader goes on each time.
fn read_in_steps(folder: &mut Folder, pace: usize, renew: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..10_000 {
        let mut left = pace;
        let look = folder.1.read_new(true, |_, piece| {
            if let Piece::Line(line) = piece {
                lines.push(String::from_utf8_lossy(line).into_owned());
                left -= 1;
            }
            if left == 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        });
        if renew {
            let position = folder.1.position();
            folder.1 = Reader::new(folder.0.path());
            assert!(folder.1.resume(&position));
        }
        if look.is_ok() {
            return lines;
        }
    }
    panic!("the looks make no headway after {} lines", lines.len());
}

#[test]
fn an_interrupted_look_loses_and_repeats_no_line() {
    for (pace, renew) in [(1, false), (7, false), (100, false), (1, true), (7, true), (100, true)] {
        let mut folder = Folder::new();
        folder.compress("2026-05-24.log.gz", &[&text(0..150), &text(150..200)]);
        folder.append("2026-05-25.log", &text(200..400));
        // A copy of logrotate and its original, which has more.
        folder.append("2026-05-26.log.1", &text(400..450));
        folder.append("2026-05-26.log", &text(400..500));
        folder.append("2026-05-26.1.log", &text(500..600));
        folder.append("2026-05-27.log", &text(600..700));
        assert_eq!(read_in_steps(&mut folder, pace, renew), lines(0..700), "{pace} {renew}");

        // The day is compressed and the next lines come.
        folder.compress("2026-05-25.log.gz", &[&text(200..400)]);
        fs::remove_file(folder.path("2026-05-25.log")).unwrap();
        folder.append("2026-05-27.log", &text(700..750));
        assert_eq!(read_in_steps(&mut folder, pace, renew), lines(700..750), "{pace} {renew}");
    }
}

/// A position has a limited number of contents. Places in one of them must not displace the others.
#[test]
fn interruptions_and_restarts_leave_one_place_of_a_content() {
    for renew in [false, true] {
        let mut folder = Folder::new();
        folder.append("2026-05-25.log", &text(0..10));
        folder.compress("2026-05-26.log.gz", &[&text(10..500)]);
        folder.append("2026-05-27.log", &text(500..800));
        assert_eq!(read_in_steps(&mut folder, 5, renew), lines(0..800));
        assert_eq!(folder.1.position().split(';').count(), 3);
    }
}

#[test]
fn the_rest_of_a_file_that_leaves_is_delivered_once() {
    for is_packed in [false, true] {
        for read in [1, 3, 10] {
            let mut folder = Folder::new();
            let name = if is_packed { "2026-05-25.log.gz" } else { "2026-05-25.log" };
            match is_packed {
                true => folder.compress(name, &[&text(0..10)]),
                false => folder.append(name, &text(0..10)),
            }
            folder.append("2026-05-26.log", &text(10..20));
            let mut left = read;
            let _ = folder.1.read_new(true, |_, piece| {
                left -= usize::from(matches!(piece, Piece::Line(_)));
                if left == 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
            });
            let leaving = Leaving::open(&folder.path(name)).unwrap().unwrap();
            fs::remove_file(folder.path(name)).unwrap();
            let mut rest = Vec::new();
            folder
                .1
                .read_leaving(leaving, |_, piece| {
                    if let Piece::Line(line) = piece {
                        rest.push(String::from_utf8_lossy(line).into_owned());
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!(rest, lines(read..10), "{name} after {read}");
            assert_eq!(folder.read(true), lines(10..20), "{name} after {read}");
        }
    }
    let folder = Folder::new();
    folder.append("notes.txt", "no log");
    assert!(Leaving::open(&folder.path("notes.txt")).unwrap().is_none());
    assert!(Leaving::open(&folder.path("2026-05-26.log")).is_err());
}
