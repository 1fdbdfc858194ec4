//! Handle of an export.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::collector::transport::Transport;
use super::config::Config;
use super::config::endpoint;
use super::queue::Queue;
use super::stats::Stats;
use super::worker::Worker;
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

/// Maximum duration of a drop. A process that ends must not wait longer for a collector that does not respond.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

impl Exporter {
    /// Starts to export each trace that ends in `store`. An earlier exporter of the store gets no more traces.
    ///
    /// A collector that cannot be reached is no error, because it may start later.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used, a number is out of its range, or the system starts no thread.
    pub fn start(store: &Store, config: &Config) -> Result<Exporter, Error> {
        config.check()?;
        // All checks come before the thread, so that an error leaves nothing behind.
        let transport = Transport::new(endpoint::parse(&config.endpoint)?, config.headers.parse()?);
        let queue = Arc::new(Queue::new(config));
        let worker = Worker::new(Arc::clone(&queue), config.clone(), transport);
        let thread = thread::Builder::new().name("obs-trace-otlp".to_owned());
        thread.spawn(move || worker.run()).map_err(|error| Error::thread(&error))?;
        store.outlet().connect(Arc::<Queue>::clone(&queue));
        Ok(Exporter { queue, store: store.downgrade() })
    }

    /// Sends the waiting traces and blocks until they are exported or given up. Needs no runtime.
    ///
    /// Returns `false` if the time is over, or as soon as a request fails.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.queue.flush(timeout)
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
        self.queue.close(timeout)
    }

    /// Returns counts since the start, and the queue's size now.
    pub fn stats(&self) -> Stats {
        self.queue.stats()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.shutdown(DROP_TIMEOUT);
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exporter").field(&self.stats()).finish()
    }
}
