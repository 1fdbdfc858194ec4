//! Bounds of the mapped memory, up to the last byte, and the hand-over files of a folder.
//!
//! Tests that need no file run under Miri too.

use super::*;
use crate::files::open::FilePosition;
use crate::journal::chunk::{Chunk, SHORT_BYTES};
use crate::journal::format::{MARK_BYTES, MAX_PIECES, Piece};
use crate::limits::CHUNK_BYTES;
use std::sync::atomic::Ordering;

const LINE: usize = if cfg!(miri) { 8 << 10 } else { 100 };

fn chunk() -> Chunk {
    Arena::in_memory(CHUNK_BYTES).unwrap().into_chunks().remove(0)
}

#[test]
fn a_full_chunk_returns_every_line_and_none_once_cleared() {
    let mut chunk = chunk();
    for round in 0..2 {
        let line = |at: usize| vec![(at + round) as u8; LINE + at % 7];
        let mut lines = 0;
        while chunk.has_room(line(lines).len()) {
            chunk.push(lines as i64, &line(lines));
            lines += 1;
        }
        // A last line takes the remaining bytes.
        let left = chunk.capacity - chunk.bytes - (lines + 1) * MARK_BYTES;
        chunk.push(0, &vec![b'e'; left]);
        assert!(!chunk.has_room(0));
        assert_eq!((chunk.lines(), chunk.bytes(chunk.range(lines))), (lines + 1, &vec![b'e'; left][..]));
        for at in 0..lines {
            assert_eq!((chunk.nanos(at), chunk.bytes(chunk.range(at))), (at as i64, &line(at)[..]));
        }
        chunk.clear();
        assert_eq!((chunk.lines(), chunk.line_bytes(), chunk.drained()), (0, 0, 0));
    }
}

#[test]
fn short_lines_are_copied_in_one_step_while_there_is_room_for_it() {
    let mut chunk = chunk();
    let line = |at: usize| [at as u8; SHORT_BYTES];
    let length = |at: usize| if cfg!(miri) { SHORT_BYTES } else { at % (SHORT_BYTES + 1) };
    let mut lines = 0;
    while chunk.push_short(lines as i64, &line(lines), length(lines)) {
        lines += 1;
    }
    assert!(!chunk.has_room(SHORT_BYTES) && chunk.has_room(0));
    // Another one does not need the whole step.
    chunk.push(0, b"l");
    assert_eq!(chunk.bytes(chunk.range(lines)), b"l");
    for at in 0..lines {
        assert_eq!((chunk.nanos(at), chunk.bytes(chunk.range(at))), (at as i64, &line(at)[..length(at)]));
    }
}

#[test]
fn an_intent_reads_back_until_it_is_settled() {
    let arena = Arena::in_memory(CHUNK_BYTES).unwrap();
    assert_eq!(arena.intent(), None);
    let position = FilePosition { device: 1, inode: u64::MAX, offset: 3 };
    let pieces = [Piece { chunk: 65_535, lines: 0..1 }, Piece { chunk: 0, lines: 7..(1 << 24) - 1 }];
    arena.intend(position, pieces.clone().into_iter());
    assert_eq!(arena.intent(), Some((position, pieces.to_vec())));
    arena.settle();
    assert_eq!(arena.intent(), None);
    arena.intend(position, std::iter::repeat_n(pieces[0].clone(), MAX_PIECES + 1));
    assert_eq!(arena.intent().unwrap().1.len(), MAX_PIECES);
}

/// Whatever words an adopted file contains, no line reaches outside of its chunk.
#[test]
fn any_words_in_a_chunk_are_read_as_lines_inside_of_it() {
    let numbers = [0, 1, 7, 4096, CHUNK_BYTES as u64 - 1, CHUNK_BYTES as u64, u64::MAX - 15, u64::MAX];
    for lines in numbers {
        for end in numbers {
            let arena = Arena::in_memory(2 * CHUNK_BYTES).unwrap();
            let start = arena.start(1);
            arena.header(start).committed.store(lines, Ordering::Relaxed);
            arena.header(start).drained.store(end, Ordering::Relaxed);
            for mark in 1..=8 {
                // The second word of a mark is the end of its line.
                let at = start + arena.layout.chunk_bytes - mark * MARK_BYTES + 8;
                arena.word(at).store(end.wrapping_mul(mark as u64), Ordering::Relaxed);
            }
            let chunk = arena.into_chunks().remove(1);
            let bytes: usize = (0..chunk.lines().min(9)).map(|at| chunk.bytes(chunk.range(at)).len()).sum();
            assert!(bytes <= 9 * chunk.capacity && chunk.drained() <= chunk.lines());
        }
    }
}

#[cfg_attr(miri, ignore = "needs a file system")]
#[test]
fn a_file_that_cannot_be_mapped_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = 1 << 20;
    let mut file = HandoverFile::create(dir.path(), arena::file_bytes(bytes)).unwrap();
    // The operating system maps no file that is not open for reading.
    file.file = fs::OpenOptions::new().write(true).open(file.path()).unwrap();
    let refused = Arena::in_file(file, bytes).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
}

#[cfg_attr(miri, ignore = "needs a file system")]
#[test]
fn a_second_process_or_pipeline_gets_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = [(), ()].map(|()| create(dir.path(), 1 << 20).unwrap());
    assert_ne!(first.file().unwrap().path(), second.file().unwrap().path());
    assert!(left_behind(dir.path()).is_empty(), "both are held");
    drop((first, second));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
