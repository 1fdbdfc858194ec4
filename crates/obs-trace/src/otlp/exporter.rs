//! Handle of an export.

use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::queue::Queue;
use super::stats::Stats;
use crate::store::{Export, WeakStore};
use crate::{Error, Store};

/// Export of a store's traces, until it is shut down or dropped.
///
/// A drop sends the waiting traces, for at most two seconds. See the [module](super).
///
/// ```
/// use obs_trace::otlp::{Config, Exporter};
///
/// let store = obs_trace::Store::default();
/// let exporter = Exporter::start(&store, &Config::new("http://127.0.0.1:4318"))?;
/// assert_eq!(exporter.stats().waiting, 0);
///
/// let error = Exporter::start(&store, &Config::new("collector")).unwrap_err();
/// assert_eq!(error.field(), "endpoint");
/// # Ok::<(), obs_trace::Error>(())
/// ```
#[must_use = "the export ends when the exporter is dropped"]
pub struct Exporter {
    queue: Arc<Queue>,
    store: WeakStore,
}

impl Exporter {
    /// Starts to export each trace that ends in `store`. An earlier exporter of the store gets no more traces.
    ///
    /// A collector that cannot be reached is no error, because it may start later.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used, a number is out of its range, or the system starts no thread.
    pub fn start(store: &Store, config: &Config) -> Result<Exporter, Error> {
        let queue = Arc::new(Queue::start(config)?);
        store.outlet().connect(Arc::<Queue>::clone(&queue));
        Ok(Exporter { queue, store: store.downgrade() })
    }

    /// Sends the waiting traces and blocks until they are exported or given up. Needs no runtime.
    ///
    /// Returns `false` if the time is over, or as soon as a request fails.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.queue.exporter.flush(timeout)
    }

    /// Takes no further trace. Waiting traces are still sent.
    pub fn disconnect(&self) {
        if let Some(store) = self.store.upgrade() {
            let queue: Arc<dyn Export> = Arc::<Queue>::clone(&self.queue);
            store.outlet().disconnect(&queue);
        }
    }

    /// Ends the export: sends the waiting traces and blocks until that is done, for at most `timeout`. Needs no runtime.
    ///
    /// Traces that are not sent by then are counted as dropped. Returns `false` if the time was not enough.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.disconnect();
        self.queue.exporter.shutdown(timeout)
    }

    /// Returns counts since the start, and the queue's size now.
    pub fn stats(&self) -> Stats {
        Stats::of(self.queue.exporter.stats(), self.queue.unsampled.get())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The queue sends what waits when it is dropped, which is now: the store was its other owner.
        self.disconnect();
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exporter").field(&self.stats()).finish()
    }
}
