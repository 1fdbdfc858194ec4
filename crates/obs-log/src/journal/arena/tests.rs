//! The places that the unsafe code touches, up to the last byte; these run under Miri too.

use super::*;

const LINE: usize = if cfg!(miri) { 8 << 10 } else { 100 };

fn chunk() -> Chunk {
    Arena::in_memory(CHUNK_BYTES).unwrap().into_chunks().remove(0)
}

#[test]
fn a_full_chunk_gives_every_line_back_and_none_after_it_is_cleared() {
    let mut chunk = chunk();
    for round in 0..2 {
        let line = |at: usize| vec![(at + round) as u8; LINE + at % 7];
        let mut lines = 0;
        while chunk.has_room(line(lines).len()) {
            chunk.push(lines as i64, &line(lines));
            lines += 1;
        }
        // And the last bytes that there are.
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
fn l10_an_intent_reads_as_it_was_noted_until_it_is_settled() {
    let arena = Arena::in_memory(CHUNK_BYTES).unwrap();
    assert_eq!(arena.intent(), None);
    let place = Place { device: 1, inode: u64::MAX, offset: 3 };
    let pieces = [Piece { chunk: 65_535, lines: 0..1 }, Piece { chunk: 0, lines: 7..(1 << 24) - 1 }];
    arena.intend(place, pieces.clone().into_iter());
    assert_eq!(arena.intent(), Some((place, pieces.to_vec())));
    arena.settle();
    assert_eq!(arena.intent(), None);
    arena.intend(place, std::iter::repeat_n(pieces[0].clone(), MAX_SEGMENTS + 1));
    assert_eq!(arena.intent().unwrap().1.len(), MAX_SEGMENTS);
}

/// R1: whatever words are in a file that is taken over, nothing outside of a chunk is named.
#[test]
fn r1_any_words_in_a_chunk_are_read_as_lines_inside_of_it() {
    let numbers = [0, 1, 7, 4096, CHUNK_BYTES as u64 - 1, CHUNK_BYTES as u64, u64::MAX - 15, u64::MAX];
    for lines in numbers {
        for end in numbers {
            let arena = Arena::in_memory(2 * CHUNK_BYTES).unwrap();
            let start = arena.start(1);
            arena.header(start).committed.store(lines, Ordering::Relaxed);
            arena.header(start).drained.store(end, Ordering::Relaxed);
            for mark in 1..=8 {
                // The end is the second word of a mark.
                let at = start + arena.chunk_bytes - mark * MARK_BYTES + 8;
                arena.word(at).store(end.wrapping_mul(mark as u64), Ordering::Relaxed);
            }
            let chunk = arena.into_chunks().remove(1);
            let bytes: usize = (0..chunk.lines().min(9)).map(|at| chunk.bytes(chunk.range(at)).len()).sum();
            assert!(bytes <= 9 * chunk.capacity && chunk.drained() <= chunk.lines());
        }
    }
}
