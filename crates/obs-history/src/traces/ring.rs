//! Ring of records in the mapped hand-over file, which all threads write without a lock.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use obs_trace::NameNumbers;

use super::format::{CURSOR, FLOOR, HEADER_BYTES, Layout, RING_AT, RecordHead, seal, words};
use super::map::Map;
use super::names::Names;

/// Mapped hand-over file of this process.
pub(super) struct Ring {
    map: Arc<Map>,
    layout: Layout,
    /// One less than the bytes of the ring, which are a power of two.
    mask: u64,
    pub(super) names: NameNumbers,
}

impl Ring {
    /// Takes a file whose next record has this position.
    pub(super) fn new(map: Map, layout: Layout, cursor: u64) -> Ring {
        let map = Arc::new(map);
        let names = Names::new(Arc::clone(&map), layout);
        let mask = layout.ring_bytes - 1;
        let ring = Ring { map, layout, mask, names: NameNumbers::new(move |name| names.number(name)) };
        // Relaxed: no other thread has the ring yet. A kill between these stores leaves positions that are too low, which
        // the next opening raises.
        let word = |at: usize| &ring.map.words()[at / 8];
        word(CURSOR).store(cursor, Ordering::Relaxed);
        word(FLOOR).store(cursor, Ordering::Relaxed);
        word(FLOOR + 8).store(seal(layout.key, FLOOR as u64, &cursor.to_ne_bytes()), Ordering::Relaxed);
        ring
    }

    /// Returns the position of the next record. Positions count bytes and only grow.
    pub(super) fn cursor(&self) -> u64 {
        self.map.words()[CURSOR / 8].load(Ordering::Relaxed)
    }

    /// Appends a record: room for its head, and a packed trace of `length` bytes, up to a whole word. A copy has the
    /// number of its original in its head. Returns the position after it.
    ///
    /// The record is in the memory of the system when this returns, and a kill of the process loses it no more.
    #[inline]
    pub(super) fn append(&self, record: &mut [u8], length: usize, is_copy: bool) -> u64 {
        let all = self.map.words();
        // Relaxed: it only has to give each record its own place. In the file, so that a forked child goes on from there.
        let position = all[CURSOR / 8].fetch_add(record.len() as u64, Ordering::Relaxed);
        let head = RecordHead::new(length, is_copy, &self.layout);
        let ring = &all[RING_AT / 8..];
        // A remainder, because a damaged cursor may be anything.
        let at = (position & self.mask) as usize / 8;
        record[8..16].copy_from_slice(&head.0.to_ne_bytes());
        record[16..24].copy_from_slice(&position.to_ne_bytes());
        let (_, body) = record.split_at(8);
        let check = seal(self.layout.key, 0, body);
        // From its end on at its beginning again.
        let (before, from) = ring.split_at(at);
        let (first, behind) = (&from[0], &from[1..]);
        // Relaxed, then Release: the seal comes last. A kill in between leaves no record.
        if body.len() / 8 <= behind.len() {
            behind.iter().zip(words(body)).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        } else {
            let places = behind.iter().chain(before);
            places.zip(words(body)).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        }
        first.store(check, Ordering::Release);
        position + record.len() as u64
    }

    /// Copies the bytes of the ring from a position on, as many as fit into `to` or are there before the ring's end.
    /// Returns their number.
    pub(super) fn read(&self, position: u64, to: &mut [u8]) -> usize {
        let at = position & self.mask;
        let length = (to.len() as u64).min(self.layout.ring_bytes - at) as usize / 8 * 8;
        self.copy(RING_AT + at as usize, &mut to[..length]);
        length
    }

    /// Copies the names.
    pub(super) fn read_names(&self, to: &mut [u8]) {
        self.copy(HEADER_BYTES, to);
    }

    fn copy(&self, at: usize, to: &mut [u8]) {
        let (words, _) = to.as_chunks_mut::<8>();
        // Relaxed: a record that is being written has no right seal yet, or will be copied again.
        for (word, place) in words.iter_mut().zip(&self.map.words()[at / 8..]) {
            *word = place.load(Ordering::Relaxed).to_ne_bytes();
        }
        // Acquire: what is read here was stored before what the caller reads next.
        fence(Ordering::Acquire);
    }
}
