//! Checks of single values.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind};

/// Returns the limit that a setting stands for; 0 is none.
pub(super) fn limit(bytes: u64) -> Option<u64> {
    Some(bytes).filter(|bytes| *bytes > 0)
}

#[cfg(feature = "compress")]
pub(super) fn compressing(config: obs_log::Config, on: bool) -> Result<obs_log::Config, Error> {
    Ok(config.compress(on))
}

#[cfg(not(feature = "compress"))]
pub(super) fn compressing(config: obs_log::Config, on: bool) -> Result<obs_log::Config, Error> {
    match on {
        true => Err(Error::missing_feature(
            "log_compress",
            "this build cannot compress files",
            "remove the field, or build with the feature `compress`",
        )),
        false => Ok(config),
    }
}

pub(super) fn invalid(
    field: &'static str,
    problem: impl Into<Cow<'static, str>>,
    advice: &'static str,
) -> Error {
    Error::new(ErrorKind::InvalidValue, field, problem, advice)
}

/// Returns the error of the variable that `otlp_headers_env` names. Its value is a secret and never repeated.
#[cfg(feature = "otlp")]
pub(super) fn bad_headers(why: &'static str) -> Error {
    let problem = format!("the environment variable {why}");
    let advice = "set it to the headers for the collector, such as authorization=Bearer%20KEY";
    Error::new(ErrorKind::Environment, "otlp_headers_env", problem, advice)
}

/// Checks `doctor_interval_seconds`. `seconds` may be negative where a file is read.
pub(super) fn check_doctor_interval(seconds: i128) -> Result<(), Error> {
    if seconds == 0 || (10..=86_400).contains(&seconds) {
        return Ok(());
    }
    let advice = "set 0 for never, or seconds from 10 to 86400";
    Err(invalid("doctor_interval_seconds", format!("{seconds} is not allowed"), advice))
}

/// Checks `doctor_clock_anchors`. A wrong address is not repeated, because it may hold a password.
pub(super) fn check_clock_anchors(addresses: &[String]) -> Result<(), Error> {
    if addresses.iter().all(|address| is_clock_anchor(address)) {
        return Ok(());
    }
    let advice = "set addresses such as http://host/, without user and password";
    Err(invalid("doctor_clock_anchors", "an address cannot be used", advice))
}

fn is_clock_anchor(address: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| address.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !authority.is_empty() && !authority.contains('@') && rest.chars().all(|c| c.is_ascii_graphic())
    })
}

#[cfg(feature = "otlp")]
pub(super) fn check_otlp_endpoint(address: &str) -> Result<(), Error> {
    Ok(obs_trace::otlp::Config::new(address).check()?)
}

#[cfg(not(feature = "otlp"))]
pub(super) fn check_otlp_endpoint(_: &str) -> Result<(), Error> {
    Err(Error::missing_feature(
        "otlp_endpoint",
        "this build cannot export traces",
        "remove the field, or build with the feature `otlp`",
    ))
}
