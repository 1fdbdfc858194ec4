//! One series of a family: its label values, its cell, and whether the family lists it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use crate::cell::sync::atomic::{AtomicU8, Ordering};
use crate::cell::{Cell, Observed};

// States of a series.

/// On the page. Writes go to the cell at once.
const LISTED: u8 = 0;
/// Listed by a registry that is switched off. Writes do nothing.
const OFF: u8 = 1;
/// Removed from its family. A write by a held handle lists it again.
const UNLISTED: u8 = 2;

/// Series with its cell.
///
/// The alignment keeps the reference count of the `Arc`, which `clone` writes, off the cache lines here. The cell keeps
/// what it writes on lines of its own. The other fields are read at every write, and no recording thread writes them.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Series<C> {
    state: AtomicU8,
    pub(crate) values: Box<[Box<str>]>,
    family: Weak<dyn Home<C>>,
    pub(crate) cell: C,
}

/// Family of a series, as the series sees it.
pub(crate) trait Home<C>: Send + Sync {
    /// Whether the registry of the family is switched on.
    fn is_enabled(&self) -> bool;

    /// Counts an observation of NaN.
    fn count_nan(&self);

    /// Lists a removed series again, with what it held. If another series has its labels by now, returns that one.
    fn list_again(self: Arc<Self>, series: &Arc<Series<C>>) -> Arc<Series<C>>;

    /// Runs `f` on the cell while the series is listed. Lists it again if it is not. Returns the series that is listed.
    fn while_listed(self: Arc<Self>, series: &Arc<Series<C>>, f: &dyn Fn(&C)) -> Arc<Series<C>>;

    /// Removes a listed series if `decide` says so. `decide` runs under the lock of the table.
    fn remove_if(&self, series: &Arc<Series<C>>, decide: Decide<'_, C>);
}

/// Decides on the removal of a series by its cell. The second argument tells whether the labels are trusted.
pub(crate) type Decide<'a, C> = &'a dyn Fn(&C, &dyn Fn() -> bool) -> Option<Removal>;

/// Way in which a series is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Whatever is written at the same time.
    Final,
    /// A value that is written at the same time lists the series again.
    UnlessWritten,
}

impl<C: Cell> Series<C> {
    pub(crate) fn new(family: Weak<dyn Home<C>>, cell: C, values: &[&str]) -> Self {
        Self {
            state: AtomicU8::new(LISTED),
            values: values.iter().map(|value| Box::from(*value)).collect(),
            family,
            cell,
        }
    }

    pub(crate) fn has(&self, values: &[&str]) -> bool {
        self.values.iter().map(|value| &**value).eq(values.iter().copied())
    }

    /// Returns the family, unless it was dropped.
    pub(crate) fn family(&self) -> Option<Arc<dyn Home<C>>> {
        self.family.upgrade()
    }

    #[inline]
    pub(crate) fn is_listed(&self) -> bool {
        // Relaxed: the lock of the table orders changes for those who hold it. Others may use a removed series once more.
        self.state.load(Ordering::Relaxed) != UNLISTED
    }

    pub(crate) fn is_off(&self) -> bool {
        // Relaxed: see `is_listed`.
        self.state.load(Ordering::Relaxed) == OFF
    }

    /// Lists the series, switched on or off. The caller holds the lock of the table.
    pub(crate) fn set_enabled(&self, enabled: bool) {
        // Relaxed: the state guards no data. A write on another thread may use the previous state for a moment.
        self.state.store(if enabled { LISTED } else { OFF }, Ordering::Relaxed);
    }

    /// Marks the series as removed. The caller holds the lock of the table.
    pub(crate) fn unlist(&self) {
        // Relaxed: see `set_enabled`.
        self.state.store(UNLISTED, Ordering::Relaxed);
    }

    /// Runs `op` on the cell of the listed series.
    #[inline]
    pub(crate) fn write(self: &Arc<Self>, op: impl FnOnce(&C)) {
        // Relaxed: see `is_listed`.
        let state = self.state.load(Ordering::Relaxed);
        // Checked first, so that a switched-off registry costs one branch.
        if state == OFF {
            return;
        }
        if state == LISTED { op(&self.cell) } else { self.write_unlisted(op) }
    }

    /// Lists a removed series again and runs `op` on it. If its labels have another series by now, that one gets the
    /// write. Without its family it cannot be listed, but its cell continues to count.
    ///
    /// Takes `op` by value, so that `write` can keep what `op` captures in registers.
    #[cold]
    #[inline(never)]
    fn write_unlisted(self: &Arc<Self>, op: impl FnOnce(&C)) {
        match self.family() {
            Some(family) if !family.is_enabled() => {}
            Some(family) => op(&family.list_again(self).cell),
            None => op(&self.cell),
        }
    }

    /// Counts an observation of NaN. It would make the sum of the series NaN, so it is left out and counted apart.
    #[cold]
    pub(crate) fn count_nan(&self) {
        if let Some(family) = self.family()
            && family.is_enabled()
        {
            family.count_nan();
        }
    }
}

impl<C: Observed> Series<C> {
    /// Records a value. NaN is counted apart.
    #[inline]
    pub(crate) fn observe(self: &Arc<Self>, value: f64) {
        if value.is_nan() {
            return self.count_nan();
        }
        self.write(move |cell| cell.observe(value));
    }
}

/// Adds one to a counter of losses.
pub(crate) fn count(counter: &AtomicU64) {
    // Relaxed: the number stands alone.
    counter.fetch_add(1, Ordering::Relaxed);
}
