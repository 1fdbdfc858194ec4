//! Shared part of a family: its series, their admission, and their encoding.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hashbrown::DefaultHashBuilder;

use super::admission::{Role, Table};
use super::label_value::{MAX_VALUE_BYTES, OVERFLOW, bounded};
use super::listing::Listing;
use super::lookup_cache::{Cached, Key, Seeds};
use super::series::{Decide, Home, Removal, Series, count};
use crate::cell::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::desc::Desc;
use crate::error::{Error, ErrorKind};
use crate::exposition::format::Format;
use crate::exposition::{protobuf, text};
use crate::snapshot::FamilySnapshot;

/// Shared part of all handles to one family.
pub(crate) struct FamilyCore<C> {
    /// Number that no other family of the process has.
    id: u64,
    pub(crate) desc: Desc,
    /// Seeded anew for each family, so that a peer cannot choose values that collide.
    hasher: DefaultHashBuilder,
    seeds: Seeds,
    /// Whether the registry that a thread has entered takes its place. True for families of the global registry.
    pub(crate) follows_scope: bool,
    enabled: AtomicBool,
    pub(crate) nan: AtomicU64,
    pub(crate) overflowed: AtomicU64,
    /// Guards the series, the rules of admission, and every change of a series' state. No code of a user runs under it.
    table: RwLock<Table<C>>,
    /// Guards the listing of the last scrape. Only scrapes take it.
    listing: Mutex<Option<Arc<Listing<C>>>>,
}

