//! Store of traces: the running ones, the last completed ones, and the errors and slowest of each capability.

mod active;
mod adoption;
mod begin;
mod core;
mod global;
mod marks;
mod observer;
#[cfg(feature = "otlp")]
mod outlet;
mod query;
mod retained;
mod ring;
mod scope;
mod shards;
mod spares;
mod stats;

pub use self::active::ActiveTrace;
pub use self::begin::{new_trace, new_trace_from, new_trace_with_id};
pub use self::core::Store;
#[cfg(feature = "otlp")]
pub(crate) use self::core::WeakStore;
pub use self::global::{active, configure, get_recent, query, reserve, stats, trust};
pub use self::marks::{Marked, Marker};
pub use self::observer::Observer;
#[cfg(feature = "otlp")]
pub(crate) use self::outlet::Export;
pub use self::query::Query;
pub(crate) use self::scope::Carried;
pub use self::scope::StoreScope;
#[cfg(all(test, obs_loom))]
pub(crate) use self::shards::Assignment;
#[cfg(feature = "otlp")]
pub(crate) use self::stats::Count;
pub use self::stats::Stats;
