//! Lines and spans of HearthNet for what libraries say through the [`tracing`](https://docs.rs/tracing) crate.
//!
//! An event becomes a line of obs-log. A span becomes a child span of the current trace of obs-trace. [`configure`] makes the
//! bridge the dispatcher of the process. A program that has a `tracing-subscriber` stack adds `layer` to it, behind the feature
//! `layer`. Levels are those of the log, for spans too, so the log must be configured.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let _guard = obs_log::configure(&obs_log::Config::new(folder.path()))?;
//! obs_tracing::configure(&obs_tracing::Config::new())?;
//!
//! let trace = obs_trace::new_trace("rag.query");
//! trace.enter(|| {
//!     tracing::info_span!("search", corpus = "docs").in_scope(|| {
//!         tracing::info!(hits = 3, "found");                  // a line with the trace's ID
//!         obs_trace::in_span("rank", || {});                  // a child of `search`
//!     });
//! });
//! let spans = trace.finish().unwrap().spans();
//! assert_eq!((spans[0].name(), spans[1].name()), ("search", "rank"));
//! assert_eq!(spans[1].parent(), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Spans
//! - The parent is the enclosing span of the current trace, whether of `tracing` or of obs-trace, or the span that
//!   `parent: &span` names. A span with `parent: None` belongs to no trace.
//! - While a thread has entered a span, the span encloses what the thread does: spans, lines, and headers of outgoing calls
//!   belong to it. `Instrument` works on any thread. Spans may be entered often, by several threads, and left in any order.
//! - Without a trace a span is disabled, which takes some nanoseconds. [`Config::roots`] names targets whose outermost span is
//!   a trace of its own, with the name of the span as its capability. Its fields are on the line `done`, at most eight.
//! - A span ends with its last handle. It is not in the record if the trace ended before.
//! - A panic marks the spans that it leaves, as it does those of obs-trace.
//!
//! # Fields of spans
//! Numbers, Booleans and texts keep their types. An integer of more than 64 bits is a text, as is what shows itself by
//! `Debug` or `Display`. An error is the text of it and of its causes: `top: cause: cause`. A value that panics is
//! `[panicked while formatting]`. Fields are bounded as all fields of a trace are, and counted in `obs_trace::stats`.
//!
//! The names `error`, `capability`, `status`, `ms` and `spans` have a meaning in a trace. Fields of `tracing` with these names
//! get the prefix `field_`, so `error = …` does not mark a span as failed. `follows_from` becomes a field of that name with
//! the IDs of the trace and of the latest span.
//!
//! # Memory
//! At most 8 192 spans are open at a time, in half a MiB. An open span also keeps the record of its trace, which takes 0.7 KiB
//! to 28 KiB. When new memory would be needed, spans of ended traces that a program has leaked are forgotten. Spans beyond
//! the limit are counted in [`Stats::excess_spans`] and not recorded. In a stack of `tracing-subscriber` the same limit
//! holds, and the stack's own memory comes on top.

mod error;
mod event;
mod install;
#[cfg(feature = "layer")]
mod layer;
mod levels;
mod others;
mod places;
mod roots;
mod span;
mod subscriber;
mod trace_ids;

pub use error::{Error, ErrorKind};
pub use install::{Config, configure};
#[cfg(feature = "layer")]
pub use layer::{BridgeLayer, Observer, Wanted, layer};
pub use others::{is_layered, makes_events_of_records};
pub use span::{Stats, stats};
pub use subscriber::Bridge;

/// Compiles and runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
