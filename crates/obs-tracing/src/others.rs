//! Other dispatchers and loggers of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::{Interest, NoSubscriber, Subscriber};
use tracing_core::{Dispatch, Event, Metadata, callsite, dispatcher};

use crate::Bridge;

/// Whether a subscriber with the layer exists or existed.
static LAYERED: AtomicBool = AtomicBool::new(false);

/// Notes that a subscriber has the layer.
#[cfg(feature = "layer")]
pub(crate) fn note_layer() {
    // Relaxed: the flag stands alone.
    LAYERED.store(true, Ordering::Relaxed);
}

/// Returns whether a subscriber with the layer was made in this process.
///
/// ```
/// assert!(!obs_tracing::is_layered());
/// ```
#[must_use]
pub fn is_layered() -> bool {
    LAYERED.load(Ordering::Relaxed)
}

/// Whether the process has another dispatcher than the bridge.
pub(crate) fn has_other_dispatcher() -> bool {
    if !dispatcher::has_been_set() {
        return false;
    }
    let is_other = || dispatcher::get_default(|found| !found.is::<Bridge>() && !found.is::<NoSubscriber>());
    // A new thread has no dispatcher of its own, so it sees that of the process.
    let looking = thread::Builder::new().name("obs-tracing-look".to_owned()).spawn(is_other);
    looking.is_ok_and(|looking| looking.join().unwrap_or(false))
}

/// Returns whether the logger of the `log` crate makes events of its records, as the one of `tracing-log` does, which
/// `tracing_subscriber::fmt::init` installs.
///
/// Such a logger cannot be told to pass its records on to another logger. Takes microseconds and logs nothing.
///
/// ```
/// assert!(!obs_tracing::makes_events_of_records());
/// ```
#[must_use]
pub fn makes_events_of_records() -> bool {
    let asked = Arc::new(AtomicBool::new(false));
    let dispatch = Dispatch::new(Asked(Arc::clone(&asked)));
    dispatcher::with_default(&dispatch, || {
        // The logger of `tracing-log` asks the dispatcher of its thread.
        let metadata = log::Metadata::builder().target(Asked::TARGET).level(log::Level::Error).build();
        log::logger().enabled(&metadata);
    });
    drop(dispatch);
    // Callsites were asked about a dispatcher that is gone now.
    callsite::rebuild_interest_cache();
    asked.load(Ordering::Relaxed)
}

/// Subscriber that notes whether it was asked about a record, and wants nothing.
struct Asked(Arc<AtomicBool>);

impl Asked {
    const TARGET: &'static str = "obs_tracing::asked";
}

impl Subscriber for Asked {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.target() == Asked::TARGET {
            self.0.store(true, Ordering::Relaxed);
        }
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
