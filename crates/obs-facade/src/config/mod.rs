//! The section `[observability]` of a node's configuration.

mod check;
mod milliseconds;
mod otlp_compression;
mod otlp_temporality;
mod parts;
mod read;
mod size;
mod values;

use std::path::PathBuf;

use serde::Deserialize;

pub use self::otlp_compression::OtlpCompression;
pub use self::otlp_temporality::OtlpTemporality;
use crate::console_access::ConsoleAccess;
use crate::log_console::LogConsole;

/// Default interval of the doctor. A person is told of a fault within minutes, and the runs cost less than a thousandth of
/// a core.
const ROUTINE_SECONDS: u64 = 300;

/// Default number of days that the history keeps: two weeks, so that a week can be compared with the one before.
const HISTORY_DAYS: u32 = 14;
/// Default size of the history, in bytes. The minutes of two weeks of a home's node take less.
const HISTORY_MAX_BYTES: u64 = 64 << 20;
/// Default size of the file of traces, in bytes. It holds the last 10 000 of a home's node.
const TRACE_HISTORY_MAX_BYTES: u64 = 32 << 20;

/// The `[observability]` section of a node's configuration.
///
/// It is read with serde. An unknown key and a wrong value are refused while reading, so that a format with positions,
/// such as TOML, names the line.
///
/// ```
/// use obs_facade::ObservabilityConfig;
///
/// let config = ObservabilityConfig::new("/var/log/hearthnet").log_level("info,hearthnet.bus=debug");
/// assert_eq!(config.log_dir(), std::path::Path::new("/var/log/hearthnet"));
///
/// let read: ObservabilityConfig = toml::from_str(r#"log_level = "warning""#)?;
/// let wrong = toml::from_str::<ObservabilityConfig>(r#"log_level = "loud""#).unwrap_err();
/// assert!(wrong.to_string().contains("loud"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObservabilityConfig {
    #[serde(deserialize_with = "read::log_level")]
    log_level: String,
    log_dir: PathBuf,
    log_console: LogConsole,
    #[serde(deserialize_with = "read::log_max_bytes")]
    log_max_bytes: u64,
    #[serde(deserialize_with = "read::log_compress")]
    log_compress: bool,
    log_latest: bool,
    log_group: String,
    metrics_enabled: bool,
    #[serde(deserialize_with = "read::blocked_worker_ms")]
    blocked_worker_ms: u64,
    #[serde(deserialize_with = "read::history")]
    history: Option<bool>,
    #[serde(deserialize_with = "read::history_days")]
    history_days: u32,
    #[serde(deserialize_with = "read::history_max_bytes")]
    history_max_bytes: u64,
    trace_history: bool,
    #[serde(deserialize_with = "read::trace_history_max_bytes")]
    trace_history_max_bytes: u64,
    #[serde(deserialize_with = "read::problems_hook")]
    problems_hook: Vec<String>,
    #[serde(deserialize_with = "read::problems_webhook")]
    problems_webhook: Option<String>,
    #[serde(deserialize_with = "read::console")]
    console: Option<ConsoleAccess>,
    #[serde(deserialize_with = "read::doctor_interval")]
    doctor_interval_seconds: Option<u64>,
    doctor_remote: bool,
    #[serde(deserialize_with = "read::clock_anchors")]
    doctor_clock_anchors: Option<Vec<String>>,
    #[serde(deserialize_with = "read::otlp_endpoint")]
    otlp_endpoint: Option<String>,
    otlp_headers_env: Option<String>,
    otlp_compression: OtlpCompression,
    otlp_only_sampled: bool,
    otlp_traces: bool,
    #[serde(deserialize_with = "read::otlp_metrics")]
    otlp_metrics: bool,
    #[serde(deserialize_with = "read::otlp_logs")]
    otlp_logs: bool,
    #[serde(deserialize_with = "read::otlp_metrics_interval")]
    otlp_metrics_interval_seconds: Option<u64>,
    otlp_temporality: Option<OtlpTemporality>,
    #[serde(deserialize_with = "read::tracing")]
    tracing: bool,
    #[serde(deserialize_with = "read::tracing_roots")]
    tracing_roots: Vec<String>,
    #[serde(skip)]
    standard_families: bool,
    #[serde(skip)]
    install_logger: bool,
    #[serde(skip)]
    install_dispatcher: bool,
    #[serde(skip)]
    resource: Vec<(String, String)>,
}

