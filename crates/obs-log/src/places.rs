//! Where the values are in a line, and which of them a later field of the same name has replaced.

use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::buffer::Buffer;

/// Up to so many fields are compared one by one; among more, one is looked up by the hash of its name.
const FEW: usize = 32;
/// Room in the index that a thread keeps.
const KEPT: usize = 1 << 10;

/// A field, `,"key":value`, or the message, which has no key of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) value: usize,
    pub(crate) end: usize,
    /// A later field has the same name.
    pub(crate) is_replaced: bool,
}

/// The places of a line, in its order.
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
            self.remove_replaced(line);
        }
    }

    /// Those that count.
    pub(crate) fn len(&self) -> usize {
        self.all.len() - self.replaced
    }

    pub(crate) fn last(&self) -> Option<&Place> {
        self.all.last()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Place> {
        self.all.iter()
    }

    fn find(&mut self, line: &[u8], place: &Place) -> Option<usize> {
        let key = |place: &Place| &line[place.start..place.value];
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

    #[cold]
    fn remove_replaced(&mut self, line: &mut Buffer) {
        let mut from = 0;
        let mut to = 0;
        for place in &mut self.all {
            let kept = if place.is_replaced { place.start } else { place.end };
            line.copy_within(from..kept, to);
            let gap = from - to;
            to += kept - from;
            from = place.end;
            (place.start, place.value, place.end) = (place.start - gap, place.value - gap, place.end - gap);
        }
        line.copy_within(from..line.len(), to);
        line.truncate(line.len() - (from - to));
        self.all.retain(|place| !place.is_replaced);
        self.replaced = 0;
        self.forget_index();
    }

    #[inline]
    fn forget_index(&mut self) {
        if self.indexed > 0 {
            self.index.clear();
            self.index.shrink_to(KEPT);
            self.indexed = 0;
        }
    }
}
