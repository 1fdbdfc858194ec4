//! Settings from the environment that our configuration has no field for, or that a field has not set: `OTEL_*`.

use std::env::{self, VarError};
use std::time::Duration;

use super::list;
use crate::config::OtlpTemporality;

/// Settings, and a warning for each variable that cannot be used.
#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) traces: OfSignal,
    pub(crate) metrics: OfSignal,
    pub(crate) logs: OfSignal,
    pub(crate) metrics_interval: Option<Duration>,
    pub(crate) temporality: Option<OtlpTemporality>,
    pub(crate) warnings: Vec<String>,
}

/// Settings of one signal.
#[derive(Clone, Default)]
pub(crate) struct OfSignal {
    pub(crate) endpoint: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Option<Duration>,
}

const METRICS_INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";

// OpenTelemetry's general environment variables for the resource.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

// Every request to the collector carries all attributes, so both are bounded.
const MAX_BYTES: usize = 8 << 10;
const MAX_ATTRIBUTES: usize = 64;

impl Environment {
    pub(crate) fn read() -> Environment {
        let mut environment = Environment::of(env::var(SERVICE_NAME), env::var(ATTRIBUTES));
        environment.read_signals(|name| env::var(name));
        environment
    }

    /// Reads the variables of the signals by `read`.
    fn read_signals(&mut self, read: impl Fn(&str) -> Result<String, VarError>) {
        let general = self.milliseconds(TIMEOUT, read(TIMEOUT), 10..=600_000);
        self.traces = self.of_signal("TRACES", general, &read);
        self.metrics = self.of_signal("METRICS", general, &read);
        self.logs = self.of_signal("LOGS", general, &read);
        self.metrics_interval = self.milliseconds(METRICS_INTERVAL, read(METRICS_INTERVAL), 10..=3_600_000);
        self.temporality = match self.checked(TEMPORALITY, read(TEMPORALITY)) {
            None => None,
            Some(text) => match text.trim().to_ascii_lowercase().as_str() {
                "cumulative" => Some(OtlpTemporality::Cumulative),
                // The families of a node are all read at once, so that the two are the same.
                "delta" | "lowmemory" => Some(OtlpTemporality::Delta),
                _ => {
                    self.warn(TEMPORALITY, "is neither cumulative, delta nor lowmemory");
                    None
                }
            },
        };
    }

    fn of_signal(
        &mut self,
        signal: &str,
        timeout: Option<Duration>,
        read: &impl Fn(&str) -> Result<String, VarError>,
    ) -> OfSignal {
        let name = |setting: &str| format!("OTEL_EXPORTER_OTLP_{signal}_{setting}");
        let endpoint = self.checked(&name("ENDPOINT"), read(&name("ENDPOINT")));
        let endpoint = endpoint.map(|text| text.trim().to_owned()).filter(|address| {
            let check = obs_trace::otlp::Config::new(address).check();
            check.as_ref().err().inspect(|error| self.warn(&name("ENDPOINT"), error.problem())).is_none()
        });
        let headers =
            match self.checked(&name("HEADERS"), read(&name("HEADERS"))).map(|text| list::headers(&text)) {
                Some(Ok(headers)) if can_be_sent(&headers) => headers,
                Some(Ok(_)) => {
                    self.warn(&name("HEADERS"), "has a header that cannot be sent");
                    Vec::new()
                }
                Some(Err(why)) => {
                    self.warn(&name("HEADERS"), why);
                    Vec::new()
                }
                None => Vec::new(),
            };
        let own = self.milliseconds(&name("TIMEOUT"), read(&name("TIMEOUT")), 10..=600_000);
        OfSignal { endpoint, headers, timeout: own.or(timeout) }
    }

