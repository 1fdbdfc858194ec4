//! Settings of the history.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obs_metrics::Registry;

use crate::error::{Error, ErrorKind};

/// Smallest size: below it, a busy minute would not fit.
const MIN_BYTES: u64 = 1 << 20;

/// Families that are kept: what happened to calls, and the state of the node and its process.
const FAMILIES: [&str; 19] = [
    "hearthnet_active_streams",
    "hearthnet_blob_storage_bytes",
    "hearthnet_capability_health_success_rate",
    "hearthnet_doctor_check_ok",
    "hearthnet_emergency_mode",
    "hearthnet_event_log_lamport_head",
    "hearthnet_event_log_size",
    "hearthnet_llm_concurrent",
    "hearthnet_llm_tokens_generated_total",
    "hearthnet_log_lines_dropped_total",
    "hearthnet_log_lines_written_total",
    "hearthnet_nodes_online",
    "hearthnet_rate_limited_total",
    "hearthnet_request_duration_seconds",
    "hearthnet_requests_total",
    "hearthnet_signature_failures_total",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
];

/// Settings of a [`History`](crate::History).
///
/// ```
/// use obs_history::Config;
///
/// let config = Config::new("/var/log/hearthnet/history").days(30).max_bytes(128 << 20).family("rag_queries_total");
/// assert!(config.check().is_ok());
/// ```
#[must_use]
#[derive(Clone, Debug)]
pub struct Config {
    folder: PathBuf,
    days: u32,
    max_bytes: u64,
    version: String,
    is_resumed: bool,
    registry: Registry,
    families: Vec<String>,
    before_reading: Option<Hook>,
}

/// Function of the program that runs on the history's thread.
#[derive(Clone)]
struct Hook(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Config {
    /// Creates the default configuration: 14 days, 64 MiB, the standard families of the global registry.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Config {
            folder: folder.into(),
            days: 14,
            max_bytes: 64 << 20,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            is_resumed: false,
            registry: Registry::global().clone(),
            families: FAMILIES.map(str::to_owned).to_vec(),
            before_reading: None,
        }
    }

    /// Sets the number of days that are kept: 1 to 366.
    pub fn days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }

    /// Sets the maximum size of the file and what SQLite keeps beside it, in bytes: 1 MiB or more. The oldest minutes make
    /// room for new ones.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the version of the program, which is noted with each run.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets whether this process has kept a history before. Its next run is then no restart for readers.
    pub fn resumed(mut self, on: bool) -> Self {
        self.is_resumed = on;
        self
    }

    /// Sets the registry that is read.
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = registry.clone();
        self
    }

    /// Adds a family to those that are kept, by the name on the page. A histogram must be
    /// [native](obs_metrics::HistogramFamily::native); summaries are not kept, because their quantiles do not add up.
    pub fn family(mut self, name: impl Into<String>) -> Self {
        self.families.push(name.into());
        self
    }

    /// Sets a function that the history's thread calls before it reads the gauges, every few seconds. It sets gauges that
    /// take a system call, such as the free space of a disk. It may wait for a disk, as the history itself does, and must not
    /// panic.
    ///
    /// ```
    /// use obs_history::Config;
    /// use obs_metrics::Registry;
    ///
    /// let registry = Registry::new();
    /// let free = registry.gauge("disk_free_bytes", "Free space.", []);
    /// let config = Config::new("/var/lib/rag/history").registry(&registry).family("disk_free_bytes");
    /// let config = config.before_reading(move || free.with([]).set(5e9));
    /// # let _ = config;
    /// ```
    pub fn before_reading(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.before_reading = Some(Hook(Arc::new(hook)));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// If a setting is outside of what its setter allows.
    pub fn check(&self) -> Result<(), Error> {
        if self.folder.as_os_str().is_empty() {
            let advice = "name a folder for the history";
            return Err(Error::new(ErrorKind::OutOfRange, "folder", "no folder is named", advice));
        }
        if !(1..=366).contains(&self.days) {
            let problem = format!("{} is not allowed", self.days);
            return Err(Error::new(ErrorKind::OutOfRange, "days", problem, "set days from 1 to 366"));
        }
        // SQLite's sizes are signed.
        if !(MIN_BYTES..=i64::MAX as u64).contains(&self.max_bytes) {
            let problem = format!("{} is not allowed", self.max_bytes);
            let advice = "set at least 1 MiB (1048576)";
            return Err(Error::new(ErrorKind::OutOfRange, "max_bytes", problem, advice));
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn kept_minutes(&self) -> i64 {
        i64::from(self.days) * 24 * 60
    }

    pub(super) fn byte_limit(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn program_version(&self) -> &str {
        &self.version
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    pub(super) fn source(&self) -> &Registry {
        &self.registry
    }

    /// Calls the program's function.
    pub(super) fn prepare_reading(&self) {
        self.before_reading.iter().for_each(|hook| hook.0());
    }

    pub(super) fn keeps(&self, family: &str) -> bool {
        self.families.iter().any(|kept| kept == family)
    }
}
