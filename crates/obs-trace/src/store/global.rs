//! Free functions on the store in force: that of the process, or the one that a test has entered.

use std::sync::Arc;

use super::{ActiveTrace, Query, Stats, Store};
use crate::{Config, Error, TraceRecord};

/// Sets the limits of the store, also while traces run. The same limits again change nothing.
///
/// # Errors
/// A limit is out of its range. Nothing is changed.
///
/// ```
/// obs_trace::configure(&obs_trace::Config::default())?;
/// # Ok::<(), obs_trace::Error>(())
/// ```
pub fn configure(config: &Config) -> Result<(), Error> {
    Store::current().configure(config)
}

/// Keeps errors and slowest traces of each of these capabilities separately, and those of all others together. See
/// [`Store::reserve`].
///
/// ```
/// obs_trace::reserve(&["llm.chat", "rag.query"]);
/// ```
pub fn reserve(capabilities: &[&str]) {
    Store::current().reserve(capabilities);
}

/// Keeps errors and slowest traces of each of these capabilities separately, whatever others occur. See [`Store::trust`].
///
/// ```
/// obs_trace::trust(&["web:GET /items/{id}"]);
/// ```
pub fn trust(capabilities: &[&str]) {
    Store::current().trust(capabilities);
}

/// Returns the last `n` completed traces, newest first.
///
/// ```
/// obs_trace::new_trace("llm.chat").finish();
/// assert_eq!(obs_trace::get_recent(1)[0].capability(), "llm.chat");
/// ```
pub fn get_recent(n: usize) -> Vec<Arc<TraceRecord>> {
    Store::current().get_recent(n)
}

/// Returns the completed traces that match `query`, newest first. Includes errors and slowest traces that the ring has
/// evicted.
///
/// ```
/// let failed = obs_trace::query(&obs_trace::Query::default().status("timeout"));
/// assert!(failed.is_empty());
/// ```
pub fn query(query: &Query) -> Vec<Arc<TraceRecord>> {
    Store::current().query(query)
}

/// Returns the traces that have begun and not ended, oldest first.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// assert_eq!(obs_trace::active().len(), 1);
/// # trace.finish();
/// ```
pub fn active() -> Vec<ActiveTrace> {
    Store::current().active()
}

/// Returns counts of the store and its size now.
///
/// ```
/// assert_eq!(obs_trace::stats().panicked, 0);
/// ```
pub fn stats() -> Stats {
    Store::current().stats()
}
