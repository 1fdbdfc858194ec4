//! The store in force, by free functions: that of the process, or the one that a test has entered.

use std::sync::Arc;

use crate::{ActiveTrace, Config, Error, Query, Stats, Store, TraceRecord};

/// Sets the bounds of the store. The same again changes nothing; other ones are applied live.
///
/// # Errors
/// A bound is out of its range; nothing is changed.
///
/// ```
/// obs_trace::configure(&obs_trace::Config::default())?;
/// # Ok::<(), obs_trace::Error>(())
/// ```
pub fn configure(config: &Config) -> Result<(), Error> {
    Store::current().configure(config)
}

/// Keeps errors and slowest traces of each of these capabilities by themselves, and those of all others together; see
/// [`Store::reserve`].
///
/// ```
/// obs_trace::reserve(&["llm.chat", "rag.query"]);
/// ```
pub fn reserve(capabilities: &[&str]) {
    Store::current().reserve(capabilities);
}

/// The last `n` completed traces, newest first (spec §5.1).
///
/// ```
/// obs_trace::new_trace("llm.chat").finish();
/// assert_eq!(obs_trace::get_recent(1)[0].capability(), "llm.chat");
/// ```
pub fn get_recent(n: usize) -> Vec<Arc<TraceRecord>> {
    Store::current().get_recent(n)
}

/// The completed traces that `query` asks for, newest first; also errors and slowest traces that the
/// ring has lost (T6).
///
/// ```
/// let failed = obs_trace::query(&obs_trace::Query::default().status("timeout"));
/// assert!(failed.is_empty());
/// ```
pub fn query(query: &Query) -> Vec<Arc<TraceRecord>> {
    Store::current().query(query)
}

/// The traces that have begun and not ended, oldest first (T6).
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// assert_eq!(obs_trace::active().len(), 1);
/// # trace.finish();
/// ```
pub fn active() -> Vec<ActiveTrace> {
    Store::current().active()
}

/// What the store has seen and holds.
///
/// ```
/// assert_eq!(obs_trace::stats().panicked, 0);
/// ```
pub fn stats() -> Stats {
    Store::current().stats()
}
