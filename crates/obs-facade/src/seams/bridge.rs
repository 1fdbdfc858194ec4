//! The bridge for the `tracing` crate, which is one for the process.

use std::sync::atomic::{AtomicBool, Ordering};

use obs_log::log::{Level, Metadata};
use obs_log::{Logger, warn};
use obs_tracing::{Config, Error};

/// Whether the program has configured the bridge.
static CONFIGURED: AtomicBool = AtomicBool::new(false);

/// Configures the bridge as the program wants it.
pub(crate) fn configure(config: &Config) -> Result<(), Error> {
    obs_tracing::configure(config)?;
    CONFIGURED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Turns the bridge on for a test that has not configured it. A dispatcher that is there keeps its place.
pub(crate) fn begin() {
    // Relaxed: a test that configures at the same moment may have to do so again.
    if !CONFIGURED.load(Ordering::Relaxed) && obs_tracing::configure(&Config::new()).is_err() {
        let _ = obs_tracing::configure(&Config::new().install(false));
    }
}

/// Warns, once, if nothing that other crates say through `log` or `tracing` arrives. For a program that has the logger and the
/// dispatcher of its own.
pub(crate) fn warn_of_silence() {
    // By its name, so that the line needs no logger of the `log` crate.
    static LOG: Logger = Logger::new(module_path!());
    static WARNED: AtomicBool = AtomicBool::new(false);
    if obs_tracing::is_layered() || may_pass_on() || WARNED.swap(true, Ordering::Relaxed) {
        return;
    }
    warn!(logger: LOG,
        "lines of the `log` and `tracing` crates do not arrive: `install_logger` and `install_dispatcher` are off, and no stack \
         has `obs_facade::tracing::layer()` (feature `tracing-layer`) yet");
}

/// Whether a logger of the program may pass records on. Without one, the `log` crate has a logger that is disabled.
fn may_pass_on() -> bool {
    let metadata = Metadata::builder().target(module_path!()).level(Level::Error).build();
    obs_log::log::logger().enabled(&metadata) && !obs_tracing::makes_events_of_records()
}
