//! Third parties: crates that use `log`, `tracing` or `metrics`, and programs that have a logger already.
//!
//! After [`configure`](crate::configure), a module changes nothing for the crates that it uses:
//!
//! | a crate says | where it is |
//! |---|---|
//! | `log::info!(peers = 3; "joined")` | a line, under the same levels; fields keep their types |
//! | `tracing::info!(peers = 3, "joined")` | a line, with the feature `tracing` |
//! | a span of `tracing` | a span of the current trace, with the feature `tracing` |
//! | `metrics::counter!("hits", "shard" => "1")` | a series on the page |
//!
//! # `tracing`
//!
//! An event is one line: its target is the logger, `message` the message, and each field a field. A `dyn Error` reads with
//! its causes. `log_level` holds for targets too: `info,hyper=warn`. A span is recorded while a trace is current. A library
//! that works without one, such as a scheduler of jobs, gets traces of its own where `tracing_roots` names its target:
//!
//! ```toml
//! [observability]
//! log_level = "info,hyper=warn"
//! tracing_roots = ["my_crate::jobs"]
//! ```
//!
//! A function `search` under `#[instrument(err)]` writes the line `search failed` with the field `error`; with `ret`, `search
//! returned` with the field `return`. Another event without a message has its place in the source as `msg`. The span is not
//! marked as failed. A `Duration` of `tracing` is the text of its `Debug`; one of this crate's
//! macros is a number.
//!
//! A span of `tracing` and one of [`trace`](mod@crate::trace) may enclose each other in any order.
//!
//! # A program with a logger or subscriber of its own
//!
//! The `log` crate has one logger and `tracing` one dispatcher, for the whole process. [`configure`](crate::configure)
//! installs both. Where another one was first, its error says what to do, and changes nothing. Either order works:
//!
//! - `tracing-subscriber`: set `install_dispatcher(false)` and add the layer of the feature `tracing-layer` to the stack. Set
//!   the stack by `set_global_default`: `init` would also take the place of the logger of the `log` crate.
//! - A logger of the `log` crate: set `install_logger(false)` and pass its records on to
//!   [`log::logger`](crate::log::logger).
//!
#![cfg_attr(feature = "tracing-layer", doc = "```")]
#![cfg_attr(not(feature = "tracing-layer"), doc = "```ignore")]
//! use obs_facade::ObservabilityConfig;
//! use tracing_subscriber::{fmt, layer::SubscriberExt, registry};
//!
//! # let folder = tempfile::tempdir()?;
//! # let config = ObservabilityConfig::new(folder.path());
//! let guard = obs_facade::configure(&config.install_dispatcher(false))?;
//! let stack = registry().with(obs_facade::tracing::layer()).with(fmt::layer().with_writer(std::io::sink));
//! tracing::subscriber::set_global_default(stack)?;
//!
//! tracing::info!(peers = 3, "joined"); // a line of the log, and one of `fmt`
//! # drop(guard);
//! # assert_eq!(obs_facade::log::stats().written, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `init` of `tracing-subscriber` panics if a logger or dispatcher is installed; `try_init` returns an error.
