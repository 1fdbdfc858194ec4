//! Reading of single fields with serde. A wrong value is refused here, so that the format's error has its position.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::check::{
    HISTORY_MAX_BYTES, TRACE_HISTORY_MAX_BYTES, check_clock_anchors, check_console, check_doctor_interval,
    check_history_days, check_history_max_bytes, check_history_switch, check_otlp_endpoint,
    check_otlp_interval, check_otlp_switch, check_problems_hook, check_problems_webhook,
    check_trace_history_max_bytes, check_tracing, check_tracing_roots, compressing, limit, trace_config,
};
use super::milliseconds::Milliseconds;
use super::size::Size;
use crate::console_access::ConsoleAccess;
use crate::error::Error;

/// Advice on `log_max_bytes`.
const LOG_MAX_BYTES: &str = "set 0 for no limit, or at least 1 MiB (1048576)";

/// Reads the address. A wrong one may hold a password, so the error does not repeat it.
pub(super) fn otlp_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let address = String::deserialize(deserializer)?;
    check_otlp_endpoint(&address).map_err(|error| without_field(&error))?;
    Ok(Some(address))
}

pub(super) fn otlp_metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let on = bool::deserialize(deserializer)?;
    check_otlp_switch("otlp_metrics", on).map(|()| on).map_err(|error| without_field(&error))
}

pub(super) fn otlp_logs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let on = bool::deserialize(deserializer)?;
    check_otlp_switch("otlp_logs", on).map(|()| on).map_err(|error| without_field(&error))
}

pub(super) fn otlp_metrics_interval<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    check_otlp_interval(seconds.into()).map_err(|error| without_field(&error))?;
    Ok(Some(seconds.unsigned_abs()))
}

/// Reads the addresses. A wrong one may hold a password, so the error does not repeat it.
pub(super) fn clock_anchors<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let addresses = Vec::<String>::deserialize(deserializer)?;
    check_clock_anchors(&addresses).map_err(|error| without_field(&error))?;
    Ok(Some(addresses))
}

pub(super) fn console<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ConsoleAccess>, D::Error> {
    let access = Some(ConsoleAccess::deserialize(deserializer)?);
    check_console(access).map(|()| access).map_err(|error| without_field(&error))
}

pub(super) fn doctor_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    check_doctor_interval(seconds.into()).map_err(|error| without_field(&error))?;
    Ok(Some(seconds.unsigned_abs()))
}

pub(super) fn blocked_worker_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let Milliseconds(ms) = Milliseconds::deserialize(deserializer)?;
    let ms = u64::try_from(ms).map_err(|_| {
        D::Error::custom(format_args!("{ms} ms is out of range; set 1 ms to 60000 ms, or 0 for off"))
    })?;
    trace_config(ms).check().map_err(|error| without_field(&error.into()))?;
    Ok(ms)
}

pub(super) fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let level = String::deserialize(deserializer)?;
    obs_log::Config::new("").level(&level).check().map_err(|error| without_field(&error.into()))?;
    Ok(level)
}

pub(super) fn log_max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = size(deserializer, LOG_MAX_BYTES)?;
    obs_log::Config::new("").max_bytes(limit(bytes)).check().map_err(|error| without_field(&error.into()))?;
    Ok(bytes)
}

pub(super) fn history<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let on = Some(bool::deserialize(deserializer)?);
    check_history_switch(on).map(|()| on).map_err(|error| without_field(&error))
}

pub(super) fn history_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    // Signed, so that a negative number gets our text instead of serde's.
    let days = i64::deserialize(deserializer)?;
    check_history_days(days.into()).map_err(|error| without_field(&error))?;
    Ok(u32::try_from(days).unwrap_or(u32::MAX))
}

pub(super) fn history_max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = size(deserializer, HISTORY_MAX_BYTES)?;
    check_history_max_bytes(bytes).map_err(|error| without_field(&error))?;
    Ok(bytes)
}

pub(super) fn trace_history_max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = size(deserializer, TRACE_HISTORY_MAX_BYTES)?;
    check_trace_history_max_bytes(bytes).map_err(|error| without_field(&error))?;
    Ok(bytes)
}

pub(super) fn problems_hook<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let command = Vec::<String>::deserialize(deserializer)?;
    check_problems_hook(&command).map_err(|error| without_field(&error))?;
    Ok(command)
}

/// Reads the address. A wrong one may hold a password, so the error does not repeat it.
pub(super) fn problems_webhook<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let address = String::deserialize(deserializer)?;
    check_problems_webhook(&address).map_err(|error| without_field(&error))?;
    Ok(Some(address))
}

/// Reads a size in bytes. `advice` is for one that is negative or too large.
fn size<'de, D: Deserializer<'de>>(deserializer: D, advice: &str) -> Result<u64, D::Error> {
    // Signed, so that a negative number gets our text instead of serde's.
    let Size(bytes) = Size::deserialize(deserializer)?;
    // TOML's integers end there, so that a size in words has the same bound.
    let size = i64::try_from(bytes).ok().and_then(|bytes| u64::try_from(bytes).ok());
    size.ok_or_else(|| D::Error::custom(format_args!("{bytes} is not allowed; {advice}")))
}

pub(super) fn log_compress<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let on = bool::deserialize(deserializer)?;
    compressing(obs_log::Config::new(""), on).map(|_| on).map_err(|error| without_field(&error))
}

pub(super) fn tracing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let on = bool::deserialize(deserializer)?;
    check_tracing(on).map(|()| on).map_err(|error| without_field(&error))
}

pub(super) fn tracing_roots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let targets = Vec::<String>::deserialize(deserializer)?;
    check_tracing_roots(&targets).map_err(|error| without_field(&error))?;
    Ok(targets)
}

/// Returns the error for serde without its field, because the format's own error names the field.
fn without_field<E: serde::de::Error>(error: &Error) -> E {
    E::custom(format_args!("{}; {}", error.problem(), error.advice()))
}
