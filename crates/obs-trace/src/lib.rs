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
//! `spawn_blocking`, `JoinSet` and [`carry`] pass trace and span to another task, and [`carry_fn`] to another thread. A bare
//! `tokio::spawn` or `std::thread::spawn` does not. [`attach`]
//! and [`detach`] act on the enclosing scope. Outside all scopes each tokio task has its own context, and so has each thread
//! for code outside tasks. Neither sees the other's.
//!
//! A [`Span`] guard may be held across `.await` and dropped in any order. It does not become a parent. Spans nest through
//! [`SpanBuilder::wrap`], [`SpanBuilder::run`] and [`InSpan`]. A [`ManualSpan`] is entered and left by hand, for code that
//! cannot be a closure or a future.
//!
//! # End
//! A trace ends once, in one atomic change: by [`detach`], [`Trace::finish`], the end of its scope, a drop (`cancelled`) or a
//! panic (`panic`). Then it is in the ring. The line `done` is logged through the `log` crate with target `hearthnet.trace`
//! and the fields `capability`, `status`, `ms` and `spans`. Spans that have not ended by then are counted and not kept.
//!
//! # Coming from `tracing`
//! A guard of [`SpanBuilder::enter`] measures and does not nest, although `span.enter()` of `tracing` does. In async code a
//! guard that nests is a trap: held across `.await`, it makes every span of the thread its child, also those of other tasks,
//! until it is dropped, perhaps on another thread. `tracing` forbids that in its documentation, and here it is allowed. To
//! nest, write `span("a").wrap(future)` for `future.instrument(…)` and `span("a").run(|| …)` for `span.in_scope(|| …)`.
//! `span("a").wrap_result(future)` is for `#[instrument(err)]`. A [`ManualSpan`] is entered and left by hand.
//!
//! # What became of a span
//! A future that is dropped before its end, such as the loser of `select!`, a timeout or an aborted task, leaves its spans
//! with `error = "cancelled"`. So do the guards in it. [`Span::fail`] and [`Trace::fail`] set another code, and
//! [`SpanBuilder::wrap_result`] keeps the error that a future returns. A panic is `error = "panic"` on the spans that it
//! leaves; of a task that the helpers start it is an error in the log too, with the ID of the trace.
//!
//! # Blocked workers
//! A poll that holds its worker for over 10 ms ([`Config::blocked_worker_ms`]) delays every other task of that worker. It is
//! counted in [`Stats::blocked_polls`] and noted on the innermost span that held the worker, in the field `blocked_ms`; on
//! the line `done` and in [`TraceRecord::blocked`] for the whole trace. [`set_blocked_observer`] passes each one to the
//! program. It measures the polls of [`Trace::scope`], [`scope`](fn@scope), [`carry`], [`SpanBuilder::wrap`], the helpers
//! that start tasks, and [`Trace::enter_poll`], while a trace is current. It takes a nanosecond or two a poll.
//!
//! A worker is a worker of a tokio runtime or the thread in `block_on`. Threads of `spawn_blocking`, threads without a
//! runtime, and sections in [`off_worker`] do not count. On Linux, time does not count while the thread waits for a
//! processor, or while the whole machine or process stands still.
//!
//! # Memory
//! The ring holds the last 10 000 traces in at most 64 MiB. A trace has at most 128 spans, 256 fields and 16 KiB of their
//! text. Beside the ring the store keeps the last 10 errors and the 10 slowest traces of each of 64 capabilities, in at most
//! 16 MiB. It also keeps the last 2 048 traces that failed, and as many that other nodes [marked](Store::mark) because
//! another part of them failed, each in at most 8 MiB. Losses are counted in [`Stats`] and [`TraceRecord::dropped_spans`].
//! The limits are in [`Config`].
//!
//! `cargo xtask memory` measures it. 10 000 traces of 10 spans take 5.6 MiB of memory, or 26 MiB if each span has two
//! fields, one of them a text of 63 bytes. 10 000 traces of 128 spans take 33 MiB. With such fields the ring is full at
//! 2 900 of them. Memory stays the same over ten million traces.
//!
//! # Features
//! - `rt` (default): helpers for tokio. Without it the crate has no runtime.
//! - `otlp`: export to an OpenTelemetry collector, the module `otlp`.
//! - `tls`: collectors with `https`, verified by the certificates that the system trusts.

mod blocked;
mod clock;
mod config;
mod context;
mod error;
mod error_text;
mod id;
mod instant;
#[cfg(feature = "otlp")]
pub mod otlp;
mod prefetch;
pub mod propagation;
mod record;
mod span;
mod store;
mod sync;
mod text;
mod trace;

pub use blocked::{BlockedPoll, set_blocked_observer};
pub use config::Config;
#[cfg(feature = "rt")]
pub use context::{JoinSet, spawn, spawn_blocking, spawn_local};
pub use context::{
    Scope, WithContext, attach, carry, carry_callback, carry_fn, current_trace, detach, has_current_trace,
    off_worker, scope, with_current_id,
};
pub use error::{Error, ErrorKind};
pub use error_text::set_error_redaction;
pub use id::{IdPattern, ParseIdError, ParseIdPatternError, SpanId, TraceId};
pub use propagation::remote::Remote;
pub use record::{ErrorCode, IntoValue, NameNumbers, SpanRecord, Status, TraceRecord, Value, WithSpanIds};
pub use span::{
    InSpan, Instrumented, InstrumentedResult, ManualSpan, Outgoing, Span, SpanBuilder, SpanMark, in_span,
    outgoing, span,
};
pub use store::{
    ActiveTrace, Marked, Marker, Observer, Query, Stats, Store, StoreScope, active, configure, get_recent,
    new_trace, new_trace_from, new_trace_with_id, query, reserve, stats, trust,
};
pub use trace::Trace;

/// Compiles and runs the examples of the README.
#[cfg(all(doctest, feature = "rt"))]
#[doc = include_str!("../README.md")]
struct Readme;
