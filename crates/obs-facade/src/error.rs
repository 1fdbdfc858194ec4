//! What can be wrong with a configuration.

use std::fmt;

use crate::config::{CLOCK_ANCHOR, DOCTOR_INTERVAL};

/// Why [`configure`](crate::configure) refused a configuration.
///
/// Says what is wrong, in which field, and what to do.
///
/// ```
/// use obs_facade::ObservabilityConfig;
///
/// let error = obs_facade::configure(&ObservabilityConfig::default()).unwrap_err();
/// assert_eq!(error.field(), Some("log_dir"));
/// assert_eq!(error.to_string(), "log_dir: is empty; name the folder that the day files go to");
/// ```
#[derive(Debug)]
pub struct Error(Cause);

#[derive(Debug)]
enum Cause {
    NoLogDir,
    DoctorInterval(u64),
    DoctorClockAnchors,
    #[cfg(not(feature = "otlp"))]
    NoOtlp,
    #[cfg(feature = "otlp")]
    OtlpHeaders(&'static str),
    #[cfg(not(feature = "compress"))]
    NoCompress,
    Log(obs_log::Error),
    Metrics(obs_metrics::Error),
    Trace(obs_trace::Error),
}

impl Error {
    pub(crate) fn no_log_dir() -> Self {
        Error(Cause::NoLogDir)
    }

    pub(crate) fn doctor_interval(seconds: u64) -> Self {
        Error(Cause::DoctorInterval(seconds))
    }

    pub(crate) fn doctor_clock_anchors() -> Self {
        Error(Cause::DoctorClockAnchors)
    }

    #[cfg(not(feature = "otlp"))]
    pub(crate) fn no_otlp() -> Self {
        Error(Cause::NoOtlp)
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn otlp_headers(why: &'static str) -> Self {
        Error(Cause::OtlpHeaders(why))
    }

    #[cfg(not(feature = "compress"))]
    pub(crate) fn no_compress() -> Self {
        Error(Cause::NoCompress)
    }

    /// The field of `[observability]` at fault, where one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match &self.0 {
            Cause::NoLogDir => Some("log_dir"),
            Cause::DoctorInterval(_) => Some("doctor_interval_seconds"),
            Cause::DoctorClockAnchors => Some("doctor_clock_anchors"),
            Cause::Log(error) => Some(error.field()).filter(|field| !field.is_empty()),
            #[cfg(not(feature = "otlp"))]
            Cause::NoOtlp => Some("otlp_endpoint"),
            #[cfg(feature = "otlp")]
            Cause::OtlpHeaders(_) => Some("otlp_headers_env"),
            #[cfg(not(feature = "compress"))]
            Cause::NoCompress => Some("log_compress"),
            Cause::Trace(error) => Some(error.field()),
            Cause::Metrics(_) => None,
        }
    }
}

impl From<obs_log::Error> for Error {
    fn from(error: obs_log::Error) -> Self {
        Error(Cause::Log(error))
    }
}

impl From<obs_metrics::Error> for Error {
    fn from(error: obs_metrics::Error) -> Self {
        Error(Cause::Metrics(error))
    }
}

impl From<obs_trace::Error> for Error {
    fn from(error: obs_trace::Error) -> Self {
        Error(Cause::Trace(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::NoLogDir => f.write_str("log_dir: is empty; name the folder that the day files go to"),
            Cause::DoctorInterval(seconds) => {
                write!(f, "doctor_interval_seconds: {seconds} is not allowed: expected {DOCTOR_INTERVAL}")
            }
            Cause::DoctorClockAnchors => write!(f, "doctor_clock_anchors: each has to be {CLOCK_ANCHOR}"),
            #[cfg(not(feature = "otlp"))]
            Cause::NoOtlp => f.write_str(
                "otlp_endpoint: this build exports no traces; leave it out, or build with the feature `otlp`",
            ),
            #[cfg(feature = "otlp")]
            Cause::OtlpHeaders(why) => write!(
                f,
                "otlp_headers_env: the environment variable that it names {why}; set that to the headers that the collector wants, such as authorization=Bearer%20KEY"
            ),
            #[cfg(not(feature = "compress"))]
            Cause::NoCompress => f.write_str(
                "log_compress: this build compresses no files; leave it out, or build with the feature `compress`",
            ),
            Cause::Log(error) => error.fmt(f),
            Cause::Metrics(error) => error.fmt(f),
            Cause::Trace(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::NoLogDir | Cause::DoctorInterval(_) | Cause::DoctorClockAnchors => None,
            #[cfg(not(feature = "otlp"))]
            Cause::NoOtlp => None,
            #[cfg(feature = "otlp")]
            Cause::OtlpHeaders(_) => None,
            #[cfg(not(feature = "compress"))]
            Cause::NoCompress => None,
            Cause::Log(error) => error.source(),
            Cause::Metrics(error) => error.source(),
            Cause::Trace(error) => error.source(),
        }
    }
}
