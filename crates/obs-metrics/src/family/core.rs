//! What stands behind a family: its series, who is admitted, and what a scrape reads.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::DefaultHashBuilder;

use crate::cell::gauge::GaugeCell;
use crate::error::{Error, ErrorKind};
use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::exposition::text;
use crate::family::admission::{Role, Table};
use crate::family::desc::Desc;
use crate::family::label_value::{MAX_VALUE_BYTES, OVERFLOW, bounded};
use crate::family::listing::Listing;
use crate::family::lookup_cache::{Key, Seeds};
use crate::family::series::{Cell, Part, Series, count};

/// The shared part of all handles to one family.
pub(crate) struct FamilyCore<C> {
    /// No other family of the process has it.
    id: u64,
    pub(crate) desc: Desc,
    /// Seeded anew for each family, so that a peer cannot choose values that collide (M7).
    hasher: DefaultHashBuilder,
    seeds: Seeds,
    /// Declared in the global registry, so a test's scoped registry takes its place (M12).
    pub(crate) follows_scope: bool,
    enabled: AtomicBool,
    pub(crate) nan: AtomicU64,
    pub(crate) overflowed: AtomicU64,
    table: RwLock<Table<C>>,
    listing: Mutex<Option<Arc<Listing<C>>>>,
}

impl<C: Cell> FamilyCore<C> {
    pub(crate) fn new(desc: Desc, follows_scope: bool, enabled: bool, cap: usize) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let hasher = DefaultHashBuilder::default();
        Arc::new(Self {
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
        self.enabled.load(Ordering::Relaxed)
    }

    /// Runs `f` on the series with these values; without an allocation, a lock or a reference count once this thread has
    /// used the series.
    #[inline(always)]
    pub(crate) fn with_series<R>(self: &Arc<Self>, values: &[&str], f: impl Fn(&Arc<Series<C>>) -> R) -> R {
        let key = Key::new(self.id, values);
        let cached = C::cache().try_with(|cache| {
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
        values.iter().for_each(|value| hasher.write(value.as_bytes()));
        hasher.finish()
    }

    #[cold]
    fn find_or_admit(self: &Arc<Self>, key: Key, values: &[&str]) -> Arc<Series<C>> {
        if values.iter().any(|value| value.len() > MAX_VALUE_BYTES) {
            let cut: Vec<Cow<'_, str>> = values.iter().map(|value| bounded(value)).collect();
            return self.find_or_admit_short(None, &texts(&cut));
        }
        self.find_or_admit_short(Some(key), values)
    }

    /// Remembers the series for this thread under the key, unless another one stands in for it.
    fn find_or_admit_short(self: &Arc<Self>, key: Option<Key>, values: &[&str]) -> Arc<Series<C>> {
        let hash = self.hash(values);
        let series = match self.find(hash, values) {
            Some(Found::Own(series)) => series,
            Some(Found::Overflow(series)) => {
                count(&self.overflowed);
                return series;
            }
            None => self.admit(hash, values, None),
        };
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

    /// The series or, where the family is full, the one that stands in for it, without a writer's lock.
    fn find(&self, hash: u64, values: &[&str]) -> Option<Found<C>> {
        let table = self.read();
        if let Some(series) = table.find(hash, values) {
            return Some(Found::Own(series.clone()));
        }
        let stand_in = table.stand_in(values)?;
        let series = table.find(self.hash(&stand_in), &stand_in)?;
        Some(Found::Overflow(series.clone()))
    }

    /// Lists a new series, or `returning` if it has these values, or the one that stands in for it.
    fn admit(
        self: &Arc<Self>,
        hash: u64,
        values: &[&str],
        returning: Option<&Arc<Series<C>>>,
    ) -> Arc<Series<C>> {
        let mut table = self.write();
        if let Some(series) = table.find(hash, values) {
            return series.clone();
        }
        let Some(mut stand_in) = table.stand_in(values) else {
            let series = returning.cloned().unwrap_or_else(|| Arc::new(Series::new(self, values)));
            series.set_enabled(self.is_enabled());
            let role = if table.is_trusted(values) { Role::Trusted } else { Role::Ordinary };
            table.insert(hash, series.clone(), role);
            return series;
        };
        count(&self.overflowed);
        if table.find(self.hash(&stand_in), &stand_in).is_none() && table.is_last_place() {
            stand_in.fill(OVERFLOW);
        }
        let hash = self.hash(&stand_in);
        if let Some(series) = table.find(hash, &stand_in) {
            return series.clone();
        }
        let series = Arc::new(Series::new(self, &stand_in));
        series.set_enabled(self.is_enabled());
        table.insert(hash, series.clone(), Role::StandIn);
        series
    }

    /// A held handle writes to a series that was removed: it returns to the page (M10).
    pub(crate) fn list_again(self: &Arc<Self>, series: &Arc<Series<C>>) -> Arc<Series<C>> {
        let values = texts(&series.values);
        self.admit(self.hash(&values), &values, Some(series))
    }

    pub(crate) fn remove(&self, values: &[&str]) -> bool {
        let cut: Vec<Cow<'_, str>> = values.iter().map(|value| bounded(value)).collect();
        let values = texts(&cut);
        self.write().remove(self.hash(&values), &values)
    }

    pub(crate) fn set_untrusted(&self, labels: &[&str]) -> Result<(), Error> {
        let indexes: Result<Vec<usize>, Error> = labels.iter().map(|label| self.index_of(label)).collect();
        let indexes = indexes?;
        let mut table = self.write();
        for (index, untrusted) in table.untrusted.iter_mut().enumerate() {
            *untrusted = indexes.is_empty() || indexes.contains(&index);
        }
        Ok(())
    }

    pub(crate) fn trust(&self, label: &str, values: &[&str]) -> Result<(), Error> {
        let index = self.index_of(label)?;
        let mut table = self.write();
        table.trusted[index].extend(values.iter().map(|value| Box::from(&*bounded(value))));
        Ok(())
    }

    pub(crate) fn set_trusted_only(&self, label: &str) -> Result<(), Error> {
        let index = self.index_of(label)?;
        let mut table = self.write();
        table.untrusted[index] = true;
        table.trusted_only[index] = true;
        Ok(())
    }

    /// All series of a family are native or none: a reader judges the family by its first one.
    pub(crate) fn set_native(&self) -> Result<(), Error> {
        let table = self.write();
        if !self.desc.is_native() && table.version > 0 {
            let detail = "it has or had series, which know nothing of native buckets; ask for them where it is declared";
            return Err(Error::new(ErrorKind::Conflict, &self.desc.name, detail));
        }
        self.desc.set_native();
        Ok(())
    }

    fn index_of(&self, label: &str) -> Result<usize, Error> {
        self.desc.labels.iter().position(|own| **own == *label).ok_or_else(|| {
            let detail = format!("there is no label {label:?}; the labels are {:?}", self.desc.labels);
            Error::new(ErrorKind::UnknownLabel, &self.desc.name, detail)
        })
    }

    fn listing(&self) -> Arc<Listing<C>> {
        let mut cached = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// The sum over the listed series that carry these labels; `None` if there is none.
    pub(crate) fn sum(&self, part: Part, labels: &[(&str, &str)]) -> Option<f64> {
        let listing = self.listing();
        let matching =
            listing.rows.iter().filter(|(_, series)| matches(&self.desc.labels, &series.values, labels));
        matching
            .filter_map(|(_, series)| C::number(series.cell.read(), part))
            .reduce(|sum, value| sum + value)
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        let table = self.write();
        self.enabled.store(enabled, Ordering::Relaxed);
        table.rows.iter().for_each(|row| row.series.set_enabled(enabled));
    }

    pub(crate) fn set_cap(&self, cap: usize) {
        self.write().cap = cap;
    }

    /// Gives a scoped registry's counterpart the same rules of admission.
    pub(crate) fn copy_trust_from(&self, original: &Self) {
        let (untrusted, trusted, trusted_only) = {
            let table = original.read();
            (table.untrusted.clone(), table.trusted.clone(), table.trusted_only.clone())
        };
        let mut table = self.write();
        table.untrusted = untrusted;
        table.trusted = trusted;
        table.trusted_only = trusted_only;
    }

    fn read(&self) -> RwLockReadGuard<'_, Table<C>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table<C>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FamilyCore<GaugeCell> {
    pub(crate) fn lease(
        self: &Arc<Self>,
        series: &Arc<Series<GaugeCell>>,
        amount: f64,
    ) -> Arc<Series<GaugeCell>> {
        let mut series = series.clone();
        loop {
            let table = self.write();
            if series.is_listed() {
                series.cell.leases.fetch_add(1, Ordering::Relaxed);
                series.cell.add(amount);
                return series;
            }
            drop(table);
            series = self.list_again(&series);
        }
    }

    /// The series is taken out before its value is looked at for the last time; see `Gauge::write`.
    pub(crate) fn end_lease(
        self: &Arc<Self>,
        series: &Arc<Series<GaugeCell>>,
        amount: f64,
        whatever_it_holds: bool,
    ) {
        let emptied = {
            let mut table = self.write();
            series.cell.add(-amount);
            let last = series.cell.leases.fetch_sub(1, Ordering::Relaxed) == 1;
            // What the program itself offers is there also while nobody uses it.
            let is_own = table.has_trust() && table.is_trusted(&series.values);
            let idle = whatever_it_holds || (series.cell.value() == 0.0 && !is_own);
            last && idle && series.is_listed() && {
                let values = texts(&series.values);
                table.remove(self.hash(&values), &values)
            }
        };
        if emptied && !whatever_it_holds {
            series.list_again_unless_idle();
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

pub(crate) fn matches<L: AsRef<str>, V: AsRef<str>>(
    labels: &[L],
    values: &[V],
    wanted: &[(&str, &str)],
) -> bool {
    wanted.iter().all(|(label, value)| {
        labels.iter().zip(values).any(|(own, held)| own.as_ref() == *label && held.as_ref() == *value)
    })
}

enum Found<C> {
    Own(Arc<Series<C>>),
    Overflow(Arc<Series<C>>),
}
