//! Recently used series of a thread. A look-up by label values then touches no memory that other threads write.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::LocalKey;

use super::series::Series;
use crate::cell::Cell;
use crate::cell::counter::CounterCell;
use crate::cell::gauge::GaugeCell;
use crate::cell::histogram::HistogramCell;
use crate::cell::summary::SummaryCell;

/// Places of a cache. A thread uses at most a few hundred series of a kind at a time. 256 places of 48 bytes take 12 KiB,
/// which a first-level cache holds beside other data.
const PLACES: usize = 256;

/// Places at which a series may be: enough that a few keys with the same hash do not displace each other.
const WAYS: usize = 4;

/// Labels whose values the cache compares itself, if they are short.
const LABELS: usize = 2;

/// Maximum length in bytes of a value that the cache compares itself: two words.
const SHORT: usize = 16;

/// Cell with a cache in each thread.
pub trait Cached: Cell {
    /// Returns the cache of the current thread.
    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>>;
}

macro_rules! cached {
    ($($cell:ident: $cache:ident),*) => {
        thread_local! {
            $(static $cache: RefCell<Cache<$cell>> = const { RefCell::new(Cache::new()) };)*
        }

        $(impl Cached for $cell {
            fn cache() -> &'static LocalKey<RefCell<Cache<Self>>> {
                &$cache
            }
        })*
    };
}

cached!(CounterCell: COUNTERS, GaugeCell: GAUGES, HistogramCell: HISTOGRAMS, SummaryCell: SUMMARIES);

/// Table in which a series is at one of four places, or absent.
///
/// It keeps at most 256 series alive, and a removed series until its place is taken.
#[derive(Debug)]
pub struct Cache<C> {
    /// Allocated on first use: most threads record in families of one or two kinds.
    places: Option<Box<Places<C>>>,
}

/// An array and not a slice: its length is known, so that no place is checked against it.
type Places<C> = [Option<Entry<C>>; PLACES];

#[derive(Debug)]
struct Entry<C> {
    key: Key,
    series: Arc<Series<C>>,
}

/// Family and label values as words. Making, hashing and comparing a key takes no loop over bytes and no call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    words: [[u64; 2]; LABELS],
    /// One byte for the length of each value, above them the number of the family, in the top bit [`INEXACT`].
    tag: u64,
}

/// Flag of a key that may equal the key of other values, because a value is long or there are too many labels.
const INEXACT: u64 = 1 << 63;

/// Random numbers of a family, so that a peer cannot choose values that share a place.
#[derive(Debug)]
pub(crate) struct Seeds(pub(crate) [u64; LABELS]);

impl Key {
    #[inline(always)]
    pub(crate) fn new(family_id: u64, values: &[&str]) -> Self {
        let exactness = if values.len() <= LABELS { 0 } else { INEXACT };
        let mut key = Self { words: [[0; 2]; LABELS], tag: family_id << (8 * LABELS) | exactness };
        for (index, value) in values.iter().take(LABELS).enumerate() {
            let value = value.as_bytes();
            key.words[index] = words(value);
            key.tag |= if value.len() <= SHORT { (value.len() as u64) << (8 * index) } else { INEXACT };
        }
        key
    }

    #[inline(always)]
    fn equals(&self, other: &Self) -> bool {
        // Word by word: a wider comparison would wait until the words of the new key have been stored to memory.
        let words = self.words.as_flattened().iter().zip(other.words.as_flattened());
        words.fold(self.tag ^ other.tag, |differences, (one, other)| differences | (one ^ other)) == 0
    }

    #[inline(always)]
    fn place(&self, seeds: &Seeds) -> usize {
        // The folded product of seeded words spreads all bits of a key and costs two multiplications.
        let mut place = self.tag;
        for ([first, last], seed) in self.words.iter().zip(seeds.0) {
            let product = u128::from(first ^ seed) * u128::from(last ^ seed.rotate_left(32));
            place = place.rotate_left(17) ^ product as u64 ^ (product >> 64) as u64;
        }
        place as usize % PLACES
    }
}

/// Returns the first and the last eight bytes of a text. Together with the length they determine a text of up to 16 bytes.
#[inline(always)]
fn words(text: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)];
    }
    // 4 to 7 bytes: the two halves overlap.
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
        Self { places: None }
    }

    #[inline(always)]
    pub(crate) fn get(&self, key: &Key, seeds: &Seeds, values: &[&str]) -> Option<&Arc<Series<C>>> {
        let places = self.places.as_deref()?;
        let place = key.place(seeds);
        let at = |place: usize| {
            let Entry { key: own, series } = places[place].as_ref()?;
            let matches = own.equals(key) && (key.tag & INEXACT == 0 || series.has(values));
            (matches && series.is_listed()).then_some(series)
        };
        // Exclusive or keeps the ways of a place among each other, so `put` and `get` visit the same places.
        (0..WAYS).find_map(|way| at(place ^ way))
    }

    /// Puts a series at its first place. The series there moves to its next place, and the one at the last place is
    /// forgotten.
    pub(crate) fn put(&mut self, key: Key, seeds: &Seeds, series: &Arc<Series<C>>) {
        let places = self.places.get_or_insert_with(|| Box::new([const { None }; PLACES]));
        let place = key.place(seeds);
        let mut moved = Some(Entry { key, series: series.clone() });
        for way in 0..WAYS {
            moved = std::mem::replace(&mut places[place ^ way], moved);
            if moved.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_keys_differ_where_any_byte_does() {
        for len in 0..=SHORT {
            let text = "a".repeat(len);
            let key = Key::new(7, &[&text, "x"]);
            let is_key_of = |values: [&str; 2]| key.equals(&Key::new(7, &values));
            assert!(key.tag & INEXACT == 0 && is_key_of([&text.clone(), "x"]));
            assert!(!is_key_of([&format!("{text}\0"), "x"]));
            assert!(!is_key_of([&text, "xx"]) && (text == "x" || !is_key_of(["x", &text])));
            for at in 0..len {
                let mut other = text.clone().into_bytes();
                other[at] = b'b';
                let other = String::from_utf8(other).unwrap();
                assert!(!is_key_of([&other, "x"]), "{other}");
            }
        }
        assert!(Key::new(7, &[&"a".repeat(SHORT + 1)]).tag & INEXACT != 0);
        assert!(!Key::new(7, &["a"]).equals(&Key::new(8, &["a"])));
        assert!(Key::new(7, &["a", "b", "c"]).tag & INEXACT != 0);
    }
}
