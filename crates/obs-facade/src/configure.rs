//! One call that sets up all four (W4).

#[cfg(feature = "otlp")]
use std::sync::Once;

use crate::config::ObservabilityConfig;
use crate::error::Error;
#[cfg(feature = "otlp")]
use crate::otlp::{self, Environment};
use crate::seams;

/// Sets up logging, metrics and tracing as `config` says, and joins them with each other (W4, spec
/// §3.1, §4.1).
///
/// Idempotent: the same configuration again changes nothing, another one is applied live. Keep the
/// [`Guard`]; when the last one is dropped, the log is flushed, and traces that wait to be exported are sent.
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
/// When a field has a value that cannot be used: an unknown level, a folder that is none or cannot be
/// written. The error names the field and what to do. The log is set up first; where it refuses, nothing
/// has changed.
pub fn configure(config: &ObservabilityConfig) -> Result<Guard, Error> {
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
        _traces: otlp::configure(traces)?,
        _log: log,
    })
}

/// Says what is wrong with the environment, which stays as it is while the process runs.
#[cfg(feature = "otlp")]
fn warn_once(warnings: &[String]) {
    static SAID: Once = Once::new();
    SAID.call_once(|| warnings.iter().for_each(|warning| obs_log::warn!("{warning}")));
}

/// Keeps observability set up; made by [`configure`].
///
/// Clones are equal. Dropping the last one sends the traces that wait to be exported, for two seconds at most, and
/// writes out what the log still holds, for a second at most; lines logged later are still written.
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
    /// Before the log: what goes wrong with the last traces is still said.
    #[cfg(feature = "otlp")]
    _traces: otlp::Guard,
    _log: obs_log::Guard,
}
