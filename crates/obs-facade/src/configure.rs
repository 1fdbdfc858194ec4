//! Set-up of all four crates in one call.

#[cfg(feature = "otlp")]
use std::sync::Once;

use crate::config::ObservabilityConfig;
use crate::error::Error;
#[cfg(feature = "otlp")]
use crate::otlp::{self, Environment};
use crate::seams;

/// Sets up logging, metrics and tracing by `config` and joins them.
///
/// Idempotent: the same configuration again changes nothing, and another one is applied live. Keep the [`Guard`]: when
/// the last one is dropped, the log is flushed and waiting traces are exported.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use obs_facade::{Logger, ObservabilityConfig, info};
///
/// static LOG: Logger = Logger::new("hearthnet.bus.router");
///
/// let config = ObservabilityConfig::new(folder.path());
/// let guard = obs_facade::configure(&config)?;
/// info!(logger: LOG, capability = "llm.chat"; "routed");
///
/// let _same = obs_facade::configure(&config.log_level("info,hearthnet.bus=debug"))?;
/// # drop(guard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// A field has a value that cannot be used, such as an unknown level or a folder that cannot be written. The error names
/// the field and the remedy. The log is set up first; if it refuses, nothing has changed.
pub fn configure(config: &ObservabilityConfig) -> Result<Guard, Error> {
    // All checks that need no side effect come first, so that a refusal changes nothing.
    config.check_doctor()?;
    config.check_otlp()?;
    #[cfg(feature = "otlp")]
    let environment = Environment::read();
    #[cfg(feature = "otlp")]
    let traces = config.otlp(&environment)?;
    let log = obs_log::configure(&config.log()?)?;
    obs_metrics::configure(&config.metrics())?;
    obs_trace::configure(&obs_trace::Config::default())?;
    seams::join();
    #[cfg(feature = "otlp")]
    if traces.is_some() {
        warn_once(&environment.warnings);
    }
    Ok(Guard {
        #[cfg(feature = "otlp")]
        // After the log, so that the exporter's first failure is logged.
        _traces: otlp::configure(traces)?,
        _log: log,
    })
}

/// Logs the faults of the environment once: it does not change while the process runs.
#[cfg(feature = "otlp")]
fn warn_once(warnings: &[String]) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| warnings.iter().for_each(|warning| obs_log::warn!("{warning}")));
}

/// Guard of the set-up, made by [`configure`].
///
/// Dropping the last clone exports the waiting traces, which takes two seconds at most, and writes the log's waiting
/// lines, which takes a second at most. Lines logged later are still written.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// fn main_loop(_guard: obs_facade::Guard) { /* … */ }
///
/// main_loop(obs_facade::configure(&obs_facade::ObservabilityConfig::new(folder.path()))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "dropping the guard flushes the log; keep it while the node runs"]
pub struct Guard {
    // Dropped before the log, so that a failure of the last export is still logged.
    #[cfg(feature = "otlp")]
    _traces: otlp::Guard,
    _log: obs_log::Guard,
}
