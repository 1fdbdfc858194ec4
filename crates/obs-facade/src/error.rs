//! Errors of a configuration.

use std::borrow::Cow;
use std::fmt;

/// Reason why [`configure`](crate::configure) refused a configuration.
///
/// The text says which field is at fault, what is wrong with it, and what to do:
///
/// ```
/// use obs_facade::{ErrorKind, ObservabilityConfig};
///
/// let error = obs_facade::configure(&ObservabilityConfig::default()).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidValue);
/// assert_eq!(error.field(), "log_dir");
/// assert_eq!(error.problem(), "the path is empty");
/// assert_eq!(error.advice(), "set the folder for the day files");
/// assert_eq!(error.to_string(), "log_dir: the path is empty; set the folder for the day files");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
    // Boxed: an error is rare, and a `Result` should stay small.
    source: Option<Box<Source>>,
}

/// Kind of an [`Error`].
///
/// ```
/// use obs_facade::{ErrorKind, ObservabilityConfig};
///
/// let config = ObservabilityConfig::new("/tmp/x").log_level("loud");
/// match obs_facade::configure(&config).unwrap_err().kind() {
///     ErrorKind::Log(obs_facade::log::ErrorKind::Level) => {}
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The value of a field is not allowed.
    InvalidValue,
    /// The field needs a cargo feature that this build lacks.
    MissingFeature,
    /// The environment variable that the field names cannot be used.
    Environment,
    /// The log refused its configuration.
    Log(obs_log::ErrorKind),
    /// The metrics refused their configuration.
    Metrics(obs_metrics::ErrorKind),
    /// Tracing or the export of traces refused its configuration.
    Trace(obs_trace::ErrorKind),
    /// The bridge for the `tracing` crate refused its configuration.
    #[cfg(feature = "tracing")]
    Tracing(obs_tracing::ErrorKind),
}

/// Error of one of the crates, as [`source`](std::error::Error::source) returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Log(obs_log::Error),
    Metrics(obs_metrics::Error),
    Trace(obs_trace::Error),
    #[cfg(feature = "tracing")]
    Tracing(obs_tracing::Error),
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        field: &'static str,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Error { kind, field: field.into(), problem: problem.into(), advice: advice.into(), source: None }
    }

    /// Returns the error of a field whose cargo feature is off.
    #[cfg(not(all(
        feature = "otlp",
        feature = "compress",
        feature = "history",
        feature = "tracing",
        feature = "tls"
    )))]
    pub(crate) fn missing_feature(field: &'static str, problem: &'static str, advice: &'static str) -> Self {
        Error::new(ErrorKind::MissingFeature, field, problem, advice)
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the field at fault, as the section `[observability]` of `config.toml` calls it. Empty when there is none.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Description of the mistake, without the field and the advice.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Description of a remedy.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self.source.as_deref()? {
            Source::Log(error) => error,
            Source::Metrics(error) => error,
            Source::Trace(error) => error,
            #[cfg(feature = "tracing")]
            Source::Tracing(error) => error,
        })
    }
}

/// Remedy for another logger of the `log` crate.
const OTHER_LOGGER: &str = "set `install_logger(false)` and have it pass each record on: \
                            `obs_facade::log::logger().log(record)`";

/// Remedy for the logger of `tracing-log`, which cannot pass records on.
#[cfg(feature = "tracing")]
const LOGGER_OF_TRACING: &str = "set `install_logger(false)`; it makes events of its records, which arrive by \
                                 `obs_facade::tracing::layer()` in the stack of `tracing-subscriber`, with the feature \
                                 `tracing-layer`";

/// Remedy for the logger of `tracing-log` in a build that does not know it.
#[cfg(not(feature = "tracing"))]
const LOGGER_OF_TRACING: &str = "that of `tracing-subscriber` cannot pass records on: turn the feature `tracing-layer` on, and \
                                 add `obs_facade::tracing::layer()` to its stack";

#[cfg(feature = "tracing")]
fn other_logger() -> Cow<'static, str> {
    if obs_tracing::makes_events_of_records() { LOGGER_OF_TRACING.into() } else { OTHER_LOGGER.into() }
}

#[cfg(not(feature = "tracing"))]
fn other_logger() -> Cow<'static, str> {
    format!("{OTHER_LOGGER}; {LOGGER_OF_TRACING}").into()
}

/// Remedy for another dispatcher of the `tracing` crate.
#[cfg(feature = "tracing")]
fn other_dispatcher() -> Cow<'static, str> {
    // Both at once, so that the logger is not the next error.
    let logger = if obs_tracing::makes_events_of_records() { " and `install_logger(false)`" } else { "" };
    format!(
        "set `install_dispatcher(false)`{logger}, turn the feature `tracing-layer` on, and add the layer to its stack: \
         `tracing_subscriber::registry().with(obs_facade::tracing::layer()).with(tracing_subscriber::fmt::layer()).init()`"
    )
    .into()
}

