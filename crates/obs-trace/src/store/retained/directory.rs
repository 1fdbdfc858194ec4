//! Directory of capabilities: group and threshold of each, to be read without a lock.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::quality::RandomState;
use smol_str::SmolStr;

use super::group::{Threshold, nanos};
use crate::TraceRecord;
use crate::sync::atomic::Ordering;

/// Group and threshold of each capability, to be read without a lock.
///
/// Each reserved capability has its own group. Until a reservation excludes others, the first names that occur get a
/// group each, so that names which peers make up later do not replace them.
pub(super) struct Directory {
    pub(super) seen: Table,
    pub(super) reserved: OnceLock<Table>,
    others: Threshold,
}

/// Hash table with open addressing. Entries are never removed, so slots that are written once suffice. The hash is keyed at
/// random, so that a peer can hardly choose names that collide. If it did, a search would still end after the entries of one
/// table.
pub(super) struct Table {
    slots: Box<[OnceLock<Entry>]>,
    /// Not the standard library's, which took a seventh of the time of a trace.
    hasher: RandomState,
}

pub(super) struct Entry {
    pub(super) capability: SmolStr,
    pub(super) group: usize,
    pub(super) threshold: Threshold,
}

/// Group of all capabilities without their own.
pub(super) const OTHERS: usize = 0;

/// Maximum number of reserved capabilities. They are the program's own and those of peers that its owner has named, so a
/// thousand is ample.
pub(in crate::store) const MAX_RESERVED: usize = 1024;

impl Directory {
    pub(super) fn new(capabilities: usize, others: Threshold) -> Directory {
        Directory { seen: Table::new(capabilities), reserved: OnceLock::new(), others }
    }

    pub(super) fn wants(&self, record: &TraceRecord) -> bool {
        let threshold = self.find(record.capability()).map_or(&self.others, |entry| &entry.threshold);
        // Relaxed: a hint. `push_slow` compares again under the lock.
        nanos(record) >= threshold.load(Ordering::Relaxed)
    }

    pub(super) fn find(&self, capability: &str) -> Option<&Entry> {
        let reserved = self.reserved.get().and_then(|table| table.slot(capability).get());
        reserved.or_else(|| self.seen.slot(capability).get())
    }
}

impl Table {
    pub(super) fn new(capabilities: usize) -> Table {
        // At most half full, so that a search ends after one or two steps.
        let slots = (2 * capabilities).next_power_of_two();
        Table { slots: (0..slots).map(|_| OnceLock::new()).collect(), hasher: RandomState::default() }
    }

    /// Returns the slot of a capability, or the free slot where it would be inserted.
    pub(super) fn slot(&self, capability: &str) -> &OnceLock<Entry> {
        // The number of slots is a power of two.
        let last = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(capability) as usize & last;
        while self.slots[slot].get().is_some_and(|entry| entry.capability != capability) {
            slot = (slot + 1) & last;
        }
        &self.slots[slot]
    }
}