impl Default for ObservabilityConfig {
    /// Level `info`, no console, one file a day of any size, metrics on, no history, no export. Polls that block for 10 ms are
    /// reported. The doctor runs every 5 minutes and stays on this machine. The bridge for `tracing` is on where the feature
    /// is. The log folder is empty, which [`configure`] refuses: the node has to choose it.
    ///
    /// [`configure`]: crate::configure
    fn default() -> Self {
        ObservabilityConfig {
            log_level: "info".to_owned(),
            log_dir: PathBuf::new(),
            log_console: LogConsole::Off,
            log_max_bytes: 0,
            log_compress: false,
            log_latest: false,
            log_group: String::new(),
            metrics_enabled: true,
            blocked_worker_ms: 10,
            history: None,
            history_days: HISTORY_DAYS,
            history_max_bytes: HISTORY_MAX_BYTES,
            trace_history: true,
            trace_history_max_bytes: TRACE_HISTORY_MAX_BYTES,
            problems_hook: Vec::new(),
            problems_webhook: None,
            console: None,
            doctor_interval_seconds: None,
            doctor_remote: false,
            doctor_clock_anchors: None,
            otlp_endpoint: None,
            otlp_headers_env: None,
            otlp_compression: OtlpCompression::Gzip,
            otlp_only_sampled: false,
            otlp_traces: true,
            otlp_metrics: false,
            otlp_logs: false,
            otlp_metrics_interval_seconds: None,
            otlp_temporality: None,
            tracing: cfg!(feature = "tracing"),
            tracing_roots: Vec::new(),
            standard_families: true,
            install_logger: true,
            install_dispatcher: true,
            resource: Vec::new(),
        }
    }
}

impl ObservabilityConfig {
    /// Creates the default configuration with day files in `log_dir`.
    pub fn new(log_dir: impl Into<PathBuf>) -> Self {
        ObservabilityConfig::default().with_log_dir(log_dir)
    }

