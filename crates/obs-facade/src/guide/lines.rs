//! Lines: loggers, levels, fields, and the line that each form writes.
//!
//! # Loggers
//!
//! A module has one logger, in a `static`. Its name is the path of the module; `::` reads `.`:
//!
//! ```
//! use obs_facade::{Logger, info};
//!
//! static LOG: Logger = Logger::new(module_path!()); // "hearthnet.bus.router" in that module
//!
//! info!(logger: LOG, peers = 3; "joined");
//! ```
//!
//! A macro without `logger:` uses the path of the module that it is in, as the macros of the `log` crate do. Lines of
//! third-party crates that use [`log`](https://docs.rs/log) are in the same file, with the same rules.
//!
//! # Fields
//!
//! Fields come before `;`, the message after it. A macro without fields takes the message alone: `info!("joined")`. Values in
//! braces are part of the message, not fields.
//!
//! | form | in the line |
//! |---|---|
//! | `peers = 3` | `"peers":3` |
//! | `peers` | `"peers":3` |
//! | `name = "ada"` | `"name":"ada"` |
//! | `load = 0.5, ok = true, sign = 'x'` | `"load":0.5,"ok":true,"sign":"x"` |
//! | `found = Some(5), lost = None::<u32>` | `"found":5,"lost":null` |
//! | `took = Duration::from_micros(12_340)` | `"took":12.34` |
//! | `node:% = address` | `"node":"10.0.0.7:7080"` |
//! | `point:? = (1, "x")` | `"point":"(1, \"x\")"` |
//! | `error:err = gone` | `"error":"gone"` |
//! | `list:serde = [1, 2]` | `"list":[1,2]` |
//! | `bytes = u64::MAX` | `"bytes":"18446744073709551615"` |
//! | `ratio = f64::NAN` | `"ratio":"NaN"` |
//! | `"a key" = 1, r#type = 2` | `"a key":1,"type":2` |
//! | `ts = 1` | `"field_ts":1` |
//! | `password = "hunter2"` | `"password":"[redacted]"` |
//! | `card = Secret::new("4111")` | `"card":"[redacted]"` |
//!
//! A field without a modifier takes numbers, texts, booleans, characters, durations (in milliseconds) and options of them. A
//! type that it does not take is an error of the compiler, which names the modifier. `:%` takes what is `Display`,
//! `:?` what is `Debug`, `:err` an error, `:serde` what is `Serialize`.
//!
//! An integer beyond ±2^53 is a text, because many readers would round it. A field with the name of one of the line's own keys
//! gets the prefix `field_`. The last value of a repeated field counts.
//!
//! # Errors
//!
//! [`exception!`](crate::exception!) logs an error with its type, its message, its chain of causes and a backtrace, and asks
//! the writer to write at once:
//!
//! ```
//! use obs_facade::{Logger, exception};
//!
//! static LOG: Logger = Logger::new("hearthnet.rag.search");
//!
//! # let read = || std::fs::read("/nowhere/index");
//! if let Err(err) = read() {
//!     exception!(logger: LOG, err, corpus = "docs"; "the index cannot be read");
//! }
//! ```
//!
//! An expected error is a line of level `warning`: `warn!(error:err = err; "no answer")`. The modifier `:err` takes an
//! error, a `Box<dyn Error>` or `anyhow::Error`, or a reference to one, and writes its message and causes.
//!
//! # Repeated lines
//!
//! [`warn_limited!`](crate::warn_limited!) and its siblings write one line a second for each logger and key. The next line of
//! the key has the number of lines that were held back, as `suppressed`:
//!
//! ```
//! use obs_facade::{Logger, warn_limited};
//!
//! static LOG: Logger = Logger::new("hearthnet.bus.router");
//!
//! # let node = "7H4G-Y9KL";
//! warn_limited!(logger: LOG, "peer_quarantined", node; "peer is quarantined");
//! ```
//!
//! # What a log call costs and never does
//!
//! A line is bounded, escaped, and copied into memory that survives a kill of the process; a thread of its own writes it. The
//! call does not fail and does not panic. It waits only while the disk is slower than the whole queue, and no longer than the
//! configuration allows. Lines that are lost are counted on the metrics page.
