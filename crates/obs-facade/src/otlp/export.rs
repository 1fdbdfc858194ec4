//! The export of traces that the configuration asks for, one in a process (T8).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use obs_trace::Error;
use obs_trace::otlp::{self, Config, Exporter, Stats};

static CURRENT: Mutex<Option<Export>> = Mutex::new(None);
static GUARDS: AtomicUsize = AtomicUsize::new(0);

struct Export {
    config: Config,
    exporter: Arc<Exporter>,
}

/// Begins, changes or ends the export, as `config` says; the same configuration again changes nothing.
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

/// What it has done, if there is one.
pub(crate) fn stats() -> Option<Stats> {
    current().as_ref().map(|export| export.exporter.stats())
}

/// It gets no more from here on, and sends what it has, for which nobody here is to wait.
fn end(export: Option<Export>) {
    if let Some(Export { exporter, .. }) = export {
        exporter.disconnect();
        // Without a thread it is dropped here, and takes its two seconds.
        let _ = thread::Builder::new().name("obs-trace-otlp-end".to_owned()).spawn(move || drop(exporter));
    }
}

fn current() -> MutexGuard<'static, Option<Export>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the last one goes, what waits is sent.
#[derive(Debug)]
pub(crate) struct Guard(());

const PATIENCE: Duration = Duration::from_secs(2);

impl Guard {
    fn new() -> Guard {
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
        if GUARDS.fetch_sub(1, Ordering::AcqRel) == 1 {
            let exporter = current().as_ref().map(|export| Arc::clone(&export.exporter));
            if let Some(exporter) = exporter {
                exporter.flush(PATIENCE);
            }
        }
    }
}
