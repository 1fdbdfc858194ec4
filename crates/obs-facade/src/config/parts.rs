//! Configurations of the parts that the section sets up, and the checks before them.

#[cfg(feature = "otlp")]
use std::time::Duration;

#[cfg(feature = "otlp")]
use obs_otlp::Signal;

#[cfg(feature = "otlp")]
use super::OtlpTemporality;
#[cfg(feature = "otlp")]
use super::check::bad_headers;
use super::check::{
    check_clock_anchors, check_console, check_doctor_interval, check_history_days, check_history_max_bytes,
    check_history_switch, check_otlp_endpoint, check_otlp_interval, check_otlp_switch, check_problems_hook,
    check_problems_webhook, check_trace_history_max_bytes, check_tracing, check_tracing_roots, compressing,
    invalid, limit, no_collector, trace_config,
};
use super::{ObservabilityConfig, ROUTINE_SECONDS};
use crate::error::Error;
use crate::log_console::LogConsole;
#[cfg(feature = "otlp")]
use crate::otlp::{self, Environment, OfSignal};
#[cfg(feature = "history")]
use crate::seams::history::Settings;
#[cfg(feature = "history")]
use crate::seams::trace_history;

/// Families of losses, which are on every page.
const LOSSES: &[&str] = &[
    "hearthnet_history_records_lost_total",
    "hearthnet_history_write_errors_total",
    "hearthnet_log_lines_dropped_total",
    "hearthnet_log_lines_torn_total",
    "hearthnet_log_write_errors_total",
    "hearthnet_metrics_nan_total",
    "hearthnet_metrics_overflow_total",
    "hearthnet_metrics_refused_total",
    "hearthnet_trace_dropped_fields_total",
    "hearthnet_trace_dropped_spans_total",
    "hearthnet_trace_export_rejected_spans_total",
    "hearthnet_tracing_dropped_spans_total",
];

