//! Spans: traces, their parts, other tasks and threads, and what becomes of work that is not finished.
//!
//! # A trace and its spans
//!
//! A bus call has a trace already: the request layer made it. Code that starts work outside a request begins its own trace.
//! Spans are the parts of a trace. A span without a trace records nothing and costs a check.
//!
//! ```
//! use obs_facade::trace;
//!
//! # async fn read() {}
//! # async fn index() {}
//! # let work = async {
//! trace::new_trace("rag.reindex")
//!     .scope(async {
//!         trace::span("read").field("corpus", "docs").wrap(read()).await;
//!         trace::span("index").wrap(index()).await;
//!     })
//!     .await; // ended: in `/trace/recent`, with a line `done`
//! # };
//! # let obs = obs_facade::testing::Capture::new();
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(obs.scope(work));
//! # assert_eq!(obs.traces().last().spans().len(), 2);
//! ```
//!
//! # Other tasks and threads
//!
//! | code | has the trace |
//! |---|---|
//! | `.await`, `join!`, `select!`, streams | yes |
//! | [`trace::spawn`](crate::trace::spawn), `spawn_blocking`, `spawn_local`, [`JoinSet`](crate::trace::JoinSet) | yes |
//! | `tokio::spawn(`[`carry`](crate::trace::carry)`(future))` | yes |
//! | `std::thread::spawn(`[`carry_fn`](crate::trace::carry_fn)`(f))`, a callback in [`carry_callback`](crate::trace::carry_callback) | yes |
//! | `tokio::spawn`, `std::thread::spawn` | no |
//!
//! # For users of `tracing`
//!
//! | `tracing` | here |
//! |---|---|
//! | `info!(peers, "joined")` | `info!(peers; "joined")` |
//! | `span.in_scope(f)` | `trace::span("name").run(f)` |
//! | `future.instrument(span)` | `trace::span("name").wrap(future)` |
//! | `span.record("key", value)` | `span.set_field("key", value)` |
//! | `let _guard = span.enter();` | `let _span = trace::span("name").enter();`, which measures and is no parent |
//! | `tokio::spawn(future.in_current_span())` | `trace::spawn(future)` |
//!
//! A guard of [`enter`](crate::trace::SpanBuilder::enter) may be held over `.await` and dropped in any order. So the code that
//! runs while it lives need not be a part of it, and it is not the parent of other spans. `run` and `wrap` make parents.
//!
//! # Unfinished work
//!
//! A trace ends once, whatever happens: at the end of its scope, as `cancelled` if the future is dropped before, as `panic` if
//! it unwinds. [`Trace::fail`](crate::trace::Trace::fail) gives it a code of its own, and
//! [`Span::fail`](crate::trace::Span::fail) marks a span.
//!
//! | what happens | the span has |
//! |---|---|
//! | the future loses in `select!`, times out or is dropped | `error="cancelled"`; the trace and the enclosing spans are not marked |
//! | [`wrap_result`](crate::trace::SpanBuilder::wrap_result) sees an `Err` | the type of the error as `error`, its message as `cause` |
//! | a panic | `error="panic"` |
//! | the trace ends first | nothing: the span is counted in `dropped_spans` |
//!
//! # A blocked worker
//!
//! A poll that holds its thread for over 10 ms delays everything else on that thread. It is counted in
//! `hearthnet_blocked_polls_total`, its span has `blocked_ms`, and a warning names capability and span: `a poll blocked its
//! worker`. Move the work to [`spawn_blocking`](crate::trace::spawn_blocking). Where it blocks on purpose, as
//! `block_in_place` does, wrap it in [`off_worker`](crate::trace::off_worker). The setting `blocked_worker_ms` changes the
//! limit or turns it off.
