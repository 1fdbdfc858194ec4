//! The section `[observability]` of a node's configuration.

mod check;
mod read;
mod size;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

#[cfg(feature = "otlp")]
use self::check::bad_headers;
use self::check::{
    check_clock_anchors, check_doctor_interval, check_otlp_endpoint, compressing, invalid, limit,
};
use crate::error::Error;
use crate::log_console::LogConsole;
#[cfg(feature = "otlp")]
use crate::otlp::Environment;

/// Default interval of the doctor. A person is told of a fault within minutes, and the runs cost less than a thousandth of
/// a core.
const ROUTINE_SECONDS: u64 = 300;

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
    #[serde(skip)]
    resource: Vec<(String, String)>,
}

impl Default for ObservabilityConfig {
    /// Level `info`, no console, one file a day without a limit of its size, metrics on, a doctor every 5 minutes that stays
    /// on this machine, no export of traces. The log folder is empty, which [`configure`] refuses: the node has to choose it.
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
            doctor_interval_seconds: None,
            doctor_remote: false,
            doctor_clock_anchors: None,
            otlp_endpoint: None,
            otlp_headers_env: None,
            otlp_compression: OtlpCompression::Gzip,
            otlp_only_sampled: false,
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

    /// Sets a resource attribute of exported traces, by OpenTelemetry's name, such as `service.instance.id`.
    ///
    /// It wins over the environment variables `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, which
    /// [`configure`](crate::configure) reads. By default `service.name` is `hearthnet` and `service.instance.id` a random
    /// ID of the process.
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.resource.push((key.into(), value.into()));
        self
    }

    /// Returns the addresses that give the doctor the time; `None` for the default ones.
    #[must_use]
    pub fn clock_anchors(&self) -> Option<&[String]> {
        self.doctor_clock_anchors.as_deref()
    }

    /// Returns the interval at which a node runs its doctor; `None` for never.
    #[must_use]
    pub fn doctor_interval(&self) -> Option<Duration> {
        let seconds = self.doctor_interval_seconds.unwrap_or(ROUTINE_SECONDS);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// Returns whether the interval of the doctor is the default. A node then leaves out the checks that send packets to
    /// other machines.
    #[must_use]
    pub fn is_doctor_routine(&self) -> bool {
        self.doctor_interval_seconds.is_none()
    }

    /// Returns whether `/doctor` answers callers on other machines too.
    #[must_use]
    pub fn is_doctor_remote(&self) -> bool {
        self.doctor_remote
    }

    /// Returns the folder of the day files; empty unless it was set.
    #[must_use]
    pub fn log_dir(&self) -> &std::path::Path {
        &self.log_dir
    }

    /// Returns the form of the log on stderr.
    #[must_use]
    pub fn console(&self) -> LogConsole {
        self.log_console
    }

    pub(crate) fn log(&self) -> Result<obs_log::Config, Error> {
        if self.log_dir.as_os_str().is_empty() {
            let problem = "the path is empty";
            return Err(invalid("log_dir", problem, "set the folder for the day files"));
        }
        let (console, format) = match self.log_console {
            LogConsole::Off => (obs_log::Console::Off, obs_log::ConsoleFormat::Text),
            LogConsole::Text => (obs_log::Console::Always, obs_log::ConsoleFormat::Text),
            LogConsole::Json => (obs_log::Console::Always, obs_log::ConsoleFormat::Json),
        };
        let config = obs_log::Config::new(&self.log_dir).level(&self.log_level).console(console);
        let config = config.console_format(format).latest_link(self.log_latest);
        let config = config.group(Some(self.log_group.clone()).filter(|group| !group.is_empty()));
        compressing(config.max_bytes(limit(self.log_max_bytes)), self.log_compress)
    }

    pub(crate) fn check_doctor(&self) -> Result<(), Error> {
        check_doctor_interval(self.doctor_interval_seconds.unwrap_or(ROUTINE_SECONDS).into())?;
        check_clock_anchors(self.doctor_clock_anchors.as_deref().unwrap_or_default())
    }

    /// Returns the configuration of the export; `None` where traces are not exported.
    #[cfg(feature = "otlp")]
    pub(crate) fn otlp(&self, environment: &Environment) -> Result<Option<obs_trace::otlp::Config>, Error> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let config = obs_trace::otlp::Config::new(endpoint)
            .compression(self.otlp_compression.into())
            .only_sampled(self.otlp_only_sampled)
            .resource("service.name", "hearthnet")
            .resource("service.version", env!("CARGO_PKG_VERSION"));
        let resource = environment.attributes.iter().chain(&self.resource);
        // Later attributes replace earlier ones: defaults, then the environment, then the program.
        let config = resource.fold(config, |config, (key, value)| config.resource(key, value));
        // Checked before the headers are added, so that an error of the second check is about them.
        config.check()?;
        let headers = self.otlp_headers()?.into_iter();
        let config = headers.fold(config, |config, (name, value)| config.header(name, value));
        config.check().map_err(|_| bad_headers("has a header that cannot be sent"))?;
        Ok(Some(config))
    }

    #[cfg(feature = "otlp")]
    fn otlp_headers(&self) -> Result<Vec<(String, String)>, Error> {
        let Some(variable) = &self.otlp_headers_env else { return Ok(Vec::new()) };
        // `var` returns an error, and does not panic, for a name with `=` or NUL.
        let text = std::env::var(variable).map_err(|_| bad_headers("is not set or not UTF-8"))?;
        crate::otlp::headers(&text).map_err(bad_headers)
    }

    pub(crate) fn check_otlp(&self) -> Result<(), Error> {
        self.otlp_endpoint.as_deref().map_or(Ok(()), check_otlp_endpoint)
    }

    pub(crate) fn metrics(&self) -> obs_metrics::Config {
        obs_metrics::Config::default().enabled(self.metrics_enabled)
    }
}

