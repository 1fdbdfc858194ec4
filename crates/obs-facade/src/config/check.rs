//! Checks of single values.

use std::borrow::Cow;

use crate::console_access::ConsoleAccess;
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

#[cfg(feature = "console")]
pub(super) fn check_console(_: Option<ConsoleAccess>) -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "console"))]
pub(super) fn check_console(access: Option<ConsoleAccess>) -> Result<(), Error> {
    match access {
        None | Some(ConsoleAccess::Off) => Ok(()),
        Some(_) => Err(Error::missing_feature(
            "console",
            "this build has no console",
            "remove the field, or build with the feature `console`",
        )),
    }
}

/// Checks `doctor_interval_seconds`. `seconds` may be negative where a file is read.
pub(super) fn check_doctor_interval(seconds: i128) -> Result<(), Error> {
    if seconds == 0 || (10..=86_400).contains(&seconds) {
        return Ok(());
    }
    let advice = "set 0 for never, or seconds from 10 to 86400";
    Err(invalid("doctor_interval_seconds", format!("{seconds} is not allowed"), advice))
}

/// Returns the limits of tracing with this `blocked_worker_ms`.
pub(super) fn trace_config(blocked_worker_ms: u64) -> obs_trace::Config {
    // A number beyond the range of `usize` is beyond the range of the setting.
    let ms = usize::try_from(blocked_worker_ms).unwrap_or(usize::MAX);
    obs_trace::Config::default().blocked_worker_ms(ms)
}

/// Checks `doctor_clock_anchors`. A wrong address is not repeated, because it may hold a password.
pub(super) fn check_clock_anchors(addresses: &[String]) -> Result<(), Error> {
    if !addresses.iter().all(|address| is_http_address(address)) {
        let advice = "set addresses such as http://host/, without user and password";
        return Err(invalid("doctor_clock_anchors", "an address cannot be used", advice));
    }
    addresses.iter().try_for_each(|address| needs_tls("doctor_clock_anchors", address))
}

/// Checks whether this build can ask an address.
#[cfg(feature = "tls")]
fn needs_tls(_: &'static str, _: &str) -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn needs_tls(field: &'static str, address: &str) -> Result<(), Error> {
    if !address.starts_with("https://") {
        return Ok(());
    }
    let advice = "use an address with `http`, or build with the feature `tls`";
    Err(Error::missing_feature(field, "this build asks no address with `https`", advice))
}

fn is_http_address(address: &str) -> bool {
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

/// Checks `otlp_metrics` and `otlp_logs`, which need the feature.
pub(super) fn check_otlp_switch(field: &'static str, on: bool) -> Result<(), Error> {
    if !on || cfg!(feature = "otlp") {
        return Ok(());
    }
    let problem = "this build exports nothing";
    Err(missing_otlp(field, problem))
}

#[cfg(feature = "otlp")]
fn missing_otlp(field: &'static str, problem: &'static str) -> Error {
    // Not reached: the feature is there.
    invalid(field, problem, "remove the field")
}

#[cfg(not(feature = "otlp"))]
fn missing_otlp(field: &'static str, problem: &'static str) -> Error {
    Error::missing_feature(field, problem, "remove the field, or build with the feature `otlp`")
}

/// Returns the error of `otlp_metrics` or `otlp_logs` without a collector.
pub(super) fn no_collector(field: &'static str) -> Error {
    invalid(
        field,
        "there is no collector",
        "set otlp_endpoint, such as http://host:4318, or remove the field",
    )
}

/// Checks `otlp_metrics_interval_seconds`. `seconds` may be negative where a file is read.
pub(super) fn check_otlp_interval(seconds: i128) -> Result<(), Error> {
    if (1..=3_600).contains(&seconds) {
        return Ok(());
    }
    let advice = "set seconds from 1 to 3600";
    Err(invalid("otlp_metrics_interval_seconds", format!("{seconds} is not allowed"), advice))
}

#[cfg(feature = "tracing")]
pub(super) fn check_tracing(_: bool) -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "tracing"))]
pub(super) fn check_tracing(on: bool) -> Result<(), Error> {
    if on { Err(no_bridge("tracing")) } else { Ok(()) }
}

