//! Each thread's recently used series, so that a look-up by label values touches no memory that other threads write.

use std::sync::Arc;

use crate::series::{Cell, Series};

const SLOTS: usize = 256;

/// A direct-mapped table: a series sits at its hash or nowhere. It keeps at most 256 series alive, a removed one until its
/// place is taken.
#[derive(Debug)]
pub struct Cache<C> {
    slots: Vec<Option<Arc<Series<C>>>>,
}

impl<C: Cell> Cache<C> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    #[inline]
    pub(crate) fn get(&self, hash: u64, family_id: u64, values: &[&str]) -> Option<&Arc<Series<C>>> {
        let series = self.slots.get(place(hash))?.as_ref()?;
        (series.is(family_id, values) && series.is_listed()).then_some(series)
    }

    pub(crate) fn put(&mut self, hash: u64, series: &Arc<Series<C>>) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        self.slots[place(hash)] = Some(series.clone());
    }
}

#[inline]
fn place(hash: u64) -> usize {
    (hash >> 24) as usize % SLOTS
}
