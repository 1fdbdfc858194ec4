//! The process's exporters, which `configure` starts, replaces and stops.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use obs_trace::otlp::{self, Exporter};

use super::{logs, metrics};
use crate::error::Error;
use crate::last_guard::{Guard, Guards};

/// Settings of the three exports. `None` is off.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) traces: Option<otlp::Config>,
    pub(crate) metrics: Option<metrics::Settings>,
    pub(crate) logs: Option<logs::Settings>,
}

impl Settings {
    pub(crate) fn is_off(&self) -> bool {
        self.traces.is_none() && self.metrics.is_none() && self.logs.is_none()
    }
}

/// The running exports. Held while an exporter starts, so that two calls of `configure` leave one exporter of each signal.
static CURRENT: Mutex<Exports> = Mutex::new(Exports { traces: None, metrics: None, logs: None });
static GUARDS: Guards = Guards::new(flush);

struct Exports {
    traces: Option<Export<otlp::Config, Exporter>>,
    metrics: Option<Export<metrics::Settings, obs_otlp::Exporter<metrics::Encoded>>>,
    logs: Option<Export<logs::Settings, logs::Export>>,
}

/// Export of one signal with its settings.
struct Export<S, E> {
    settings: S,
    exporter: Arc<E>,
}

/// Starts, replaces or stops the exports. The same settings again change nothing.
pub(crate) fn configure(settings: Settings) -> Result<Guard, Error> {
    let mut current = current();
    let of_otlp = |error: obs_otlp::Error| Error::from(obs_trace::Error::from(error));
    if let Some(traces) = replace(&mut current.traces, settings.traces, |config| Ok(otlp::start(config)?))? {
        traces.disconnect();
        end(traces);
    }
    let metrics = |settings: &_| metrics::start(settings).map_err(of_otlp);
    replace(&mut current.metrics, settings.metrics, metrics)?.into_iter().for_each(end);
    let logs = |settings: &_| logs::Export::start(settings).map_err(of_otlp);
    replace(&mut current.logs, settings.logs, logs)?.into_iter().for_each(end);
    drop(current);
    Ok(GUARDS.guard())
}

/// Replaces an export by one with other settings. Returns the one before.
fn replace<S: PartialEq, E>(
    export: &mut Option<Export<S, E>>,
    settings: Option<S>,
    start: impl FnOnce(&S) -> Result<E, Error>,
) -> Result<Option<Arc<E>>, Error> {
    if export.as_ref().map(|export| &export.settings) == settings.as_ref() {
        return Ok(None);
    }
    let started = settings.map(|settings| {
        let exporter = Arc::new(start(&settings)?);
        Ok::<_, Error>(Export { settings, exporter })
    });
    let before = std::mem::replace(export, started.transpose()?);
    Ok(before.map(|export| export.exporter))
}

/// Returns the counters of the export of traces; `None` without an export.
///
/// ```
/// assert_eq!(obs_facade::export_stats(), None);
/// ```
#[must_use]
pub fn trace_stats() -> Option<otlp::Stats> {
    // A scrape calls this. The lock is held for a copy of counters, and for the start of an exporter at most.
    current().traces.as_ref().map(|export| export.exporter.stats())
}

/// Returns the counters of the export of metrics, whose items are families; `None` without an export.
///
/// ```
/// assert_eq!(obs_facade::metric_export_stats(), None);
/// ```
#[must_use]
pub fn metric_stats() -> Option<obs_otlp::Stats> {
    current().metrics.as_ref().map(|export| export.exporter.stats())
}

/// Returns the counters of the export of lines; `None` without an export. Lines that were too old when they could be sent, or
/// whose file was removed before, count as dropped.
///
/// ```
/// assert_eq!(obs_facade::log_export_stats(), None);
/// ```
#[must_use]
pub fn log_stats() -> Option<obs_otlp::Stats> {
    current().logs.as_ref().map(|export| export.exporter.stats())
}

/// State of the export of a signal.
///
/// ```
/// assert!(obs_facade::exports().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportStatus {
    /// `traces`, `metrics` or `logs`.
    pub signal: &'static str,
    /// Address of the collector, without a password.
    pub endpoint: String,
    /// Traces, families or lines that the collector has accepted.
    pub exported: u64,
    /// Those that were not sent.
    pub dropped: u64,
    /// Those that were sent and that the collector did not accept.
    pub failed: u64,
    /// Time of the first of the requests that have failed since one succeeded.
    pub failing_since: Option<SystemTime>,
}

/// Returns the state of each export that is on.
#[must_use]
pub fn statuses() -> Vec<ExportStatus> {
    let current = current();
    let status =
        |signal, endpoint: &str, [exported, dropped, failed]: [u64; 3], failing_since| ExportStatus {
            signal,
            // A password is refused when the export is configured. This does not rely on that.
            endpoint: obs_doctor::redact(endpoint),
            exported,
            dropped,
            failed,
            failing_since,
        };
    let of = |signal, target: &obs_otlp::Config, stats: obs_otlp::Stats| {
        let counts = [stats.exported, stats.dropped, stats.failed];
        status(signal, target.endpoint(), counts, stats.failing_since)
    };
    let traces = current.traces.as_ref().map(|export| {
        let stats = export.exporter.stats();
        let counts = [stats.exported, stats.dropped, stats.failed];
        status("traces", export.settings.endpoint(), counts, stats.failing_since)
    });
    let metrics = current.metrics.as_ref();
    let metrics = metrics.map(|export| of("metrics", &export.settings.target, export.exporter.stats()));
    let logs = current.logs.as_ref();
    let logs = logs.map(|export| of("logs", &export.settings.target, export.exporter.stats()));
    [traces, metrics, logs].into_iter().flatten().collect()
}

/// Drops an exporter on a thread of its own, because the drop sends its queue and may take two seconds.
fn end<E: Send + Sync + 'static>(exporter: Arc<E>) {
    // If no thread can be started, the closure and the exporter are dropped here, which blocks.
    let _ = thread::Builder::new().name("obs-trace-otlp-end".to_owned()).spawn(move || drop(exporter));
}

fn current() -> MutexGuard<'static, Exports> {
    // A panic under the lock leaves the old or the new export, both of which are valid.
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Maximum wait for the last flush of all exports. The end of a node must not depend on a slow collector.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends what waits, all signals at the same time.
fn flush() {
    // Cloned out of the lock: a flush of two seconds must not block `configure` or a scrape.
    let exports = {
        let current = current();
        let traces = current.traces.as_ref().map(|export| Arc::clone(&export.exporter));
        let metrics = current.metrics.as_ref().map(|export| Arc::clone(&export.exporter));
        (traces, metrics, current.logs.as_ref().map(|export| Arc::clone(&export.exporter)))
    };
    let end = Instant::now() + PATIENCE;
    let left = || end.saturating_duration_since(Instant::now());
    let (traces, metrics, logs) = exports;
    thread::scope(|threads| {
        let metrics = metrics.as_ref().map(|metrics| move || _ = metrics.flush(left()));
        let logs = logs.as_ref().map(|logs| {
            move || {
                // The lines must be in their file to be read from there.
                obs_log::flush(left());
                logs.flush(left());
            }
        });
        // Without a thread a signal is not flushed: its worker still sends what it can.
        let _ = metrics.map(|flush| thread::Builder::new().spawn_scoped(threads, flush));
        let _ = logs.map(|flush| thread::Builder::new().spawn_scoped(threads, flush));
        if let Some(traces) = &traces {
            traces.flush(left());
        }
    });
}