#[cfg(feature = "tracing")]
pub(super) fn check_tracing_roots(targets: &[String]) -> Result<(), Error> {
    Ok(obs_tracing::Config::new().roots(targets).check()?)
}

#[cfg(not(feature = "tracing"))]
pub(super) fn check_tracing_roots(targets: &[String]) -> Result<(), Error> {
    if targets.is_empty() { Ok(()) } else { Err(no_bridge("tracing_roots")) }
}

#[cfg(not(feature = "tracing"))]
fn no_bridge(field: &'static str) -> Error {
    let problem = "this build has no bridge for the `tracing` crate";
    Error::missing_feature(field, problem, "remove the field, or build with the feature `tracing`")
}

#[cfg(feature = "history")]
pub(super) fn check_history_switch(_: Option<bool>) -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "history"))]
pub(super) fn check_history_switch(on: Option<bool>) -> Result<(), Error> {
    match on {
        Some(true) => Err(Error::missing_feature(
            "history",
            "this build cannot keep a history",
            "remove the field, or build with the feature `history`",
        )),
        _ => Ok(()),
    }
}

/// Checks `history_days`. `days` may be negative where a file is read.
// Not by the crate of the history, which a build may lack.
pub(super) fn check_history_days(days: i128) -> Result<(), Error> {
    if (1..=366).contains(&days) {
        return Ok(());
    }
    Err(invalid("history_days", format!("{days} is not allowed"), "set days from 1 to 366"))
}

/// Checks `history_max_bytes`.
pub(super) fn check_history_max_bytes(bytes: u64) -> Result<(), Error> {
    if (1 << 20..=i64::MAX as u64).contains(&bytes) {
        return Ok(());
    }
    Err(invalid("history_max_bytes", format!("{bytes} is not allowed"), HISTORY_MAX_BYTES))
}

/// Checks `trace_history_max_bytes`.
pub(super) fn check_trace_history_max_bytes(bytes: u64) -> Result<(), Error> {
    if (1 << 20..=1 << 30).contains(&bytes) {
        return Ok(());
    }
    Err(invalid("trace_history_max_bytes", format!("{bytes} is not allowed"), TRACE_HISTORY_MAX_BYTES))
}

/// Advice on `trace_history_max_bytes`.
pub(super) const TRACE_HISTORY_MAX_BYTES: &str = "set from 1 MiB (1048576) to 1 GiB (1073741824)";

/// Advice on `history_max_bytes`.
pub(super) const HISTORY_MAX_BYTES: &str = "set at least 1 MiB (1048576)";

/// Maximum length in bytes of the command of `problems_hook`. The system takes more, but no person writes it.
const MAX_COMMAND_BYTES: usize = 16 << 10;

/// Checks `problems_hook`. An argument may be a secret and is not repeated.
pub(super) fn check_problems_hook(command: &[String]) -> Result<(), Error> {
    let Some(program) = command.first() else { return Ok(()) };
    let advice = "set the program and its arguments, such as [\"/usr/bin/notify-send\", \"HearthNet\"]";
    if program.is_empty() || command.iter().any(|part| part.contains('\0')) {
        return Err(invalid("problems_hook", "it is no command", advice));
    }
    if command.iter().map(String::len).sum::<usize>() > MAX_COMMAND_BYTES {
        return Err(invalid("problems_hook", "it is longer than 16 KiB", advice));
    }
    needs_history("problems_hook")
}

/// Checks `problems_webhook`. A wrong address is not repeated, because it may hold a password.
pub(super) fn check_problems_webhook(address: &str) -> Result<(), Error> {
    if !is_http_address(address) {
        let advice = "set an address such as http://127.0.0.1:9000/hook, without user and password";
        return Err(invalid("problems_webhook", "the address cannot be used", advice));
    }
    needs_tls("problems_webhook", address)?;
    needs_history("problems_webhook")
}

#[cfg(feature = "history")]
fn needs_history(_: &'static str) -> Result<(), Error> {
    Ok(())
}

#[cfg(not(feature = "history"))]
fn needs_history(field: &'static str) -> Result<(), Error> {
    let advice = "remove the field, or build with the feature `history`";
    Err(Error::missing_feature(field, "this build collects no problems", advice))
}
