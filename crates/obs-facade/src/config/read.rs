//! Reading of single fields with serde. A wrong value is refused here, so that the format's error has its position.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::check::{check_clock_anchors, check_doctor_interval, check_otlp_endpoint, compressing, limit};
use super::size::Size;
use crate::error::Error;

/// Advice on `log_max_bytes`.
const LOG_MAX_BYTES: &str = "set 0 for no limit, or at least 1 MiB (1048576)";

/// Reads the address. A wrong one may hold a password, so the error does not repeat it.
pub(super) fn otlp_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let address = String::deserialize(deserializer)?;
    check_otlp_endpoint(&address).map_err(|error| without_field(&error))?;
    Ok(Some(address))
}

/// Reads the addresses. A wrong one may hold a password, so the error does not repeat it.
pub(super) fn clock_anchors<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let addresses = Vec::<String>::deserialize(deserializer)?;
    check_clock_anchors(&addresses).map_err(|error| without_field(&error))?;
    Ok(Some(addresses))
}

pub(super) fn doctor_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    check_doctor_interval(seconds.into()).map_err(|error| without_field(&error))?;
    Ok(Some(seconds.unsigned_abs()))
}

pub(super) fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let level = String::deserialize(deserializer)?;
    obs_log::Config::new("").level(&level).check().map_err(|error| without_field(&error.into()))?;
    Ok(level)
}

pub(super) fn log_max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    // Signed, so that a negative number gets our text instead of serde's.
    let Size(bytes) = Size::deserialize(deserializer)?;
    // TOML's integers end there, so that a size in words has the same bound.
    let bytes = i64::try_from(bytes)
        .ok()
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or_else(|| D::Error::custom(format_args!("{bytes} is not allowed; {LOG_MAX_BYTES}")))?;
    obs_log::Config::new("").max_bytes(limit(bytes)).check().map_err(|error| without_field(&error.into()))?;
    Ok(bytes)
}

pub(super) fn log_compress<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let on = bool::deserialize(deserializer)?;
    compressing(obs_log::Config::new(""), on).map(|_| on).map_err(|error| without_field(&error))
}

/// Returns the error for serde without its field, because the format's own error names the field.
fn without_field<E: serde::de::Error>(error: &Error) -> E {
    E::custom(format_args!("{}; {}", error.problem(), error.advice()))
}
