//! Names of spans in the file, so that a record has a number in the place of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::format::{HEADER_BYTES, Layout, NAME_BYTES, NAMES, seal, words};
use super::map::Map;

/// Number of a name that has no place, because all are taken or the name was damaged.
const NO_NUMBER: u16 = u16::MAX;
/// Words of a place.
const WORDS: usize = NAME_BYTES / 8;
/// Bytes of a name that are kept: those of a place behind its seal and its length.
const MAX_NAME: usize = NAME_BYTES - 9;

/// Names in the file of this process.
pub(super) struct Names {
    map: Arc<Map>,
    layout: Layout,
    // Taken at the first use of a name by the process, and when names are written to the disk.
    known: Mutex<Known>,
}

struct Known {
    numbers: HashMap<Box<str>, u16>,
    next: usize,
}

impl Names {
    /// Reads the names that are there.
    pub(super) fn new(map: Arc<Map>, layout: Layout) -> Names {
        // Relaxed: no other thread has the mapping yet.
        let bytes = |number: usize| -> Vec<u8> {
            place(&map, number).iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect()
        };
        let read = |number: usize| Some((read(layout, number, &bytes(number))?, number as u16));
        let numbers: HashMap<_, _> = (1..NAMES).filter_map(read).collect();
        let next = numbers.values().max().map_or(1, |last| usize::from(*last) + 1);
        Names { map, layout, known: Mutex::new(Known { numbers, next }) }
    }

    /// Returns the number of places up to the last one that is in use.
    pub(super) fn places(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    /// Returns the number of a name, and gives it one if there is room.
    pub(super) fn number(&self, name: &str) -> u16 {
        let name = &name[..name.floor_char_boundary(MAX_NAME)];
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(name) {
            return *number;
        }
        if known.next >= NAMES {
            return NO_NUMBER;
        }
        let number = known.next;
        known.next += 1;
        known.numbers.insert(name.into(), number as u16);
        let mut bytes = [0; NAME_BYTES];
        bytes[8] = name.len() as u8;
        bytes[9..9 + name.len()].copy_from_slice(name.as_bytes());
        let place = place(&self.map, number);
        // Relaxed, then Release: the name is there when its seal is. The record that has its number follows.
        place[1..].iter().zip(words(&bytes[8..])).for_each(|(to, word)| to.store(word, Ordering::Relaxed));
        place[0].store(seal(self.layout.key, number as u64, &bytes[8..]), Ordering::Release);
        number as u16
    }
}

fn place(map: &Map, number: usize) -> &[AtomicU64] {
    &map.words()[HEADER_BYTES / 8 + number * WORDS..][..WORDS]
}

/// Reads the names of a file from the bytes of all places.
pub(super) fn read_all(layout: Layout, bytes: &[u8]) -> Vec<Option<Box<str>>> {
    let places = bytes.chunks(NAME_BYTES).enumerate();
    places.map(|(number, bytes)| read(layout, number, bytes)).collect()
}

fn read(layout: Layout, number: usize, place: &[u8]) -> Option<Box<str>> {
    let (check, bytes) = place.split_first_chunk::<8>()?;
    if place.len() != NAME_BYTES || u64::from_ne_bytes(*check) != seal(layout.key, number as u64, bytes) {
        return None;
    }
    let text = bytes.get(1..1 + usize::from(bytes[0]))?;
    std::str::from_utf8(text).ok().map(Box::from)
}