/// The crates name their own setters. `config.toml` has one section for all of them, so its names have a prefix.
impl From<obs_log::Error> for Error {
    fn from(error: obs_log::Error) -> Self {
        let field = match error.kind() {
            obs_log::ErrorKind::Level => "log_level",
            obs_log::ErrorKind::Folder => "log_dir",
            obs_log::ErrorKind::FileSize => "log_max_bytes",
            obs_log::ErrorKind::Group => "log_group",
            _ => "",
        };
        let advice = match error.kind() {
            // By the facade's names.
            obs_log::ErrorKind::OtherLogger => other_logger(),
            _ => error.advice().to_owned().into(),
        };
        Error {
            kind: ErrorKind::Log(error.kind()),
            field: field.into(),
            problem: error.problem().to_owned().into(),
            advice,
            source: Some(Box::new(Source::Log(error))),
        }
    }
}

impl From<obs_metrics::Error> for Error {
    fn from(error: obs_metrics::Error) -> Self {
        Error {
            kind: ErrorKind::Metrics(error.kind()),
            // No setting of this crate that can be wrong has a field in `config.toml`.
            field: "".into(),
            problem: error.problem().to_owned().into(),
            advice: error.advice().to_owned().into(),
            source: Some(Box::new(Source::Metrics(error))),
        }
    }
}

impl From<obs_trace::Error> for Error {
    fn from(error: obs_trace::Error) -> Self {
        let field = match error.kind() {
            #[cfg(feature = "otlp")]
            obs_trace::ErrorKind::Endpoint | obs_trace::ErrorKind::Thread => "otlp_endpoint",
            #[cfg(feature = "otlp")]
            obs_trace::ErrorKind::Header => "otlp_headers_env",
            obs_trace::ErrorKind::OutOfRange if error.field() == "blocked_worker_ms" => "blocked_worker_ms",
            // The other limits have no field in `config.toml`.
            _ => "",
        };
        Error {
            kind: ErrorKind::Trace(error.kind()),
            field: field.into(),
            problem: error.problem().to_owned().into(),
            advice: error.advice().to_owned().into(),
            source: Some(Box::new(Source::Trace(error))),
        }
    }
}

#[cfg(feature = "tracing")]
impl From<obs_tracing::Error> for Error {
    fn from(error: obs_tracing::Error) -> Self {
        let (field, advice) = match error.kind() {
            obs_tracing::ErrorKind::Root => ("tracing_roots", error.advice().to_owned().into()),
            _ => ("tracing", other_dispatcher()),
        };
        Error {
            kind: ErrorKind::Tracing(error.kind()),
            field: field.into(),
            problem: error.problem().to_owned().into(),
            advice,
            source: Some(Box::new(Source::Tracing(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_of_a_crate_keeps_its_words_and_gets_the_field_of_the_configuration_file() {
        let log = obs_log::Config::new("/tmp").level("loud").check().unwrap_err();
        let metrics = obs_metrics::configure(&obs_metrics::Config::default().series_cap(0)).unwrap_err();
        let trace = obs_trace::configure(&obs_trace::Config::default().ring_capacity(0)).unwrap_err();
        for (error, kind, field) in [
            (Error::from(log), ErrorKind::Log(obs_log::ErrorKind::Level), "log_level"),
            (metrics.into(), ErrorKind::Metrics(obs_metrics::ErrorKind::InvalidConfig), ""),
            (trace.into(), ErrorKind::Trace(obs_trace::ErrorKind::OutOfRange), ""),
        ] {
            assert_eq!((error.kind(), error.field()), (kind, field));
            assert!(!error.problem().is_empty() && !error.advice().is_empty(), "{error}");
            let own = format!("{}; {}", error.problem(), error.advice());
            let source = error.source().unwrap().to_string();
            assert!(source.ends_with(&own), "{source} and {own}");
            let prefix = if field.is_empty() { String::new() } else { format!("{field}: ") };
            assert_eq!(error.to_string(), prefix + &own);
        }
        let size = obs_log::Config::new("/tmp").max_bytes(Some(1)).check().unwrap_err();
        assert_eq!(Error::from(size).field(), "log_max_bytes");
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn an_error_of_the_export_gets_the_field_of_the_configuration_file() {
        let endpoint = obs_trace::otlp::Config::new("ftp://c").check().unwrap_err();
        let error = Error::from(endpoint);
        assert_eq!(error.kind(), ErrorKind::Trace(obs_trace::ErrorKind::Endpoint));
        assert_eq!(error.field(), "otlp_endpoint");
    }
}
