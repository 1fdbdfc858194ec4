//! Observer of the lines that report a fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use log::{Level, Record};

/// Gets the logger's name, as the program wrote it, and the record of a line. See [`set_fault_observer`].
pub type FaultObserver = fn(&str, &Record<'_>);

static IS_SET: AtomicBool = AtomicBool::new(false);

/// Function in force. A fault takes the lock for reading, so that it waits for no other fault.
static OBSERVER: RwLock<Option<FaultObserver>> = RwLock::new(None);

/// Sets a function that sees each line of level `warning` or `error`.
///
/// It is called on the logging thread, after the line was accepted. It sees the lines that the levels let through, and none
/// that a test captures. It must not block, panic or log. The last one set wins.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// static FAULTS: AtomicU64 = AtomicU64::new(0);
/// obs_log::set_fault_observer(|_logger, _record| _ = FAULTS.fetch_add(1, Ordering::Relaxed));
/// # let folder = tempfile::tempdir().unwrap();
/// # let _guard = obs_log::configure(&obs_log::Config::new(folder.path()))?;
/// obs_log::warn!("no peer answers");
/// obs_log::info!("joined");
/// assert_eq!(FAULTS.load(Ordering::Relaxed), 1);
/// # Ok::<(), obs_log::Error>(())
/// ```
pub fn set_fault_observer(observer: FaultObserver) {
    *OBSERVER.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    // Relaxed: a line that is logged meanwhile may go either way. The lock publishes the function.
    IS_SET.store(true, Ordering::Relaxed);
}

/// Whether there is an observer for lines of this level.
#[inline]
pub(super) fn wants(level: Level) -> bool {
    // Relaxed: see `set_fault_observer`.
    level <= Level::Warn && IS_SET.load(Ordering::Relaxed)
}

/// Shows a line to the observer, if it reports a fault.
#[inline]
pub(super) fn show(name: &str, record: &Record<'_>) {
    if wants(record.level()) {
        call(name, record);
    }
}

#[cold]
fn call(name: &str, record: &Record<'_>) {
    // Copied out, so that no lock is held while the function runs.
    let observer = *OBSERVER.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(observer) = observer {
        observer(name, record);
    }
}
