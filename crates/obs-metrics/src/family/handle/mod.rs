//! Handles: what a user holds to record in one series.

pub(crate) mod counter;
pub(crate) mod gauge;
pub(crate) mod histogram;
pub(crate) mod lease;
pub(crate) mod summary;

use std::fmt;
use std::sync::Arc;

use self::counter::Counter;
use self::gauge::Gauge;
use self::histogram::Histogram;
use self::summary::Summary;
use super::lookup_cache::Cached;
use super::series::Series;
use crate::cell::counter::CounterCell;
use crate::cell::gauge::GaugeCell;
use crate::cell::histogram::HistogramCell;
use crate::cell::summary::SummaryCell;

/// Handle that a family gives out: [`Counter`], [`Gauge`], [`Histogram`] or [`Summary`].
///
/// ```
/// fn first<I: obs_metrics::Instrument>(family: &obs_metrics::Family<I, 1>) -> I {
///     family.with(["first"])
/// }
/// # let registry = obs_metrics::Registry::new();
/// # first(&registry.counter("a_total", "A.", ["x"])).inc();
/// ```
pub trait Instrument: Clone + Default + fmt::Debug + Send + Sync + sealed::Sealed + 'static {}

pub(crate) mod sealed {
    use super::{Arc, Cached, Series};

    /// Ties a handle to the cell behind it.
    pub trait Sealed: Sized {
        /// Storage of one series.
        type Cell: Cached;

        /// Returns a handle to a series.
        fn to(series: Arc<Series<Self::Cell>>) -> Self;
    }
}

macro_rules! instrument {
    ($handle:ident, $cell:ident) => {
        impl Instrument for $handle {}

        impl sealed::Sealed for $handle {
            type Cell = $cell;

            #[inline]
            fn to(series: Arc<Series<$cell>>) -> Self {
                Self(Some(series))
            }
        }
    };
}

instrument!(Counter, CounterCell);
instrument!(Gauge, GaugeCell);
instrument!(Histogram, HistogramCell);
instrument!(Summary, SummaryCell);
