//! The process's one exporter of traces, which `configure` starts, replaces and stops.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use obs_trace::Error;
use obs_trace::otlp::{self, Config, Exporter, Stats};

/// The running export. Held while an exporter starts, so that two calls of `configure` leave one exporter.
static CURRENT: Mutex<Option<Export>> = Mutex::new(None);
/// Number of guards that exist.
static GUARDS: AtomicUsize = AtomicUsize::new(0);

struct Export {
    config: Config,
    exporter: Arc<Exporter>,
}

/// Starts, replaces or stops the export. The same configuration again changes nothing.
pub(crate) fn configure(config: Option<Config>) -> Result<Guard, Error> {
    let mut current = current();
    if current.as_ref().map(|export| &export.config) != config.as_ref() {
        let export = config.map(|config| {
            let exporter = Arc::new(otlp::start(&config)?);
            Ok::<_, Error>(Export { config, exporter })
        });
        end(std::mem::replace(&mut *current, export.transpose()?));
    }
    drop(current);
    Ok(Guard::new())
}

/// Returns the counters of the export of traces; `None` without an export.
///
/// ```
/// assert_eq!(obs_facade::export_stats(), None);
/// ```
#[must_use]
pub fn stats() -> Option<Stats> {
    // A scrape calls this. The lock is held for a copy of counters, and for the start of an exporter at most.
    current().as_ref().map(|export| export.exporter.stats())
}

/// Disconnects the exporter and drops it on a thread of its own, because the drop sends its queue and may take two
/// seconds.
fn end(export: Option<Export>) {
    if let Some(Export { exporter, .. }) = export {
        exporter.disconnect();
        // If no thread can be started, the closure and the exporter are dropped here, which blocks.
        let _ = thread::Builder::new().name("obs-trace-otlp-end".to_owned()).spawn(move || drop(exporter));
    }
}

fn current() -> MutexGuard<'static, Option<Export>> {
    // A panic under the lock leaves the old or the new export, both of which are valid.
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Guard whose last drop sends the waiting traces.
#[derive(Debug)]
pub(crate) struct Guard(());

/// Maximum wait for the last flush. The end of a node must not depend on a slow collector.
const PATIENCE: Duration = Duration::from_secs(2);

impl Guard {
    fn new() -> Guard {
        // Relaxed: a clone adds to a count that its original keeps above zero.
        GUARDS.fetch_add(1, Ordering::Relaxed);
        Guard(())
    }
}

impl Clone for Guard {
    fn clone(&self) -> Guard {
        Guard::new()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Release by each drop and acquire by the last one, so that the flush comes after all that other guards' holders
        // recorded.
        if GUARDS.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Cloned out of the lock: a flush of two seconds must not block `configure` or a scrape.
            let exporter = current().as_ref().map(|export| Arc::clone(&export.exporter));
            if let Some(exporter) = exporter {
                exporter.flush(PATIENCE);
            }
        }
    }
}
