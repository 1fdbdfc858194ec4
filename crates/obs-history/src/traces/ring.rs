//! Ring of records in the mapped hand-over file, which all threads write without a lock.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use obs_trace::NameNumbers;

use super::format::{
    CURSOR, FLOOR, HEADER_BYTES, Layout, NAME_BYTES, RING_AT, RecordHead, seal, seal_of_each,
};
use super::map::Map;
use super::names::Names;

/// Size of the smallest pages.
const PAGE_BYTES: usize = 4096;

/// Mapped hand-over file of this process.
pub(super) struct Ring {
    map: Arc<Map>,
    layout: Layout,
    /// One less than the bytes of the ring, which are a power of two.
    mask: u64,
    known: Arc<Names>,
    pub(super) names: NameNumbers,
}

impl Ring {
    /// Takes a file whose next record has this position.
    pub(super) fn new(map: Map, layout: Layout, cursor: u64) -> Ring {
        let map = Arc::new(map);
        let known = Arc::new(Names::new(Arc::clone(&map), layout));
        let names = Arc::clone(&known);
        let mask = layout.ring_bytes - 1;
        let ring = Ring { map, layout, mask, known, names: NameNumbers::new(move |name| names.number(name)) };
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

    /// Touches the next `bytes` of the ring, because the first touch of a page costs as much as some traces.
    pub(super) fn provide(&self, bytes: u64) {
        let ring = &self.map.words()[RING_AT / 8..];
        let at = (self.cursor() & self.mask) as usize / 8;
        let count = (bytes.min(self.layout.ring_bytes) / 8) as usize;
        for word in ring[at..].iter().chain(ring).take(count).step_by(PAGE_BYTES / 8) {
            black_box(word.load(Ordering::Relaxed));
        }
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
        // From its end on at its beginning again.
        let (before, from) = ring.split_at(at);
        let (first, behind) = (&from[0], &from[1..]);
        // Relaxed, then Release: the seal comes last. A kill in between leaves no record.
        let check = seal_of_each(self.layout.key, 0, body, |number, word| {
            let place = behind.get(number).or_else(|| before.get(number - behind.len()));
            place.into_iter().for_each(|place| place.store(word, Ordering::Relaxed));
        });
        first.store(check, Ordering::Release);
        position + record.len() as u64
    }

    /// Writes the bytes of the ring from a position on to the place `to` of a file, `length` of them or as many as are there
    /// before the ring's end. Returns their number. A record that is being stored has no right seal yet.
    pub(super) fn write_to(&self, position: u64, length: u64, file: &File, to: u64) -> io::Result<u64> {
        let at = position & self.mask;
        let length = length.min(self.layout.ring_bytes - at);
        let from = RING_AT + at as usize;
        self.map.write_to(from..from + length as usize, file, to)?;
        Ok(length)
    }

    /// Returns the places of the names that are in use.
    pub(super) fn names_in_use(&self) -> Vec<u8> {
        let mut places = vec![0; self.known.places() * NAME_BYTES];
        let (words, _) = places.as_chunks_mut::<8>();
        // Relaxed: a name that is being stored has no right seal yet. No record has its number.
        for (word, place) in words.iter_mut().zip(&self.map.words()[HEADER_BYTES / 8..]) {
            *word = place.load(Ordering::Relaxed).to_ne_bytes();
        }
        // Acquire: what is read here was stored before what the caller reads next.
        fence(Ordering::Acquire);
        places
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::path::Path;

    use super::*;

    /// Returns the KiB of the mapped file that are part of this process.
    fn resident_kib(path: &Path) -> u64 {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let of_file = maps.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap()));
        let resident = of_file.skip(1).find_map(|line| line.strip_prefix("Rss:")).unwrap();
        resident.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn a_ring_takes_its_memory_when_it_is_provided() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("handover");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        let layout = Layout::for_bytes(32 << 20, [3, 4]).of_handover();
        file.set_len(layout.file_bytes()).unwrap();
        let ring = Ring::new(Map::of(&file, layout.file_bytes() as usize).unwrap(), layout, 4096);
        let all = layout.ring_bytes / 1024;
        assert!(resident_kib(&path) < all / 2, "{}", resident_kib(&path));
        ring.provide(u64::MAX);
        assert!(resident_kib(&path) >= all, "{}", resident_kib(&path));
        assert_eq!(ring.cursor(), 4096, "nothing was written");
    }
}