    /// Returns a time in milliseconds; warns of one that is out of its range.
    fn milliseconds(
        &mut self,
        variable: &str,
        value: Result<String, VarError>,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Duration> {
        let text = self.checked(variable, value)?;
        let time = text.trim().parse().ok().filter(|ms| range.contains(ms)).map(Duration::from_millis);
        if time.is_none() {
            self.warn(variable, &format!("is no time from {} ms to {} ms", range.start(), range.end()));
        }
        time
    }

    /// Parses both variables. The name wins over the list and an empty variable counts as unset, as OpenTelemetry
    /// specifies.
    fn of(name: Result<String, VarError>, list: Result<String, VarError>) -> Environment {
        let mut environment = Environment::default();
        if let Some(text) = environment.checked(ATTRIBUTES, list) {
            match list::attributes(&text) {
                Ok(attributes) if attributes.len() <= MAX_ATTRIBUTES => environment.attributes = attributes,
                Ok(_) => environment.warn(ATTRIBUTES, &format!("has more than {MAX_ATTRIBUTES} attributes")),
                Err(why) => environment.warn(ATTRIBUTES, why),
            }
        }
        if let Some(name) = environment.checked(SERVICE_NAME, name) {
            environment.attributes.push(("service.name".to_owned(), name));
        }
        environment
    }

    /// Returns the value of a variable; warns of one that is too long or not UTF-8.
    fn checked(&mut self, variable: &str, value: Result<String, VarError>) -> Option<String> {
        match value {
            Ok(text) if text.trim().is_empty() => None,
            Ok(text) if text.len() <= MAX_BYTES => Some(text),
            Ok(_) => {
                self.warn(variable, &format!("is longer than {MAX_BYTES} bytes"));
                None
            }
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                self.warn(variable, "is not UTF-8");
                None
            }
        }
    }

    fn warn(&mut self, variable: &str, why: &str) {
        self.warnings.push(format!("{variable} is ignored: it {why}"));
    }
}

fn can_be_sent(headers: &[(String, String)]) -> bool {
    let config = obs_trace::otlp::Config::new("http://127.0.0.1");
    headers.iter().fold(config, |config, (name, value)| config.header(name, value)).check().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: Option<&str>, list: Option<&str>) -> (Vec<String>, Vec<String>) {
        let value = |text: Option<&str>| text.map(str::to_owned).ok_or(VarError::NotPresent);
        let Environment { attributes, warnings, .. } = Environment::of(value(name), value(list));
        (attributes.into_iter().map(|(key, value)| format!("{key}={value}")).collect(), warnings)
    }

    #[test]
    fn the_service_name_comes_last_and_a_bad_variable_is_a_warning() {
        let none: [&str; 0] = [];
        assert_eq!(read(None, None), (vec![], vec![]));
        assert_eq!(read(Some(" "), Some("")), (vec![], vec![]));
        let (attributes, warnings) =
            read(Some("mine"), Some("service.name=theirs,deployment.environment.name=home"));
        assert_eq!(
            attributes,
            ["service.name=theirs", "deployment.environment.name=home", "service.name=mine"]
        );
        assert_eq!(warnings, none);

        let many = (0..65).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for list in ["no pair", "a=1,b", "a=%f", &many, &"x".repeat(8_193)] {
            let (attributes, warnings) = read(Some("mine"), Some(list));
            assert_eq!(attributes, ["service.name=mine"], "{list:.20}");
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].starts_with("OTEL_RESOURCE_ATTRIBUTES is ignored: it "), "{warnings:?}");
        }
        let (attributes, warnings) = read(Some(&"x".repeat(8_193)), Some("a=1"));
        assert_eq!((attributes, warnings.len()), (vec!["a=1".to_owned()], 1));
        let not_unicode = || Err(VarError::NotUnicode("x".into()));
        assert_eq!(Environment::of(not_unicode(), not_unicode()).warnings.len(), 2);
    }

    #[test]
    fn variables_of_a_signal_are_settings_or_warnings_without_their_text() {
        let read = |variables: &[(&str, &str)]| {
            let mut environment = Environment::default();
            environment.read_signals(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
            });
            environment
        };
        let read_all = read(&[
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:4318/v1/metrics"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-scope=home"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "700"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ]);
        assert_eq!(read_all.metrics.endpoint.as_deref(), Some("http://metrics:4318/v1/metrics"));
        assert_eq!(read_all.logs.headers, [("x-scope".to_owned(), "home".to_owned())]);
        assert_eq!(read_all.traces.timeout, Some(Duration::from_millis(500)));
        assert_eq!(read_all.logs.timeout, Some(Duration::from_millis(700)));
        assert_eq!(read_all.metrics_interval, Some(Duration::from_millis(1_500)));
        assert_eq!(read_all.temporality, Some(OtlpTemporality::Delta));
        assert!(read_all.warnings.is_empty() && read(&[]).warnings.is_empty());

        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://u:hunter2@metrics"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "host=hunter2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "hunter2"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "hunter2"),
        ] {
            let warnings = read(&[(variable, value)]).warnings;
            assert_eq!(warnings.len(), 1, "{variable}");
            assert!(warnings[0].starts_with(variable) && !warnings[0].contains("hunter2"), "{warnings:?}");
        }
    }
}
