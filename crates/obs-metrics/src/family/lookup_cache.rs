//! Each thread's recently used series, so that a look-up by label values touches no memory that other threads write.

use std::sync::Arc;

use crate::family::series::{Cell, Series};

const PLACES: usize = 256;
/// How many places a series may sit at.
const WAYS: usize = 4;

/// Labels whose values are compared in the cache itself, if they are short.
const LABELS: usize = 2;
const SHORT: usize = 16;

/// A table in which a series sits at one of four places, or nowhere. It keeps at most 256 series alive, a removed one until
/// its place is taken.
#[derive(Debug)]
pub struct Cache<C> {
    places: Vec<Option<Kept<C>>>,
}

#[derive(Debug)]
struct Kept<C> {
    key: Key,
    series: Arc<Series<C>>,
}

/// A family and label values as words, made without a loop or a call: quick to hash, quick to compare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    words: [[u64; 2]; LABELS],
    /// A byte for the length of each value, above them the family's number, on top [`INEXACT`].
    of: u64,
}

/// Set where equal keys may have different values: some are long, or there are too many.
const INEXACT: u64 = 1 << 63;

/// Chosen at random for each family, so that a peer cannot aim at a place.
#[derive(Debug)]
pub(crate) struct Seeds(pub(crate) [u64; LABELS]);

impl Key {
    #[inline(always)]
    pub(crate) fn new(family_id: u64, values: &[&str]) -> Self {
        let exactness = if values.len() <= LABELS { 0 } else { INEXACT };
        let mut key = Self { words: [[0; 2]; LABELS], of: family_id << (8 * LABELS) | exactness };
        for (index, value) in values.iter().take(LABELS).enumerate() {
            let value = value.as_bytes();
            key.words[index] = words(value);
            key.of |= if value.len() <= SHORT { (value.len() as u64) << (8 * index) } else { INEXACT };
        }
        key
    }

    /// Word by word: a comparison of more at once would have to wait until the words are in memory.
    #[inline(always)]
    fn equals(&self, other: &Self) -> bool {
        let words = self.words.as_flattened().iter().zip(other.words.as_flattened());
        words.fold(self.of ^ other.of, |differences, (one, other)| differences | (one ^ other)) == 0
    }

    #[inline(always)]
    fn place(&self, seeds: &Seeds) -> usize {
        let mut place = self.of;
        for ([first, last], seed) in self.words.iter().zip(seeds.0) {
            let product = u128::from(first ^ seed) * u128::from(last ^ seed.rotate_left(32));
            place = place.rotate_left(17) ^ product as u64 ^ (product >> 64) as u64;
        }
        place as usize % PLACES
    }
}

/// The first and the last eight bytes; of a text of up to 16 bytes that is all of it, of a longer one a hint.
#[inline(always)]
fn words(text: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u32::from_ne_bytes(*first).into(), u32::from_ne_bytes(*last).into()];
    }
    match text {
        [] => [0; 2],
        [first, .., last] => [u64::from(*first) << 8 | u64::from(text[text.len() / 2]), (*last).into()],
        [only] => [(*only).into(); 2],
    }
}

impl<C: Cell> Cache<C> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn get(&self, key: &Key, seeds: &Seeds, values: &[&str]) -> Option<&Arc<Series<C>>> {
        let place = key.place(seeds);
        let at = |place: usize| {
            let Kept { key: own, series } = self.places.get(place)?.as_ref()?;
            let is_it = own.equals(key) && (key.of & INEXACT == 0 || series.has(values));
            (is_it && series.is_listed()).then_some(series)
        };
        (0..WAYS).find_map(|way| at(place ^ way))
    }

    /// Puts a series at its first place; what was there moves on, and what was at the last is forgotten.
    pub(crate) fn put(&mut self, key: Key, seeds: &Seeds, series: &Arc<Series<C>>) {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        let place = key.place(seeds);
        let mut kept = Some(Kept { key, series: series.clone() });
        for way in 0..WAYS {
            kept = std::mem::replace(&mut self.places[place ^ way], kept);
            if kept.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that are exact are equal for equal values alone.
    #[test]
    fn exact_keys_differ_where_any_byte_does() {
        for len in 0..=SHORT {
            let text = "a".repeat(len);
            let key = Key::new(7, &[&text, "x"]);
            let is_key_of = |values: [&str; 2]| key.equals(&Key::new(7, &values));
            assert!(key.of & INEXACT == 0 && is_key_of([&text.clone(), "x"]));
            assert!(!is_key_of([&format!("{text}\0"), "x"]));
            assert!(!is_key_of([&text, "xx"]) && (text == "x" || !is_key_of(["x", &text])));
            for at in 0..len {
                let mut other = text.clone().into_bytes();
                other[at] = b'b';
                let other = String::from_utf8(other).unwrap();
                assert!(!is_key_of([&other, "x"]), "{other}");
            }
        }
        assert!(Key::new(7, &[&"a".repeat(SHORT + 1)]).of & INEXACT != 0);
        assert!(!Key::new(7, &["a"]).equals(&Key::new(8, &["a"])));
        assert!(Key::new(7, &["a", "b", "c"]).of & INEXACT != 0);
    }
}
