//! Storage of a gauge.

use crossbeam_utils::CachePadded;

use super::Cell;
use super::sync;
use super::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use crate::desc::Desc;
use crate::exposition::format::Format;
use crate::exposition::{protobuf, text};
use crate::snapshot::SampleValue;

/// Value of a gauge and the number of leases on it.
///
/// Every access is `Relaxed`. The value is one word that guards no other data. The end of a lease may miss a value that is
/// stored at the same time; [`Removed`](crate::family::removed::Removed) finds it.
#[derive(Debug)]
pub struct GaugeCell {
    /// Bits of an `f64`.
    value: CachePadded<AtomicU64>,
    /// Changed under the lock of the family's table, which orders it.
    leases: AtomicUsize,
}

impl GaugeCell {
    #[inline]
    pub(crate) fn set(&self, value: f64) {
        sync::store(&self.value, value.to_bits());
    }

    #[inline]
    pub(crate) fn add(&self, amount: f64) {
        // A loop, because processors have no atomic addition of floating-point numbers.
        let sum = |bits| (f64::from_bits(bits) + amount).to_bits();
        let mut before = self.value.load(Relaxed);
        while let Err(now) = self.value.compare_exchange_weak(before, sum(before), Relaxed, Relaxed) {
            before = now;
        }
    }

    pub(crate) fn value(&self) -> f64 {
        f64::from_bits(self.value.load(Relaxed))
    }

    /// Counts a lease of `amount`. The caller holds the lock of the family's table.
    pub(crate) fn begin_lease(&self, amount: f64) {
        self.leases.fetch_add(1, Relaxed);
        self.add(amount);
    }

    /// Ends a lease of `amount`. Returns whether it was the last one. The caller holds the lock of the family's table.
    pub(crate) fn end_lease(&self, amount: f64) -> bool {
        self.add(-amount);
        self.leases.fetch_sub(1, Relaxed) == 1
    }
}

impl Cell for GaugeCell {
    type Reading = f64;

    const IS_ONE_NUMBER: bool = true;

    fn new(_desc: &Desc) -> Self {
        Self { value: CachePadded::new(AtomicU64::new(0)), leases: AtomicUsize::new(0) }
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_scalar_prefix(out, &desc.name, &desc.labels, values);
    }

    #[inline]
    fn read(&self) -> f64 {
        self.value()
    }

    fn encode(&self, value: &f64, _desc: &Desc, prefix: &str, _format: Format, out: &mut String) {
        out.push_str(prefix);
        text::push_f64(out, *value);
        out.push('\n');
    }

    fn encode_protobuf(&self, value: f64, _desc: &Desc, out: &mut Vec<u8>) {
        protobuf::push_gauge(out, value);
    }

    fn value_of(&self, value: f64, _desc: &Desc) -> SampleValue {
        SampleValue::Gauge(value)
    }

    fn has_value(&self) -> bool {
        self.value() != 0.0
    }
}
