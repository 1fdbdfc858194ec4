//! Traces of a HearthNet node's requests: they survive `await`, `spawn`, panic and disconnect, and the last ones can be read
//! in the process.
//!
#![cfg_attr(feature = "rt", doc = "```")]
#![cfg_attr(not(feature = "rt"), doc = "```ignore")]
//! use obs_trace as trace;
//! # async fn search(_: &str) -> Vec<u32> { vec![1] }
//! # async fn embed(_: &[u32]) -> u32 { 1 }
//! # async fn rank(_: &[u32]) -> u32 { 2 }
//! # async fn store(_: u32) {}
//! # let q = "";
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//!
//! let t = trace::new_trace("rag.query");
//! let out = t.scope(async {
//!     let hits = trace::span("search").wrap(search(q)).await;     // child of the trace
//!     let (a, b) = tokio::join!(
//!         trace::span("embed").wrap(embed(&hits)),                // siblings, both children of the trace
//!         trace::span("rank").wrap(rank(&hits)),
//!     );
//!     trace::spawn(async move { store(a).await });                // carries the trace; tokio::spawn does not
//!     b
//! }).await;                                                       // ended, in the ring, `done` logged
//!
//! let recent = trace::get_recent(1);
//! assert_eq!(recent[0].capability(), "rag.query");
//! # assert_eq!(out, 2);
//! # });
//! ```
//!
//! # Context
//! A trace belongs to a scope. [`Trace::scope`] makes a future a scope, in every poll and on every thread. `spawn`,
//! `spawn_blocking`, `JoinSet` and [`carry`] pass trace and span to another task. A bare `tokio::spawn` does not. [`attach`]
//! and [`detach`] act on the enclosing scope. Outside all scopes each tokio task has its own context, and so has each thread
//! for code outside tasks. Neither sees the other's.
//!
//! A [`Span`] guard may be held across `.await` and dropped in any order. It does not become a parent. Spans nest through
//! [`SpanBuilder::wrap`], [`SpanBuilder::run`] and [`InSpan`].
//!
//! # End
//! A trace ends once, in one atomic change: by [`detach`], [`Trace::finish`], the end of its scope, a drop (`cancelled`) or a
//! panic (`panic`). Then it is in the ring. The line `done` is logged through the `log` crate with target `hearthnet.trace`
//! and the fields `capability`, `status`, `ms` and `spans`. Spans that have not ended by then are counted and not kept.
//!
//! # Memory
//! The ring holds the last 10 000 traces in at most 64 MiB. A trace has at most 128 spans, 256 fields and 16 KiB of their
//! text. Beside the ring the store keeps the last 10 errors and the 10 slowest traces of each of 64 capabilities, in at most
//! 16 MiB. Losses are counted in [`Stats`] and [`TraceRecord::dropped_spans`]. The limits are in [`Config`].
//!
//! `cargo xtask memory` measures it. 10 000 traces of 10 spans take 5.6 MiB of memory, or 26 MiB if each span has two
//! fields, one of them a text of 63 bytes. 10 000 traces of 128 spans take 33 MiB. With such fields the ring is full at
//! 2 900 of them. Memory stays the same over ten million traces.
//!
//! # Features
//! - `rt` (default): helpers for tokio. Without it the crate has no runtime.
//! - `otlp`: export to an OpenTelemetry collector, the module `otlp`.
//! - `tls`: collectors with `https`, verified by the certificates that the system trusts.

mod clock;
mod config;
mod context;
mod error;
mod id;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod propagation;
mod record;
mod span;
mod store;
mod sync;
mod text;
mod trace;

pub use config::Config;
#[cfg(feature = "rt")]
pub use context::{JoinSet, spawn, spawn_blocking, spawn_local};
pub use context::{Scope, WithContext, attach, carry, current_trace, detach, scope, with_current_id};
pub use error::{Error, ErrorKind};
pub use id::{IdPattern, ParseIdError, ParseIdPatternError, SpanId, TraceId};
pub use propagation::remote::Remote;
pub use record::{ErrorCode, SpanRecord, Status, TraceRecord, Value, WithSpanIds};
pub use span::{InSpan, Instrumented, Outgoing, Span, SpanBuilder, in_span, outgoing, span};
pub use store::{
    ActiveTrace, Query, Stats, Store, StoreScope, active, configure, get_recent, new_trace, new_trace_from,
    new_trace_with_id, query, reserve, stats,
};
pub use trace::Trace;

/// Compiles and runs the examples of the README.
#[cfg(all(doctest, feature = "rt"))]
#[doc = include_str!("../README.md")]
struct Readme;