impl<C: Cached> FamilyCore<C> {
    pub(crate) fn new(desc: Desc, follows_scope: bool, enabled: bool, cap: usize) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let hasher = DefaultHashBuilder::default();
        Arc::new(Self {
            // Relaxed: the number only has to be unique.
            id: IDS.fetch_add(1, Ordering::Relaxed),
            seeds: Seeds([0, 1].map(|number: u8| hasher.hash_one(number))),
            hasher,
            table: RwLock::new(Table::new(desc.labels.len(), cap)),
            desc,
            follows_scope,
            enabled: AtomicBool::new(enabled),
            nan: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            listing: Mutex::new(None),
        })
    }

    #[inline]
    pub(crate) fn is_enabled(&self) -> bool {
        // Relaxed: the flag guards no data. A thread that sees it late records a moment longer.
        self.enabled.load(Ordering::Relaxed)
    }

    /// Runs `f` on the series with these values. Once this thread has used the series, that takes no allocation, no lock
    /// and no reference count.
    #[inline(always)]
    pub(crate) fn with_series<R>(self: &Arc<Self>, values: &[&str], f: impl Fn(&Arc<Series<C>>) -> R) -> R {
        let key = Key::new(self.id, values);
        let cached = C::cache().try_with(|cache| {
            // Borrowed already if `f` records in a family of the same kind. The table serves that look-up.
            let cache = cache.try_borrow().ok()?;
            cache.get(&key, &self.seeds, values).map(&f)
        });
        match cached {
            Ok(Some(result)) => result,
            _ => f(&self.find_or_admit(key, values)),
        }
    }

    fn hash(&self, values: &[&str]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        // No separator: values that differ only in the place of the boundary share a hash, and the comparison tells them
        // apart.
        values.iter().for_each(|value| hasher.write(value.as_bytes()));
        hasher.finish()
    }

    #[cold]
    fn find_or_admit(self: &Arc<Self>, key: Key, values: &[&str]) -> Arc<Series<C>> {
        // A shortened value has no key, because the key is made of the full text.
        if values.iter().any(|value| value.len() > MAX_VALUE_BYTES) {
            let bounded: Vec<Cow<'_, str>> = values.iter().map(|value| bounded(value)).collect();
            return self.find_or_admit_bounded(None, &texts(&bounded));
        }
        self.find_or_admit_bounded(Some(key), values)
    }

    /// Remembers the series for this thread under the key, unless it is the overflow series.
    pub(crate) fn find_or_admit_bounded(
        self: &Arc<Self>,
        key: Option<Key>,
        values: &[&str],
    ) -> Arc<Series<C>> {
        let hash = self.hash(values);
        let series = match self.find(hash, values) {
            Some(Found::Own(series)) => series,
            Some(Found::Overflow(series)) => {
                count(&self.overflowed);
                return series;
            }
            None => self.admit(hash, values, None),
        };
        // The overflow series is not remembered: its key would hide the series once the family has room.
        if let Some(key) = key.filter(|_| series.has(values)) {
            self.remember(key, &series);
        }
        series
    }

    fn remember(&self, key: Key, series: &Arc<Series<C>>) {
        _ = C::cache().try_with(|cache| {
            if let Ok(mut cache) = cache.try_borrow_mut() {
                cache.put(key, &self.seeds, series);
            }
        });
    }

    /// Finds the series, or the overflow series if the family is full. Takes the lock for reading only, so that a flood
    /// of new values in a full family is served on all threads at once.
    fn find(&self, hash: u64, values: &[&str]) -> Option<Found<C>> {
        let table = self.read();
        if let Some(series) = table.find(hash, values) {
            return Some(Found::Own(series.clone()));
        }
        let overflow = table.overflow_values(values)?;
        let series = table.find(self.hash(&overflow), &overflow)?;
        Some(Found::Overflow(series.clone()))
    }

    /// Lists `returning`, or a new series with these values, or returns the overflow series.
    fn admit(
        self: &Arc<Self>,
        hash: u64,
        values: &[&str],
        returning: Option<&Arc<Series<C>>>,
    ) -> Arc<Series<C>> {
        let mut table = self.write();
        // Another thread may have admitted it between the two locks.
        if let Some(series) = table.find(hash, values) {
            return series.clone();
        }
        let Some(mut overflow) = table.overflow_values(values) else {
            // A series that a lease removed comes before the one that returns: it has the later values.
            let known = table.removed.take(hash, values).or_else(|| returning.cloned());
            let series = known.unwrap_or_else(|| self.new_series(values));
            self.list(&mut table, hash, &series);
            return series;
        };
        count(&self.overflowed);
        if table.find(self.hash(&overflow), &overflow).is_none() && table.has_last_row_left() {
            overflow.fill(OVERFLOW);
        }
        let hash = self.hash(&overflow);
        if let Some(series) = table.find(hash, &overflow) {
            return series.clone();
        }
        let series = table.removed.take(hash, &overflow).unwrap_or_else(|| self.new_series(&overflow));
        series.set_enabled(self.is_enabled());
        table.insert(hash, series.clone(), Role::Overflow);
        series
    }

    /// Lists a series whose values were admitted.
    fn list(&self, table: &mut Table<C>, hash: u64, series: &Arc<Series<C>>) {
        // Read under the lock, so that no series misses a change of the setting.
        series.set_enabled(self.is_enabled());
        let role = if table.is_trusted(&series.values) { Role::Trusted } else { Role::Ordinary };
        table.insert(hash, series.clone(), role);
    }

    /// Lists again what a lease removed without the value that another thread wrote meanwhile.
    fn list_written(&self) {
        // Few pages find any, so they take the lock for reading only.
        if !self.is_enabled() || !self.read().removed.has_written() {
            return;
        }
        let mut table = self.write();
        for (hash, series) in table.removed.take_written() {
            match table.overflow_values(&texts(&series.values)) {
                None => self.list(&mut table, hash, &series),
                Some(_) => count(&self.overflowed),
            }
        }
    }

    fn new_series(self: &Arc<Self>, values: &[&str]) -> Arc<Series<C>> {
        let family: Weak<Self> = Arc::downgrade(self);
        Arc::new(Series::new(family, C::new(&self.desc), values))
    }

    pub(crate) fn remove(&self, values: &[&str]) -> bool {
        let bounded: Vec<Cow<'_, str>> = values.iter().map(|value| bounded(value)).collect();
        let values = texts(&bounded);
        let (hash, mut table) = (self.hash(&values), self.write());
        // A series that a lease removed counts if it would be listed again.
        let late = table.removed.take(hash, &values);
        table.remove(hash, &values) || late.is_some_and(|series| series.cell.has_value())
    }

    pub(crate) fn set_untrusted(&self, labels: &[&str]) -> Result<(), Error> {
        let indexes: Result<Vec<usize>, Error> = labels.iter().map(|label| self.index_of(label)).collect();
        let indexes = indexes?;
        for (index, rules) in self.write().labels.iter_mut().enumerate() {
            rules.untrusted = indexes.is_empty() || indexes.contains(&index);
        }
        Ok(())
    }

    pub(crate) fn trust(&self, label: &str, values: &[&str]) -> Result<(), Error> {
        let index = self.index_of(label)?;
        let values = values.iter().map(|value| Box::from(&*bounded(value)));
        self.write().labels[index].trusted.extend(values);
        Ok(())
    }

    pub(crate) fn set_trusted_only(&self, label: &str) -> Result<(), Error> {
        let index = self.index_of(label)?;
        let rules = &mut self.write().labels[index];
        rules.untrusted = true;
        rules.trusted_only = true;
        Ok(())
    }

    /// Makes the family native. All its series are native or none is, because a server judges a family by its first
    /// series.
    pub(crate) fn set_native(&self) -> Result<(), Error> {
        let table = self.write();
        if !self.desc.is_native() && table.version > 0 {
            let problem = "it already had series, and those did not count in native buckets";
            let advice = "call `native` where the family is declared";
            return Err(Error::new(ErrorKind::Conflict, &self.desc.name, problem, advice));
        }
        self.desc.set_native();
        Ok(())
    }

    fn index_of(&self, label: &str) -> Result<usize, Error> {
        self.desc.labels.iter().position(|own| **own == *label).ok_or_else(|| {
            let problem = format!("it has no label {label:?}");
            let advice = format!("use one of its labels: {:?}", self.desc.labels);
            Error::new(ErrorKind::UnknownLabel, &self.desc.name, problem, advice)
        })
    }

    /// Returns the sorted series. The listing of the last scrape is used again if no series came or went.
    fn listing(&self) -> Arc<Listing<C>> {
        self.list_written();
        let mut cached = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        // The table is locked to copy the series, not to sort them, so that a scrape delays no new series.
        let (version, rows) = {
            let table = self.read();
            match &*cached {
                Some(listing) if listing.version == table.version => return listing.clone(),
                _ => (table.version, table.rows.iter().map(|row| row.series.clone()).collect()),
            }
        };
        let listing = Arc::new(Listing::new(&self.desc, version, rows));
        *cached = Some(listing.clone());
        listing
    }

    pub(crate) fn encode(&self, format: Format, out: &mut String) {
        text::push_header(out, self.desc.kind, &self.desc.name, &self.desc.help, format);
        self.listing().encode(&self.desc, format, out);
    }

    pub(crate) fn encode_protobuf(&self, out: &mut Vec<u8>) {
        let Desc { kind, name, help, .. } = &self.desc;
        protobuf::push_family(out, *kind, name, help, |out| self.listing().encode_protobuf(&self.desc, out));
    }

    pub(crate) fn snapshot(&self) -> FamilySnapshot {
        let Desc { kind, name, help, .. } = &self.desc;
        let series = self.listing().snapshot(&self.desc);
        FamilySnapshot { name: name.to_string(), help: help.to_string(), kind: *kind, series }
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        let table = self.write();
        // Relaxed: the lock orders this with the admission of new series, which read the flag under it.
        self.enabled.store(enabled, Ordering::Relaxed);
        table.rows.iter().for_each(|row| row.series.set_enabled(enabled));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list_written();
        self.read().rows.is_empty()
    }

    pub(crate) fn set_cap(&self, cap: usize) {
        self.write().cap = cap;
    }

    /// Copies the rules of admission from the family that this one replaces in a scope.
    pub(crate) fn copy_rules_from(&self, original: &Self) {
        // One lock at a time, so that no two tables are locked in different orders.
        let rules = original.read().labels.clone();
        self.write().labels = rules;
    }

    fn read(&self) -> RwLockReadGuard<'_, Table<C>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table<C>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Cached> Home<C> for FamilyCore<C> {
    fn is_enabled(&self) -> bool {
        Self::is_enabled(self)
    }

    fn count_nan(&self) {
        count(&self.nan);
    }

    fn list_again(self: Arc<Self>, series: &Arc<Series<C>>) -> Arc<Series<C>> {
        let values = texts(&series.values);
        self.admit(self.hash(&values), &values, Some(series))
    }

    fn while_listed(self: Arc<Self>, series: &Arc<Series<C>>, f: &dyn Fn(&C)) -> Arc<Series<C>> {
        let mut series = series.clone();
        loop {
            let table = self.write();
            if series.is_listed() {
                f(&series.cell);
                return series;
            }
            // Released first, because listing the series again takes the lock.
            drop(table);
            series = self.clone().list_again(&series);
        }
    }

    fn remove_if(&self, series: &Arc<Series<C>>, decide: Decide<'_, C>) {
        let mut table = self.write();
        let is_trusted = || table.has_trust() && table.is_trusted(&series.values);
        let Some(removal) = decide(&series.cell, &is_trusted).filter(|_| series.is_listed()) else { return };
        let values = texts(&series.values);
        let hash = self.hash(&values);
        table.remove(hash, &values);
        if removal == Removal::UnlessWritten {
            table.removed.put(hash, series);
        }
    }
}

impl<C> fmt::Debug for FamilyCore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilyCore").field("desc", &self.desc).finish_non_exhaustive()
    }
}

fn texts<T: AsRef<str>>(values: &[T]) -> Vec<&str> {
    values.iter().map(AsRef::as_ref).collect()
}

enum Found<C> {
    Own(Arc<Series<C>>),
    Overflow(Arc<Series<C>>),
}
