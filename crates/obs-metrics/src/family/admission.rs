//! Table of a family's series, and the rules that admit a series to it.

use std::collections::HashSet;
use std::sync::Arc;

use hashbrown::HashTable;

use super::label_value::OVERFLOW;
use super::removed::Removed;
use super::series::Series;
use crate::cell::Cell;

/// Series by their label values.
///
/// At most `cap` rows, the overflow series included. Rows whose values are trusted do not count.
pub(crate) struct Table<C> {
    pub(crate) rows: HashTable<Row<C>>,
    pub(crate) cap: usize,
    ordinary: usize,
    overflow: usize,
    /// Series that a lease removed. They take no row.
    pub(crate) removed: Removed<C>,
    /// Rules by label.
    pub(crate) labels: Box<[LabelRules]>,
    /// Incremented whenever a row is added or removed. A listing compares it.
    pub(crate) version: u64,
}

/// Rules of one label.
#[derive(Clone)]
pub(crate) struct LabelRules {
    /// Whether its value collapses to `__overflow__` when the family is full.
    pub(crate) untrusted: bool,
    /// Values that are always admitted.
    pub(crate) trusted: HashSet<Box<str>>,
    /// Whether values that are not trusted collapse even if the family has room.
    pub(crate) trusted_only: bool,
}

pub(crate) struct Row<C> {
    hash: u64,
    pub(crate) series: Arc<Series<C>>,
    role: Role,
}

#[derive(Clone, Copy)]
pub(crate) enum Role {
    Ordinary,
    /// Series whose untrusted labels read `__overflow__`.
    Overflow,
    /// Series with trusted values. It does not count towards the cap.
    Trusted,
}

impl<C: Cell> Table<C> {
    pub(crate) fn new(labels: usize, cap: usize) -> Self {
        let rules = LabelRules { untrusted: true, trusted: HashSet::new(), trusted_only: false };
        Self {
            rows: HashTable::new(),
            cap,
            ordinary: 0,
            overflow: 0,
            removed: Removed::new(),
            labels: vec![rules; labels].into(),
            version: 0,
        }
    }

    pub(crate) fn find(&self, hash: u64, values: &[&str]) -> Option<&Arc<Series<C>>> {
        self.rows.find(hash, |row| row.series.has(values)).map(|row| &row.series)
    }

    /// Returns `None` if these values may have a series of their own, else the values of the overflow series.
    pub(crate) fn overflow_values<'a>(&self, values: &[&'a str]) -> Option<Vec<&'a str>> {
        // Overflow series use the reserve first, and may exceed it while there is room.
        let has_room = self.ordinary + self.reserve().max(self.overflow) < self.cap;
        if self.is_trusted(values) || (has_room && self.may_be_shown(values)) {
            return None;
        }
        let collapse = |(value, rules): (&&'a str, &LabelRules)| {
            if rules.untrusted { OVERFLOW } else { *value }
        };
        Some(values.iter().zip(&self.labels).map(collapse).collect())
    }

    /// Rows that are kept free for overflow series. One is enough if all labels collapse. If trusted labels keep their
    /// values, there is an overflow series for each combination of those, so an eighth of the cap is kept.
    fn reserve(&self) -> usize {
        if self.labels.iter().all(|rules| rules.untrusted) { 1 } else { (self.cap / 8).max(1) }
    }

    fn may_be_shown(&self, values: &[&str]) -> bool {
        let mut labels = self.labels.iter().zip(values);
        labels.all(|(rules, value)| !rules.trusted_only || rules.trusted.contains(*value))
    }

    /// Whether one row is left. It goes to the series in which all labels read `__overflow__`, so that every write has a
    /// series.
    pub(crate) fn has_last_row_left(&self) -> bool {
        self.ordinary + self.overflow + 1 >= self.cap
    }

    pub(crate) fn is_trusted(&self, values: &[impl AsRef<str>]) -> bool {
        let mut labels = self.labels.iter().zip(values);
        labels.all(|(rules, value)| !rules.untrusted || rules.trusted.contains(value.as_ref()))
    }

    /// Whether any label has trusted values.
    pub(crate) fn has_trust(&self) -> bool {
        self.labels.iter().any(|rules| !rules.trusted.is_empty())
    }

    pub(crate) fn insert(&mut self, hash: u64, series: Arc<Series<C>>, role: Role) {
        match role {
            Role::Ordinary => self.ordinary += 1,
            Role::Overflow => self.overflow += 1,
            Role::Trusted => {}
        }
        self.version += 1;
        self.rows.insert_unique(hash, Row { hash, series, role }, |row| row.hash);
    }

    pub(crate) fn remove(&mut self, hash: u64, values: &[&str]) -> bool {
        let Ok(found) = self.rows.find_entry(hash, |row| row.series.has(values)) else { return false };
        let (row, _) = found.remove();
        row.series.unlist();
        match row.role {
            Role::Ordinary => self.ordinary -= 1,
            Role::Overflow => self.overflow -= 1,
            Role::Trusted => {}
        }
        self.version += 1;
        true
    }
}
