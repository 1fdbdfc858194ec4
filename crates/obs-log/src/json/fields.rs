//! Where the values are in a line, and which of them a later field of the same name has replaced.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Range;

use crate::json::line_buf::Buffer;

/// Up to so many fields are compared one by one; among more, one is looked up by the hash of its name.
const FEW: usize = 32;
/// So many places keep their memory.
const KEPT: usize = 1 << 10;

/// A field, `,"key":value`, or the message, which has no key of its own. Small, because one is noted for each field of
/// each line; a buffer is never longer than these numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    start: u32,
    value: u32,
    end: u32,
    /// A later field has the same name.
    is_replaced: bool,
    /// So many bytes more has the value: they did not fit.
    missing: usize,
}

impl Place {
    #[inline]
    pub(crate) fn new(start: usize, value: usize, end: usize) -> Place {
        let [start, value, end] = [start, value, end].map(|at| at as u32);
        Place { start, value, end, is_replaced: false, missing: 0 }
    }

    /// `,"key":`
    fn key(&self) -> Range<usize> {
        self.start as usize..self.value as usize
    }

    /// What of the value is in the line.
    pub(crate) fn value(&self) -> Range<usize> {
        self.value as usize..self.end as usize
    }

    /// How many bytes of it are not.
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// The bytes of the whole value.
    pub(crate) fn value_bytes(&self) -> usize {
        self.value().len() + self.missing
    }
}

/// The places of a line, in its order, the message's first.
#[derive(Debug, Default)]
pub(crate) struct Places {
    all: Vec<Place>,
    replaced: usize,
    /// One bit for each key so far; most keys are new, and their bit tells it.
    bits: u64,
    /// The last place of each key among the first `indexed` places, by the key's hash.
    index: HashMap<u64, usize>,
    indexed: usize,
    #[cfg(test)]
    pub(crate) compared: std::cell::Cell<usize>,
}

impl Places {
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.replaced = 0;
        self.bits = 0;
        self.forget_index();
    }

    /// Adds the message.
    #[inline]
    pub(crate) fn add_message(&mut self, place: Place) {
        self.all.push(place);
    }

    /// Adds a field. An earlier one of the same name is replaced: the last one counts.
    #[inline]
    pub(crate) fn add(&mut self, line: &[u8], place: Place, key_bit: u64) {
        if self.bits & key_bit != 0
            && let Some(same) = self.find(line, &place)
        {
            self.all[same].is_replaced = true;
            self.replaced += 1;
        }
        self.bits |= key_bit;
        self.all.push(place);
    }

    /// The fields that have been replaced are taken out of the line.
    #[inline]
    pub(crate) fn compact(&mut self, line: &mut Buffer) {
        if self.replaced > 0 {
            self.keep(line, usize::MAX);
        }
    }

    /// Of each value at most `most` bytes stay in the line, and nothing of the fields that have been replaced.
    #[cold]
    pub(crate) fn keep(&mut self, line: &mut Buffer, most: usize) {
        let mut from = 0;
        let mut to = 0;
        for place in &mut self.all {
            let Range { start, end } = place.value();
            let kept = if place.is_replaced { place.key().start } else { start + (end - start).min(most) };
            line.copy_within(from..kept, to);
            let gap = from - to;
            to += kept - from;
            from = end;
            let missing = place.missing + (end - kept);
            let moved = Place::new(place.key().start - gap, start - gap, to);
            *place = Place { missing, is_replaced: place.is_replaced, ..moved };
        }
        line.copy_within(from..line.len(), to);
        line.truncate(line.len() - (from - to));
        self.all.retain(|place| !place.is_replaced);
        self.replaced = 0;
        self.forget_index();
    }

    /// What does not fit of the last value.
    pub(crate) fn add_missing(&mut self, bytes: usize) {
        if let Some(last) = self.all.last_mut() {
            last.missing += bytes;
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many fields count.
    pub(crate) fn fields(&self) -> usize {
        self.all.len() - self.replaced - 1
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Place> {
        self.all.iter()
    }

    #[cold]
    fn find(&mut self, line: &[u8], place: &Place) -> Option<usize> {
        let key = |place: &Place| &line[place.key()];
        let is_same = |known: &Place| {
            #[cfg(test)]
            self.compared.update(|count| count + 1);
            !known.is_replaced && key(known) == key(place)
        };
        if self.all.len() > FEW {
            while let Some(next) = self.all.get(self.indexed) {
                self.index.insert(self.index.hasher().hash_one(key(next)), self.indexed);
                self.indexed += 1;
            }
            let known = self.index.get(&self.index.hasher().hash_one(key(place)))?;
            // Two keys of one hash are for who has years to look for them; they are compared like few.
            if is_same(&self.all[*known]) {
                return Some(*known);
            }
        }
        self.all.iter().position(is_same)
    }

    #[inline]
    fn forget_index(&mut self) {
        if self.indexed > 0 {
            self.index.clear();
            self.index.shrink_to(KEPT);
            self.all.shrink_to(KEPT);
            self.indexed = 0;
        }
    }
}
