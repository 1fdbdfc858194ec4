//! What users hold of an export.

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

/// Exports the traces of a store until it is shut down or dropped.
///
/// Dropping it sends what waits, for two seconds at most. See the [module](super).
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
#[must_use = "dropping it ends the export"]
pub struct Exporter {
    queue: Arc<Queue>,
    store: WeakStore,
}

/// How long a drop may take.
const PATIENCE: Duration = Duration::from_secs(2);

impl Exporter {
    /// Exports every trace that ends in `store` from here on. An exporter that did so before gets no
    /// more of them.
    ///
    /// That nobody listens at the endpoint is no error: a collector may come later.
    ///
    /// # Errors
    /// The endpoint is no address that traces can be sent to, a header is none, a bound is out of its range, or no
    /// thread can be started.
    pub fn start(store: &Store, config: &Config) -> Result<Exporter, Error> {
        config.check()?;
        let transport = Transport::new(endpoint::parse(&config.endpoint)?, config.headers.parse()?);
        let queue = Arc::new(Queue::new(config));
        let worker = Worker::new(Arc::clone(&queue), config.clone(), transport);
        let thread = thread::Builder::new().name("obs-trace-otlp".to_owned());
        thread.spawn(move || worker.run()).map_err(|error| Error::thread(&error))?;
        store.outlet().connect(Arc::<Queue>::clone(&queue));
        Ok(Exporter { queue, store: store.downgrade() })
    }

    /// Sends what waits now, and returns when it has been taken or given up; `false` if the time was not
    /// enough, or the collector cannot be reached, in which case it does not wait any longer.
    ///
    /// Blocks the calling thread, and needs no runtime.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.queue.flush(timeout)
    }

    /// Takes no trace that ends from here on. What waits is still sent.
    pub fn disconnect(&self) {
        if let Some(store) = self.store.upgrade() {
            let queue: Arc<dyn Export> = Arc::<Queue>::clone(&self.queue);
            store.outlet().disconnect(&queue);
        }
    }

    /// Ends the export: sends what waits, and returns when that is done, at the latest after `timeout`. What
    /// could not be sent until then is counted as dropped. `false` if the time was not enough.
    ///
    /// Blocks the calling thread, and needs no runtime.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.disconnect();
        self.queue.close(timeout)
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.queue)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.shutdown(PATIENCE);
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exporter").field(&self.stats()).finish()
    }
}