    /// Sets the folder of the day files.
    pub fn with_log_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.log_dir = dir.into();
        self
    }

    /// Sets the level, with exceptions by logger if there are any: `info`, `info,hearthnet.bus=debug`. Checked by
    /// [`configure`](crate::configure).
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }

    /// Sets whether lines are also written to stderr, and in which form. `true` is a form for people. Off by default.
    pub fn log_console(mut self, form: impl Into<LogConsole>) -> Self {
        self.log_console = form.into();
        self
    }

    /// Sets the maximum size of a log file in bytes: 1 MiB or more, or 0 for no limit, which is the default. A day
    /// continues in `<YYYY-MM-DD>.1.log` and so on. Checked by [`configure`](crate::configure).
    pub fn log_max_bytes(mut self, bytes: u64) -> Self {
        self.log_max_bytes = bytes;
        self
    }

    /// Sets whether the files of finished days are compressed, each to `<name>.gz`. While it is on, compressed files are
    /// removed by age like the others. Off by default. Needs the feature `compress`, which
    /// [`configure`](crate::configure) checks.
    pub fn log_compress(mut self, on: bool) -> Self {
        self.log_compress = on;
        self
    }

    /// Sets whether `latest.log` in the log folder is a link to the file of today, for `tail -F`. Off by default.
    pub fn log_latest(mut self, on: bool) -> Self {
        self.log_latest = on;
        self
    }

    /// Sets the group that may read the log, by name or number. A new folder has mode 0750 then and a new file 0640. Empty,
    /// which is the default, is for 0700 and 0600. Checked by [`configure`](crate::configure).
    pub fn log_group(mut self, group: impl Into<String>) -> Self {
        self.log_group = group.into();
        self
    }

    /// Sets whether metrics are recorded. On by default.
    pub fn metrics_enabled(mut self, on: bool) -> Self {
        self.metrics_enabled = on;
        self
    }

    /// Sets whether the page has the families of HearthNet, whose names begin with `hearthnet_`. On by default. A program that is
    /// no node turns it off. Its page then has its own families, those of its crates, of the process and of the runtime. They
    /// include none of the request layer, the log and the traces. The counters of what is lost remain: each is on the page once
    /// it is not 0, such as `hearthnet_log_lines_dropped_total`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// use obs_facade::{ObservabilityConfig, metrics};
    ///
    /// let config = ObservabilityConfig::new(folder.path()).standard_families(false);
    /// let _guard = obs_facade::configure(&config)?;
    /// assert!(!metrics::render(metrics::Format::Text).contains("hearthnet_"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn standard_families(mut self, shown: bool) -> Self {
        self.standard_families = shown;
        self
    }

    /// Sets the milliseconds for which a poll in a trace may hold its worker: 1 to 60 000, or 0 to measure no polls. 10 by
    /// default. A longer poll is counted in `hearthnet_blocked_polls_total`, noted on its span, and logged. Checked by
    /// [`configure`](crate::configure). In a file, `"off"` means the same as 0.
    pub fn blocked_worker_ms(mut self, ms: u64) -> Self {
        self.blocked_worker_ms = ms;
        self
    }

    /// Sets whether the metrics of each minute are kept on disk, in the folder [`history_dir`](Self::history_dir). Off by
    /// default. Needs the feature `history`, which [`configure`](crate::configure) checks.
    pub fn history(mut self, on: bool) -> Self {
        self.history = Some(on);
        self
    }

    /// Sets the number of days that the history keeps: 1 to 366, by default 14. Checked by
    /// [`configure`](crate::configure).
    pub fn history_days(mut self, days: u32) -> Self {
        self.history_days = days;
        self
    }

    /// Sets the maximum size of the history in bytes: 1 MiB or more, by default 64 MiB. The oldest minutes make room for
    /// new ones. Checked by [`configure`](crate::configure).
    pub fn history_max_bytes(mut self, bytes: u64) -> Self {
        self.history_max_bytes = bytes;
        self
    }

    /// Sets whether the history keeps finished traces too, so that the last ones are there after a restart or a kill. On by
    /// default, where [`history`](Self::history) is on.
    ///
    /// A process can begin it, or change its size, up to 15 times, because threads may still write into the memory of the one
    /// before, which stays mapped. After that, a warning says that traces are not kept over a restart.
    pub fn trace_history(mut self, on: bool) -> Self {
        self.trace_history = on;
        self
    }

    /// Sets the size of the file of traces in bytes: 1 MiB to 1 GiB, by default 32 MiB. The oldest traces make room for new
    /// ones. Checked by [`configure`](crate::configure).
    pub fn trace_history_max_bytes(mut self, bytes: u64) -> Self {
        self.trace_history_max_bytes = bytes;
        self
    }

    /// Sets the command that is run at a new problem, as program and arguments: `["/usr/bin/notify-send", "HearthNet"]`. It is
    /// run at most once a minute, without a shell, gets JSON on its standard input, and is killed after 10 s. None by default.
    /// Needs the feature `history`. Checked by [`configure`](crate::configure).
    pub fn problems_hook<S: Into<String>>(mut self, command: impl IntoIterator<Item = S>) -> Self {
        self.problems_hook = command.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the address that gets the same JSON as the body of a `POST` request, such as `http://127.0.0.1:9000/hook`. It has
    /// 10 s to answer. None by default. Needs the feature `history`. Checked by [`configure`](crate::configure).
    pub fn problems_webhook(mut self, address: impl Into<String>) -> Self {
        self.problems_webhook = Some(address.into());
        self
    }

    /// Sets the callers that the node's console answers: those on this machine by default. A node without a console ignores it.
    /// Needs the feature `console`, unless it is [`ConsoleAccess::Off`]. Checked by [`configure`](crate::configure).
    pub fn console_for(mut self, access: ConsoleAccess) -> Self {
        self.console = Some(access);
        self
    }

    /// Sets the interval at which a node runs all checks of its doctor, in seconds: 10 to 86 400, or 0 for never. By default
    /// a node runs those that stay on this machine, every 5 minutes. Checked by [`configure`](crate::configure).
    pub fn doctor_interval_seconds(mut self, seconds: u64) -> Self {
        self.doctor_interval_seconds = Some(seconds);
        self
    }

    /// Sets whether `/doctor` answers callers on other machines too. Off by default.
    pub fn doctor_remote(mut self, allowed: bool) -> Self {
        self.doctor_remote = allowed;
        self
    }

    /// Sets the HTTP addresses whose `Date` header gives the doctor the time; the first three are asked. Checked by
    /// [`configure`](crate::configure).
    pub fn doctor_clock_anchors<S: Into<String>>(mut self, addresses: impl IntoIterator<Item = S>) -> Self {
        self.doctor_clock_anchors = Some(addresses.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the OpenTelemetry collector that traces are exported to, such as `http://127.0.0.1:4318`. None by default.
    /// Needs the feature `otlp`. Checked by [`configure`](crate::configure).
    pub fn otlp_endpoint(mut self, address: impl Into<String>) -> Self {
        self.otlp_endpoint = Some(address.into());
        self
    }

    /// Sets whether traces are exported. On by default where [`otlp_endpoint`](Self::otlp_endpoint) is set.
    pub fn otlp_traces(mut self, on: bool) -> Self {
        self.otlp_traces = on;
        self
    }

    /// Sets whether metrics are exported to the collector, besides traces. Off by default. Needs
    /// [`otlp_endpoint`](Self::otlp_endpoint). [`configure`](crate::configure) checks that.
    pub fn otlp_metrics(mut self, on: bool) -> Self {
        self.otlp_metrics = on;
        self
    }

    /// Sets whether the lines of the log are exported to the collector. Off by default. Needs
    /// [`otlp_endpoint`](Self::otlp_endpoint). [`configure`](crate::configure) checks that.
    ///
    /// The lines are read from the day files, so that a line costs its caller nothing more. A restart goes on where the last
    /// export ended, at most a day back.
    pub fn otlp_logs(mut self, on: bool) -> Self {
        self.otlp_logs = on;
        self
    }

    /// Sets the time between two exports of metrics in seconds, 1 to 3600. `OTEL_METRIC_EXPORT_INTERVAL` by default, else 60.
    /// Checked by [`configure`](crate::configure).
    pub fn otlp_metrics_interval_seconds(mut self, seconds: u64) -> Self {
        self.otlp_metrics_interval_seconds = Some(seconds);
        self
    }

    /// Sets the interval that exported counters and histograms cover.
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` by default, else cumulative.
    pub fn otlp_temporality(mut self, temporality: OtlpTemporality) -> Self {
        self.otlp_temporality = Some(temporality);
        self
    }

    /// Sets the name of the environment variable that holds the headers for the collector, such as
    /// `OTEL_EXPORTER_OTLP_HEADERS`. Its value has OpenTelemetry's form: `authorization=Bearer%20KEY,x-scope=home`. None
    /// by default. [`configure`](crate::configure) reads the variable, so that no file holds the key.
    pub fn otlp_headers_env(mut self, variable: impl Into<String>) -> Self {
        self.otlp_headers_env = Some(variable.into());
        self
    }

    /// Sets the compression of requests to the collector; gzip by default. A collector that answers 415 gets
    /// uncompressed requests from then on.
    pub fn otlp_compression(mut self, compression: OtlpCompression) -> Self {
        self.otlp_compression = compression;
        self
    }

    /// Sets whether a trace whose caller cleared the flag `sampled` of its `traceparent` is left out of the export. Off
    /// by default: every trace is exported.
    pub fn otlp_only_sampled(mut self, on: bool) -> Self {
        self.otlp_only_sampled = on;
        self
    }

    /// Sets whether the events of the `tracing` crate are lines of the log, and its spans are spans of the current trace. On by
    /// default with the feature `tracing`, which it needs. [`configure`](crate::configure) checks that.
    pub fn tracing(mut self, on: bool) -> Self {
        self.tracing = on;
        self
    }

    /// Sets the targets of `tracing` whose outermost span begins a trace where none is current: `my_crate::jobs`, with the
    /// targets below it. None by default. Needs the feature `tracing`. Checked by [`configure`](crate::configure).
    pub fn tracing_roots<S: Into<String>>(mut self, targets: impl IntoIterator<Item = S>) -> Self {
        self.tracing_roots = targets.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether [`configure`](crate::configure) installs the log as the logger of the `log` crate. On by default. A program
    /// with a logger of its own turns it off and passes records on with
    /// [`logger().log(record)`](obs_log::logger).
    pub fn install_logger(mut self, on: bool) -> Self {
        self.install_logger = on;
        self
    }

    /// Sets whether [`configure`](crate::configure) installs the bridge as the dispatcher of the `tracing` crate. On by default,
    /// with the feature `tracing`. A program with a stack of `tracing-subscriber` turns it off and adds the layer
    /// `obs_facade::tracing::layer()` of the feature `tracing-layer` to its stack.
    pub fn install_dispatcher(mut self, on: bool) -> Self {
        self.install_dispatcher = on;
        self
    }

    /// Sets a resource attribute of all exports, by OpenTelemetry's name, such as `service.instance.id`.
    ///
    /// It wins over the environment variables `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, which
    /// [`configure`](crate::configure) reads. By default `service.name` is `hearthnet` and `service.instance.id` a random
    /// ID of the process.
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.resource.push((key.into(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests;