impl ObservabilityConfig {
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
        let config = config.install_logger(self.install_logger);
        let config = config.group(Some(self.log_group.clone()).filter(|group| !group.is_empty()));
        compressing(config.max_bytes(limit(self.log_max_bytes)), self.log_compress)
    }

    pub(crate) fn check_console(&self) -> Result<(), Error> {
        check_console(self.console)
    }

    pub(crate) fn check_doctor(&self) -> Result<(), Error> {
        check_doctor_interval(self.doctor_interval_seconds.unwrap_or(ROUTINE_SECONDS).into())?;
        check_clock_anchors(self.doctor_clock_anchors.as_deref().unwrap_or_default())
    }

    /// Returns the settings of the exports.
    #[cfg(feature = "otlp")]
    pub(crate) fn otlp(&self, environment: &Environment) -> Result<otlp::Settings, Error> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(otlp::Settings::default()) };
        // Checked before the headers are added, so that an error of the second check is about them.
        obs_trace::otlp::Config::new(endpoint).check()?;
        let headers = self.otlp_headers()?;
        let target = |signal, of_signal: &OfSignal| {
            let address = of_signal.endpoint.as_deref().unwrap_or(endpoint);
            let config = obs_otlp::Config::new(signal, address).compression(self.otlp_compression.into());
            let resource = self.otlp_resource(environment);
            let config = resource.fold(config, |config, (key, value)| config.resource(key, value));
            let headers = headers.iter().chain(&of_signal.headers);
            let config = headers.fold(config, |config, (name, value)| config.header(name, value));
            of_signal.timeout.map_or_else(|| config.clone(), |time| config.clone().timeout(time))
        };
        let traces = self.otlp_trace_config(target(Signal::Traces, &environment.traces));
        traces.check().map_err(|_| bad_headers("has a header that cannot be sent"))?;
        let metrics = self
            .otlp_metrics
            .then(|| self.otlp_metric_settings(environment, target(Signal::Metrics, &environment.metrics)));
        // The files keep the lines, so that they are never given up.
        let logs = self.otlp_logs.then(|| otlp::logs::Settings {
            target: target(Signal::Logs, &environment.logs).give_up_after(None),
            folder: self.log_dir.clone(),
        });
        Ok(otlp::Settings { traces: self.otlp_traces.then_some(traces), metrics, logs })
    }

    /// Returns the resource of all signals. Later attributes replace earlier ones: defaults, then the environment, then the
    /// program.
    #[cfg(feature = "otlp")]
    fn otlp_resource<'a>(
        &'a self,
        environment: &'a Environment,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let own = [("service.name", "hearthnet"), ("service.version", env!("CARGO_PKG_VERSION"))];
        let sdk =
            [("telemetry.sdk.name", "obs-facade"), ("telemetry.sdk.version", env!("CARGO_PKG_VERSION"))];
        let told = environment.attributes.iter().chain(&self.resource);
        own.into_iter().chain(sdk).chain(told.map(|(key, value)| (key.as_str(), value.as_str())))
    }

    #[cfg(feature = "otlp")]
    fn otlp_trace_config(&self, target: obs_otlp::Config) -> obs_trace::otlp::Config {
        obs_trace::otlp::Config::of(target).only_sampled(self.otlp_only_sampled)
    }

    #[cfg(feature = "otlp")]
    fn otlp_metric_settings(
        &self,
        environment: &Environment,
        target: obs_otlp::Config,
    ) -> otlp::metrics::Settings {
        const INTERVAL: Duration = Duration::from_secs(60);
        let interval = self.otlp_metrics_interval_seconds.map(Duration::from_secs);
        let interval = interval.or(environment.metrics_interval).unwrap_or(INTERVAL);
        let temporality = self.otlp_temporality.or(environment.temporality).unwrap_or_default();
        let give_up = match temporality {
            // The next collection has the same again.
            OtlpTemporality::Cumulative => Some(interval.min(Duration::from_secs(300))),
            // A difference that is given up is lost. The next one covers all that came meanwhile.
            OtlpTemporality::Delta => None,
        };
        otlp::metrics::Settings { target: target.give_up_after(give_up), interval, temporality }
    }

    #[cfg(feature = "otlp")]
    fn otlp_headers(&self) -> Result<Vec<(String, String)>, Error> {
        let Some(variable) = &self.otlp_headers_env else { return Ok(Vec::new()) };
        // `var` returns an error, and does not panic, for a name with `=` or NUL.
        let text = std::env::var(variable).map_err(|_| bad_headers("is not set or not UTF-8"))?;
        crate::otlp::headers(&text).map_err(bad_headers)
    }

    pub(crate) fn check_otlp(&self) -> Result<(), Error> {
        check_otlp_switch("otlp_metrics", self.otlp_metrics)?;
        check_otlp_switch("otlp_logs", self.otlp_logs)?;
        self.otlp_metrics_interval_seconds.map_or(Ok(()), |seconds| check_otlp_interval(seconds.into()))?;
        match &self.otlp_endpoint {
            Some(address) => check_otlp_endpoint(address),
            None if self.otlp_metrics => Err(no_collector("otlp_metrics")),
            None if self.otlp_logs => Err(no_collector("otlp_logs")),
            None => Ok(()),
        }
    }

    pub(crate) fn check_tracing(&self) -> Result<(), Error> {
        check_tracing(self.tracing)?;
        check_tracing_roots(&self.tracing_roots)
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn bridge(&self) -> obs_tracing::Config {
        obs_tracing::Config::new()
            .enabled(self.tracing)
            .install(self.install_dispatcher)
            .roots(&self.tracing_roots)
    }

    /// Returns whether the program installs a logger and a dispatcher of its own.
    #[cfg(feature = "tracing")]
    pub(crate) fn installs_nothing(&self) -> bool {
        !self.install_logger && !self.install_dispatcher
    }

    pub(crate) fn trace(&self) -> obs_trace::Config {
        trace_config(self.blocked_worker_ms)
    }

    pub(crate) fn check_history(&self) -> Result<(), Error> {
        check_history_switch(self.history)?;
        check_history_days(self.history_days.into())?;
        check_history_max_bytes(self.history_max_bytes)?;
        check_trace_history_max_bytes(self.trace_history_max_bytes)
    }

    /// Returns the settings of the history of traces; `None` where none is kept.
    #[cfg(feature = "history")]
    pub(crate) fn trace_history_settings(&self) -> Option<trace_history::Settings> {
        let is_on = self.history == Some(true) && self.trace_history;
        is_on.then(|| trace_history::Settings {
            folder: self.history_dir(),
            max_bytes: self.trace_history_max_bytes,
        })
    }

    pub(crate) fn check_problems(&self) -> Result<(), Error> {
        check_problems_hook(&self.problems_hook)?;
        self.problems_webhook.as_deref().map_or(Ok(()), check_problems_webhook)
    }

    /// Returns the settings of the problems' keeper; `None` where they are neither stored nor told.
    #[cfg(feature = "history")]
    pub(crate) fn problem_settings(&self) -> Option<crate::seams::problems::Settings> {
        use crate::seams::problems::{Hook, Settings};

        let node = self.resource.iter().rev().find(|(key, _)| key == "service.instance.id");
        let has_hook = !self.problems_hook.is_empty() || self.problems_webhook.is_some();
        let hook = has_hook.then(|| Hook {
            command: self.problems_hook.clone(),
            webhook: self.problems_webhook.clone(),
            node: node.map(|(_, id)| id.clone()).unwrap_or_default(),
        });
        let folder = (self.history == Some(true)).then(|| self.history_dir());
        (folder.is_some() || hook.is_some()).then_some(Settings { folder, hook })
    }

    /// Returns the settings of the history; `None` where none is kept.
    #[cfg(feature = "history")]
    pub(crate) fn history_settings(&self) -> Option<Settings> {
        let version = self.resource.iter().rev().find(|(key, _)| key == "service.version");
        (self.history == Some(true)).then(|| Settings {
            folder: self.history_dir(),
            disk: self.log_dir.clone(),
            days: self.history_days,
            max_bytes: self.history_max_bytes,
            version: version.map_or(env!("CARGO_PKG_VERSION"), |(_, version)| version).to_owned(),
        })
    }

    pub(crate) fn metrics(&self) -> obs_metrics::Config {
        let config = obs_metrics::Config::default().enabled(self.metrics_enabled);
        if self.standard_families { config } else { config.leave_out("hearthnet_", LOSSES) }
    }
}
