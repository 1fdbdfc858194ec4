//! One series of a family: its label values, its cell, and whether the family still lists it.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::LocalKey;

use crate::cell::gauge::GaugeCell;
use crate::exposition::format::Format;
use crate::family::core::FamilyCore;
use crate::family::desc::{Desc, Kind};
use crate::family::lookup_cache::Cache;

/// What a registry asks of a cell when a test reads a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value itself; of a histogram or summary, its count.
    Whole,
    /// `_count`
    Count,
    /// `_sum`
    Sum,
}

/// The storage behind one series.
pub trait Cell: fmt::Debug + Send + Sync + Sized + 'static {
    /// The kind of family it serves.
    const KIND: Kind;

    /// An empty cell.
    fn new(desc: &Desc) -> Self;

    /// The current thread's recently used series of this kind.
    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>>;

    /// The text that is the same at every scrape, kept by the family: all of a scalar's line before its value, or the
    /// labels of a series that has several lines.
    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String);

    /// What the cell holds at one moment.
    type Reading;

    /// Reads it. A page reads many cells in a row, so that it waits for memory once and not for each.
    fn read(&self) -> Self::Reading;

    /// The sample lines of this series.
    fn encode(&self, reading: Self::Reading, desc: &Desc, prefix: &str, format: Format, out: &mut String);

    /// The value of this series in the protobuf format.
    fn encode_protobuf(&self, reading: Self::Reading, desc: &Desc, out: &mut Vec<u8>);

    /// A number for tests.
    fn number(reading: Self::Reading, part: Part) -> Option<f64>;
}

/// Written straight away.
const LISTED: u8 = 0;
/// Its registry is switched off (M2).
const OFF: u8 = 1;
/// Removed from its family; a write through a held handle brings it back (M10).
const UNLISTED: u8 = 2;

/// Aligned so that two threads on two series never share a cache line, nor a writer one with the reference count. What a
/// cell writes often it keeps on lines of its own: the others here are read at every write, the state first of all.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Series<C> {
    state: AtomicU8,
    pub(crate) cell: C,
    pub(crate) values: Box<[Box<str>]>,
    family: Weak<FamilyCore<C>>,
}

impl<C: Cell> Series<C> {
    pub(crate) fn new(family: &Arc<FamilyCore<C>>, values: &[&str]) -> Self {
        Self {
            state: AtomicU8::new(LISTED),
            cell: C::new(&family.desc),
            values: values.iter().map(|value| Box::from(*value)).collect(),
            family: Arc::downgrade(family),
        }
    }

    pub(crate) fn has(&self, values: &[&str]) -> bool {
        self.values.iter().map(|value| &**value).eq(values.iter().copied())
    }

    #[inline]
    pub(crate) fn is_listed(&self) -> bool {
        self.state.load(Ordering::Relaxed) != UNLISTED
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state.load(Ordering::Relaxed) == OFF
    }

    /// Called under the family's lock.
    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.state.store(if enabled { LISTED } else { OFF }, Ordering::Relaxed);
    }

    /// Called under the family's lock.
    pub(crate) fn unlist(&self) {
        self.state.store(UNLISTED, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn write(self: &Arc<Self>, op: impl FnOnce(&C)) {
        let state = self.state.load(Ordering::Relaxed);
        // First, so that the way of who is switched off is the shortest.
        if state == OFF {
            return;
        }
        if state == LISTED { op(&self.cell) } else { self.write_elsewhere(op) }
    }

    /// A removed series comes back with what it held, unless its labels have a new series by now, which then takes the
    /// write. Without its family there is nothing to be listed in, but the cell goes on counting.
    ///
    /// Takes `op` by value, so that a write which does not come here keeps what it writes in registers.
    #[cold]
    #[inline(never)]
    fn write_elsewhere(self: &Arc<Self>, op: impl FnOnce(&C)) {
        match self.family.upgrade() {
            Some(family) if !family.is_enabled() => {}
            Some(family) => op(&family.list_again(self).cell),
            None => op(&self.cell),
        }
    }

    /// NaN says nothing about a distribution and would spoil its sum, so the family counts it apart.
    #[cold]
    pub(crate) fn count_nan(&self) {
        if let Some(family) = self.family.upgrade()
            && family.is_enabled()
        {
            count(&family.nan);
        }
    }
}

impl Series<GaugeCell> {
    /// See [`Gauge::write`](crate::Gauge): the second half of that agreement.
    #[inline]
    pub(crate) fn list_again_unless_idle(self: &Arc<Self>) {
        if self.state.load(Ordering::SeqCst) == UNLISTED
            && self.cell.value() != 0.0
            && let Some(family) = self.family.upgrade()
            && family.is_enabled()
        {
            family.list_again(self);
        }
    }

    /// The series that the lease stands on, which is another one when this one was removed and replaced.
    pub(crate) fn lease(self: &Arc<Self>, amount: f64) -> Arc<Self> {
        match self.family.upgrade() {
            Some(family) => family.lease(self, amount),
            None => self.clone(),
        }
    }

    pub(crate) fn end_lease(self: &Arc<Self>, amount: f64, whatever_it_holds: bool) {
        if let Some(family) = self.family.upgrade() {
            family.end_lease(self, amount, whatever_it_holds);
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
