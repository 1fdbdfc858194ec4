//! Gauges, and leases that take back what they added and remove the series with its last owner (M10).

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread::LocalKey;

use crate::cell::padded::Padded;
use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::exposition::text;
use crate::family::desc::{Desc, Kind};
use crate::family::lookup_cache::Cache;
use crate::family::series::{Cell, Part, Series};

/// A gauge of one series, to be held: clones set the same series.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let depth = registry.gauge("queue_depth", "Waiting jobs.", []).with([]);
/// depth.set(3.0);
/// depth.inc();
/// depth.sub(0.5);
/// assert_eq!(depth.value(), 3.5);
/// ```
#[derive(Clone, Default)]
pub struct Gauge(pub(crate) Option<Arc<Series<GaugeCell>>>);

impl Gauge {
    /// Sets it to `value`.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.iter().for_each(|series| Self::write(series, |cell| cell.set(value)));
    }

    /// Adds `amount`, which may be negative.
    #[inline]
    pub fn add(&self, amount: f64) {
        self.0.iter().for_each(|series| Self::write(series, |cell| cell.add(amount)));
    }

    /// Subtracts `amount`.
    #[inline]
    pub fn sub(&self, amount: f64) {
        self.add(-amount);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Subtracts one.
    #[inline]
    pub fn dec(&self) {
        self.add(-1.0);
    }

    /// What it stands at; 0 for a handle that does nothing.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |series| series.cell.value())
    }

    /// Adds one now and takes it back when the lease is dropped. When the last lease of a series goes and leaves it at
    /// zero, the series goes too, so that gauges of streams, peers or models that no longer exist are not kept (M10),
    /// unless its labels are [trusted](crate::Family::trust): what the program itself offers stays, at zero.
    ///
    /// ```
    /// let registry = obs_metrics::Registry::new();
    /// let streams = registry.gauge("streams", "Open streams.", ["capability"]);
    /// let lease = streams.with(["llm.chat"]).lease();
    /// assert_eq!(registry.value("streams", &[("capability", "llm.chat")]), Some(1.0));
    /// drop(lease);
    /// assert_eq!(registry.value("streams", &[("capability", "llm.chat")]), None);
    /// ```
    pub fn lease(&self) -> Lease {
        let series = self.0.as_ref().filter(|series| !series.is_off());
        Lease { gauge: Self(series.map(|series| series.lease(1.0))), taken: 1.0 }
    }

    /// Owns the series without changing its value: when the last owner or lease is gone, the series is removed whatever
    /// it stands at.
    pub(crate) fn owned(&self) -> OwnedGauge {
        let series = self.0.as_ref().filter(|series| !series.is_off());
        OwnedGauge { gauge: Self(series.map(|series| series.lease(0.0))) }
    }

    /// A gauge is written first and its place in the family checked afterwards, while a lease that ends takes the series
    /// out first and looks at its value afterwards. One of the two sees the other, so no value goes missing.
    #[inline]
    pub(crate) fn write(series: &Arc<Series<GaugeCell>>, op: impl Fn(&GaugeCell)) {
        series.write(op);
        series.list_again_unless_idle();
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.value()).finish()
    }
}

/// One unit on a gauge, given back on drop. Made by [`Gauge::lease`].
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let gauge = registry.gauge("streams", "Open streams.", []).with([]);
/// let lease: obs_metrics::Lease = gauge.lease();
/// assert_eq!(gauge.value(), 1.0);
/// drop(lease);
/// assert_eq!(gauge.value(), 0.0);
/// ```
#[derive(Debug)]
#[must_use = "a lease that is dropped at once gives its unit back at once"]
pub struct Lease {
    gauge: Gauge,
    taken: f64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(series) = &self.gauge.0 {
            series.end_lease(self.taken, false);
        }
    }
}

/// A gauge whose series lives as long as its owners. Made by [`GaugeFamily::owned`](crate::GaugeFamily::owned).
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let online = registry.gauge("nodes_online", "Peers that answer.", ["community"]);
/// let gauge: obs_metrics::OwnedGauge = online.owned(["home"]);
/// gauge.set(5.0);
/// drop(gauge);
/// assert_eq!(registry.value("nodes_online", &[]), None);
/// ```
#[derive(Debug)]
#[must_use = "the series is removed when its owner is dropped"]
pub struct OwnedGauge {
    gauge: Gauge,
}

impl Deref for OwnedGauge {
    type Target = Gauge;

    fn deref(&self) -> &Gauge {
        &self.gauge
    }
}

impl Drop for OwnedGauge {
    fn drop(&mut self) {
        if let Some(series) = &self.gauge.0 {
            series.end_lease(0.0, true);
        }
    }
}

/// The value as the bits of an `f64`, and how many leases stand on it (changed under the family's lock alone).
#[derive(Debug)]
pub struct GaugeCell {
    value: Padded<AtomicU64>,
    pub(crate) leases: AtomicUsize,
}

impl GaugeCell {
    #[inline]
    pub(crate) fn set(&self, value: f64) {
        self.value.store(value.to_bits(), SeqCst);
    }

    #[inline]
    pub(crate) fn add(&self, amount: f64) {
        let step = |bits| (f64::from_bits(bits) + amount).to_bits();
        let mut before = self.value.load(SeqCst);
        while let Err(now) = self.value.compare_exchange_weak(before, step(before), SeqCst, SeqCst) {
            before = now;
        }
    }

    pub(crate) fn value(&self) -> f64 {
        f64::from_bits(self.value.load(SeqCst))
    }
}

thread_local! {
    static CACHE: RefCell<Cache<GaugeCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for GaugeCell {
    const KIND: Kind = Kind::Gauge;

    fn new(_desc: &Desc) -> Self {
        Self { value: Padded(AtomicU64::new(0)), leases: AtomicUsize::new(0) }
    }

    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>> {
        &CACHE
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_scalar_prefix(out, &desc.name, &desc.labels, values);
    }

    type Reading = f64;

    #[inline]
    fn read(&self) -> f64 {
        self.value()
    }

    fn encode(&self, value: f64, _desc: &Desc, prefix: &str, _format: Format, out: &mut String) {
        out.push_str(prefix);
        text::push_f64(out, value);
        out.push('\n');
    }

    fn encode_protobuf(&self, value: f64, _desc: &Desc, out: &mut Vec<u8>) {
        protobuf::push_gauge(out, value);
    }

    fn number(value: f64, part: Part) -> Option<f64> {
        (part == Part::Whole).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use crate::Registry;

    #[test]
    fn m10_a_trusted_series_outlives_its_leases() {
        let registry = Registry::new();
        let streams = registry.gauge("streams", "Open streams.", ["capability"]);
        streams.trust("capability", &["llm.chat"]).unwrap();
        drop(streams.with(["llm.chat"]).lease());
        drop(streams.with(["from.a.peer"]).lease());
        assert_eq!(registry.value("streams", &[("capability", "llm.chat")]), Some(0.0));
        assert_eq!(registry.value("streams", &[("capability", "from.a.peer")]), None);
    }
}