/// Compression of requests to the collector; in a configuration `"gzip"` or `"none"`.
///
/// ```
/// use obs_facade::{ObservabilityConfig, OtlpCompression};
///
/// let config = ObservabilityConfig::new("/var/log/hearthnet").otlp_compression(OtlpCompression::None);
/// let read: ObservabilityConfig = toml::from_str(r#"otlp_compression = "gzip""#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OtlpCompression {
    /// By gzip.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

#[cfg(feature = "otlp")]
impl From<OtlpCompression> for obs_trace::otlp::Compression {
    fn from(compression: OtlpCompression) -> Self {
        match compression {
            OtlpCompression::Gzip => obs_trace::otlp::Compression::Gzip,
            OtlpCompression::None => obs_trace::otlp::Compression::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_endpoint_is_refused_with_field_and_fix() {
        for bad in ["", "collector:4318", "grpc://c:4317", "http://u:hunter2@collector"] {
            let error = ObservabilityConfig::new("/tmp").otlp_endpoint(bad).check_otlp().unwrap_err();
            assert_eq!(error.field(), "otlp_endpoint", "{bad}");
            let text = format!("otlp_endpoint = \"{bad}\"");
            let read = toml::from_str::<ObservabilityConfig>(&text).unwrap_err().message().to_owned();
            for text in [error.to_string(), read] {
                let fix = if cfg!(feature = "otlp") { "such as http://host:4318" } else { "feature `otlp`" };
                assert!(text.contains(fix), "{text}");
                assert!(!text.contains("hunter2"), "{text}");
            }
        }
        let good = toml::from_str::<ObservabilityConfig>("otlp_endpoint = \"http://127.0.0.1:4318\"");
        assert_eq!(good.is_ok(), cfg!(feature = "otlp"));
        assert!(toml::from_str::<ObservabilityConfig>("").unwrap().check_otlp().is_ok(), "off by default");
    }

    #[test]
    fn a_bad_size_or_compression_of_log_files_is_refused_with_field_and_fix() {
        let read = |text: &str| toml::from_str::<ObservabilityConfig>(text);
        for bad in ["1", "1048575", "-1", "9223372036854775808", "\"1MB\"", "\"99999999999TB\""] {
            let error = read(&format!("log_max_bytes = {bad}")).unwrap_err().to_string();
            assert!(error.contains("log_max_bytes"), "{error}");
            let says_what_is_allowed = error.contains("1 MiB (1048576)") || error.contains("i64");
            assert!(says_what_is_allowed, "{error}");
        }
        for (bad, words) in [
            ("\"100\"", "such as \"100MB\""),
            ("\"100M\"", "`100M` is not a size"),
            ("true", "a number of bytes"),
        ] {
            let error = read(&format!("log_max_bytes = {bad}")).unwrap_err().to_string();
            assert!(error.contains("log_max_bytes") && error.contains(words), "{error}");
        }
        let words = read("log_dir = \"x\"\nlog_max_bytes = \"100MB\"").unwrap();
        assert_eq!(words, ObservabilityConfig::new("x").log_max_bytes(100_000_000));
        let error = obs_facade_error(ObservabilityConfig::new("/tmp").log_max_bytes(5));
        assert_eq!(error.field(), "log_max_bytes");
        assert!(error.to_string().contains("1 MiB (1048576)"), "{error}");
        for good in [0, 1 << 20, i64::MAX as u64] {
            let config = read(&format!("log_dir = \"x\"\nlog_max_bytes = {good}")).unwrap();
            let expected = obs_log::Config::new("x").console(obs_log::Console::Off).max_bytes(limit(good));
            assert_eq!(config.log().unwrap(), expected);
        }
        let compressed = read("log_dir = \"x\"\nlog_compress = true");
        assert_eq!(compressed.is_ok(), cfg!(feature = "compress"));
        #[cfg(not(feature = "compress"))]
        {
            let built = ObservabilityConfig::new("/tmp").log_compress(true).log().unwrap_err();
            assert_eq!(built.field(), "log_compress");
            for text in [built.to_string(), compressed.unwrap_err().to_string()] {
                assert!(text.contains("log_compress") && text.contains("feature `compress`"), "{text}");
            }
        }
        assert!(read("log_compress = false").is_ok());
    }

    fn obs_facade_error(config: ObservabilityConfig) -> Error {
        config.log().unwrap().check().unwrap_err().into()
    }

    #[test]
    fn bad_doctor_settings_are_refused_with_field_and_fix() {
        for bad in [1, 9, 86_401, u64::MAX] {
            let error =
                ObservabilityConfig::new("/tmp").doctor_interval_seconds(bad).check_doctor().unwrap_err();
            assert_eq!(error.field(), "doctor_interval_seconds");
            assert!(error.to_string().contains("seconds from 10 to 86400"), "{error}");
        }
        for bad in ["9", "-1", "86401"] {
            let text = format!("doctor_interval_seconds = {bad}");
            let error = toml::from_str::<ObservabilityConfig>(&text).unwrap_err().to_string();
            assert!(error.contains("doctor_interval_seconds") && error.contains("10 to 86400"), "{error}");
        }
        for bad in ["ftp://host/", "host", "http://", "http://u:hunter2@host/", "http://a b/"] {
            let config = ObservabilityConfig::new("/tmp").doctor_clock_anchors([bad]);
            assert_eq!(config.check_doctor().unwrap_err().field(), "doctor_clock_anchors", "{bad}");
            let error = toml::from_str::<ObservabilityConfig>(&format!("doctor_clock_anchors = [\"{bad}\"]"));
            let error = error.unwrap_err().message().to_owned();
            assert!(error.contains("http://host/") && !error.contains("hunter2"), "{error}");
        }
        let read = |text| toml::from_str::<ObservabilityConfig>(text).unwrap();
        assert_eq!(read("").doctor_interval(), Some(Duration::from_secs(300)));
        assert!(read("").is_doctor_routine() && !read("doctor_interval_seconds = 300").is_doctor_routine());
        assert_eq!(read("doctor_interval_seconds = 0").doctor_interval(), None);
        assert_eq!(read("doctor_interval_seconds = 300").doctor_interval(), Some(Duration::from_secs(300)));
        assert_eq!(read("doctor_clock_anchors = []").clock_anchors(), Some(&[][..]));
        assert!(read("").clock_anchors().is_none());
        assert!(read("doctor_remote = true").is_doctor_remote() && !read("").is_doctor_remote());
    }
}
