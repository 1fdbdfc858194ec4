//! The doctor of a HearthNet node: it finds faults on this machine and names a remedy for each.
//!
//! A [`Doctor`] is a list of checks. It runs them concurrently, each on a thread of its own with a deadline, and returns one
//! [`Report`]: text for people, JSON for scripts, and an exit code. It changes nothing on the machine. A check that hangs,
//! blocks or panics does not delay the report beyond 5 s.
//!
//! ```
//! use std::sync::Arc;
//! use obs_doctor::{CapabilityBus, Check, CheckResult, Config, Doctor, NoBus, render};
//! # async fn open(_: &std::path::Path) -> Result<Vec<u8>, std::io::Error> { Ok(vec![0; 3]) }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), obs_doctor::Error> {
//! let mut doctor = Doctor::standard();
//! doctor.register(Check::new("vector_store").after("disk_space").run(|cx| async move {
//!     match open(&cx.config.data_dir.join("rag")).await {
//!         Ok(store) => CheckResult::pass(format!("{} vectors", store.len())),
//!         Err(e) => CheckResult::fail(e.to_string()).fix("run `hearthnet rag reindex`"),
//!     }
//! }))?;
//!
//! let config = Config::default().offline(true);
//! let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus); // or the node that this code runs in
//! let report = doctor.run_all(&config, &bus).await;
//! print!("{}", render::text(&report, &render::TextStyle::default()));
//! # Ok(())
//! # }
//! ```
//!
//! # The checks of the node
//!
//! | name | fails when | runs after |
//! |---|---|---|
//! | `keys_present` | the device key is missing, not a file, another user's, or open to others | |
//! | `keys_loadable` | the device key is not an Ed25519 seed, or `device.pub` does not belong to it | `keys_present` |
//! | `community_present` | no manifest, an unreadable one, or one of another community | |
//! | `event_log_writable` | SQLite cannot write to it | `community_present` |
//! | `mdns_socket` | the mDNS port cannot be shared | |
//! | `udp_multicast` | a packet to the discovery group does not come back | |
//! | `transport_port` | the bus port has another owner, or cannot be bound | |
//! | `at_least_one_capability` | the running node has none | |
//! | `disk_space` | less than 1 GB (10⁹ bytes) is free, no inodes, or a read-only mount | |
//! | `clock_sanity` | two anchors on the internet say that the clock is over 60 s off | |
//! | `llm_backend_reachable` | no configured language model answers | |
//! | `recent_error_rate` | 20 % or more of the last 100 calls failed | |
//!
//! These twelve come first. The checks of observability itself follow:
//!
//! | name | fails when | runs after |
//! |---|---|---|
//! | `log_folder` | the log folder is missing, cannot be written, is open to others, or its disk is full | |
//! | `log_writes` | the log could not be written, or lines were dropped, in the last 15 minutes | `log_folder` |
//! | `log_handover` | a running node does not take over the lines of a process that was killed | `log_folder` |
//! | `log_crash_safety` | a kill of the node would lose its last lines | `log_folder` |
//! | `trace_export` | the collector does not accept the traces, metrics or log lines | |
//! | `last_stop` | never; it warns for a day when the run before this one was killed | |
//! | `clock_steps` | the clock was set three times or more within a day while the node ran | |
//!
//! Whether the log folder can be written is asked (`access(2)`, `statvfs(3)`) and not tried. A quota, a security module or
//! a network disk can refuse a write after both agree. The write errors of the running node show that.
//!
//! A check that cannot be made (offline, no node running, nothing configured) is skipped with the reason. A check whose
//! dependency failed is skipped with the cause, so that one fault gives one failure. `docs/faults.md` in this crate lists
//! each fault that a test makes, with the doctor's line and fix. `docs/report` shows reports at 80 and 40 columns, with and
//! without colour.
//!
//! # Your own checks
//!
//! A check is a closure as above ([`Check::new`], with [`run`](CheckBuilder::run) or
//! [`run_blocking`](CheckBuilder::run_blocking)), or a type that implements [`Probe`]. It reads the machine through
//! [`machine`], so that its tests can replace parts of it. [`register`], [`run_all`] and [`run_one`] work on a registry of
//! the process. A [`Doctor`] is a registry of your own.
//!
//! # No changes
//!
//! A run leaves the machine as it was, including a write-ahead log that a crash has left, a port that a node is about to
//! bind, and the mDNS packets of others. [`Repair`] is the one exception and runs only on request: it removes other users'
//! rights to the device key.
//!
//! # No secrets
//!
//! Every text of a result, also of your own checks, is cleaned before it is shown: URL passwords, tokens in queries,
//! authorization values and the 32 bytes of a key in hex or base64 are hidden, terminal-unsafe characters are escaped, and
//! long text is cut. Keys are shown by their public part only.
//!
//! # Features
//!
//! - `tls` (off): `https` addresses of language models and clock anchors, with the certificates that the system trusts.

mod bus;
mod check;
#[expect(
    clippy::result_large_err,
    reason = "a problem is made at most once in a run, and is the result of the check"
)]
mod checks;
mod config;
mod device_key;
mod engine;
mod error;
pub mod machine;
mod observability;
mod registry;
pub mod render;
mod report;
mod text;

pub use bus::{BusError, CapabilityBus, NoBus, Outcome};
pub use check::{Check, CheckBuilder, Context, Probe};
pub use config::{Config, LlmBackend};
pub use device_key::{Repair, RepairError, device_node_id};
pub use engine::Limits;
pub use error::{Error, ErrorKind};
pub use observability::{ClockState, ExportCounts, ExportState, LastRun, LogState, Observability, RunEnd};
pub use registry::{Doctor, default_doctor, register, run_all, run_one};
pub use report::{Category, CheckResult, Report, SkipReason, Status, Summary};
pub use text::{Redactor, SecretKind, redact, shell_path};

/// Compiles and runs the snippets of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
