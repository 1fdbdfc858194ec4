//! Capture of lines, samples and traces in tests of a bus module, without global state.
//!
//! A [`Capture`] has a log, a registry, a store of traces and rate limits of its own, so tests run side by side in one process
//! and need no [`configure`](fn@crate::configure).
//!
//! ```
//! use obs_facade::{info, testing::Capture, trace};
//!
//! # tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap().block_on(async {
//! let obs = Capture::new();
//! obs.scope(trace::new_trace("rag.index").scope(async {
//!     trace::spawn(async { info!("indexed") }).await.unwrap();                       // on another thread
//! }))
//! .await;
//! let id = obs.traces().last().trace_id().to_string();
//! obs.logs().single("indexed").field("trace_id", id);
//! # });
//! ```
//!
//! # Tasks and threads
//!
//! A capture belongs to the code in [`Capture::scope`] or [`Capture::run`], on the thread that runs it. It follows where a trace
//! would follow, whether there is a trace or not:
//!
//! | start of the task or thread | captured |
//! |---|---|
//! | `trace::spawn`, `trace::spawn_blocking`, `trace::spawn_local`, `trace::JoinSet` | yes |
//! | [`trace::carry`](crate::trace::carry)`(future)` on any executor | yes |
//! | `std::thread::spawn(`[`trace::carry_fn`](crate::trace::carry_fn)`(f))` | yes |
//! | a callback in [`trace::carry_callback`](crate::trace::carry_callback) or `http::traced` | yes |
//! | `join!`, `select!`, `FuturesUnordered` in the scope | yes |
//! | `tokio::spawn`, `tokio::task::spawn_blocking`, `std::thread::spawn` | no: what they record goes to the process's log, page and ring, or nowhere without `configure` |
//!
//! A task may outlive the scope; its records are captured until its end. So wait for it before you read them.
//!
//! # Other crates
//!
//! Lines of the `log` macros and samples of the `metrics` macros are captured, whoever made them, and with the feature `tracing`
//! also events and spans of the `tracing` crate. A recorder or dispatcher that the process has already keeps the records outside
//! of captures.
//!
//! # Traces that began outside
//!
//! `obs.scope(trace::new_trace("x").scope(future))` begins the trace before the capture. It is captured all the same, because it
//! ends inside. With `trace::new_trace("x").scope(obs.scope(future))` the trace is captured too, and its lines have its ID; its
//! line `done` is not, because it is made after the scope.
//!
//! # What a test says when it fails
//!
//! A message, field, family or label that does not exist panics with the nearest one that does. [`Logs::of`] has the lines of
//! one logger.
//!
//! # Pitfalls
//!
//! - *Parallel tests.* `cargo test` runs tests as threads of one process. Two captures do not see each other. What is not in a
//!   capture is shared: the registry, ring, page and files of the process, and the levels of `configure`. Assert on a capture,
//!   not on `trace::get_recent` or `/metrics`, or put such a test into a file of its own.
//! - *Bodies.* The trace of a request ends with its response's body. A test that drops a response without reading its body is a
//!   client that went away: the result is `cancelled`. Read the body inside the scope before you assert on the result.
//! - *Levels.* A capture has the lines of every level. While one is open, [`log_enabled!`](crate::log_enabled) is true in its
//!   scope, and code outside of it evaluates the arguments of its debug lines too.
//! - *`#[tokio::test]`.* Its runtime has one thread, with `flavor = "multi_thread"` several. A capture works with both, because
//!   it is entered for each poll. A guard that is held across `.await`, such as `Registry::enter` returns, works with one thread
//!   alone and then also gets the records of other tasks.
//! - *Handles in statics.* A handle such as a [`Counter`](crate::metrics::Counter) belongs to the registry in which it was taken.
//!   If a static holds it, the first test that uses it gets the samples of all. Keep the family in the static and call
//!   [`with`](crate::metrics::Family::with) where you record. The same holds for a handle of the `metrics` macros.
//! - *Statics that make their family.* A declaration in a `LazyLock` has not run until its first use, and a family that is not
//!   declared cannot be read; see [`Metrics::value`].
//! - *Rate limits.* `warn_limited!` passes once a second in each capture. The next line that passes has the number of suppressed
//!   ones, and [`log::flush`](crate::log::flush) inside of the capture reports it at once.

mod capture;
mod logs;
mod metrics;
mod scoped;
mod traces;

pub use self::capture::Capture;
pub use self::logs::{Line, Logs};
pub use self::metrics::Metrics;
pub use self::scoped::Scoped;
pub use self::traces::Traces;
