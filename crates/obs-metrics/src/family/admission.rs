//! The series of a family and who is admitted among them (M7).

use std::collections::HashSet;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::family::label_value::OVERFLOW;
use crate::family::series::{Cell, Series};

/// Series by their values, and the rules of M7: at most `cap` rows besides those of trusted values, the stand-ins
/// included.
pub(crate) struct Table<C> {
    pub(crate) rows: HashTable<Row<C>>,
    pub(crate) cap: usize,
    ordinary: usize,
    stand_ins: usize,
    /// By label: whether it collapses when the family is full.
    pub(crate) untrusted: Box<[bool]>,
    /// By label: values that are admitted whatever else there is.
    pub(crate) trusted: Box<[HashSet<Box<str>>]>,
    /// By label: whether values that are not trusted have no series of their own, however much room there is.
    pub(crate) trusted_only: Box<[bool]>,
    /// Steps whenever a row comes or goes.
    pub(crate) version: u64,
}

pub(crate) struct Row<C> {
    hash: u64,
    pub(crate) series: Arc<Series<C>>,
    role: Role,
}

#[derive(Clone, Copy)]
pub(crate) enum Role {
    Ordinary,
    /// Its untrusted labels read `__overflow__`.
    StandIn,
    /// Not counted towards the cap.
    Trusted,
}

impl<C: Cell> Table<C> {
    pub(crate) fn new(labels: usize, cap: usize) -> Self {
        Self {
            rows: HashTable::new(),
            cap,
            ordinary: 0,
            stand_ins: 0,
            untrusted: vec![true; labels].into(),
            trusted: vec![HashSet::new(); labels].into(),
            trusted_only: vec![false; labels].into(),
            version: 0,
        }
    }

    pub(crate) fn find(&self, hash: u64, values: &[&str]) -> Option<&Arc<Series<C>>> {
        self.rows.find(hash, |row| row.series.has(values)).map(|row| &row.series)
    }

    /// `None` while there is room for these values, else the values to use in their place.
    pub(crate) fn stand_in<'a>(&self, values: &[&'a str]) -> Option<Vec<&'a str>> {
        let has_room = self.ordinary + self.reserve().max(self.stand_ins) < self.cap;
        if self.is_trusted(values) || (has_room && self.may_be_shown(values)) {
            return None;
        }
        let collapse = |(value, untrusted): (&&'a str, &bool)| if *untrusted { OVERFLOW } else { *value };
        let partly: Vec<&str> = values.iter().zip(&self.untrusted).map(collapse).collect();
        Some(partly)
    }

    /// Places kept for stand-ins: one if all labels collapse, an eighth if the trusted labels keep their values.
    fn reserve(&self) -> usize {
        if self.untrusted.iter().all(|untrusted| *untrusted) { 1 } else { (self.cap / 8).max(1) }
    }

    fn may_be_shown(&self, values: &[&str]) -> bool {
        let mut labels = self.trusted_only.iter().zip(&self.trusted).zip(values);
        labels.all(|((trusted_only, trusted), value)| !trusted_only || trusted.contains(*value))
    }

    pub(crate) fn is_last_place(&self) -> bool {
        self.ordinary + self.stand_ins + 1 >= self.cap
    }

    pub(crate) fn is_trusted(&self, values: &[impl AsRef<str>]) -> bool {
        let labels = self.untrusted.iter().zip(&self.trusted).zip(values);
        labels.into_iter().all(|((untrusted, trusted), value)| !untrusted || trusted.contains(value.as_ref()))
    }

    /// Whether any value is admitted always.
    pub(crate) fn has_trust(&self) -> bool {
        self.trusted.iter().any(|values| !values.is_empty())
    }

    pub(crate) fn insert(&mut self, hash: u64, series: Arc<Series<C>>, role: Role) {
        match role {
            Role::Ordinary => self.ordinary += 1,
            Role::StandIn => self.stand_ins += 1,
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
            Role::StandIn => self.stand_ins -= 1,
            Role::Trusted => {}
        }
        self.version += 1;
        true
    }
}
