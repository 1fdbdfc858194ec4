//! Handle of an export.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::feed::Feed;
use super::item::Item;
use super::queue::Queue;
use super::stats::Stats;
use super::worker::{Encode, Worker};
use crate::collector::transport::Transport;
use crate::config::Config;
use crate::endpoint;
use crate::error::Error;

/// Export of a signal, until it is shut down or dropped. See the [crate](crate).
///
/// A drop sends the waiting items, for at most two seconds.
#[must_use = "the export ends when the exporter is dropped"]
pub struct Exporter<T: Item> {
    queue: Arc<Queue<T>>,
}

/// Maximum duration of a drop. A process that ends must not wait longer for a collector that does not respond.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

impl<T: Item> Exporter<T> {
    /// Starts to export the items that are offered. `encode` makes the body of a request.
    ///
    /// A collector that cannot be reached is no error, because it may start later.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used, a number is out of its range, or the system starts no thread.
    pub fn start(
        config: &Config,
        encode: impl FnMut(&[T]) -> Vec<u8> + Send + 'static,
    ) -> Result<Exporter<T>, Error> {
        Exporter::spawn(config, Box::new(encode), None)
    }

    /// Starts to export the items of a feed.
    ///
    /// # Errors
    /// The same as those of [`start`](Exporter::start).
    pub fn start_with(
        config: &Config,
        encode: impl FnMut(&[T]) -> Vec<u8> + Send + 'static,
        feed: impl Feed<T> + 'static,
    ) -> Result<Exporter<T>, Error> {
        Exporter::spawn(config, Box::new(encode), Some(Box::new(feed)))
    }

    fn spawn(
        config: &Config,
        encode: Encode<T>,
        feed: Option<Box<dyn Feed<T>>>,
    ) -> Result<Exporter<T>, Error> {
        config.check()?;
        // All checks come before the thread, so that an error leaves nothing behind.
        let address = endpoint::parse(&config.endpoint, config.signal)?;
        let transport = Transport::new(config.signal, address, config.headers.parse()?);
        let queue = Arc::new(Queue::new(config, feed.is_some()));
        let worker = Worker::new(Arc::clone(&queue), config.clone(), transport, encode, feed);
        let thread = thread::Builder::new().name(format!("otlp-{}", config.signal.name()));
        thread.spawn(move || worker.run()).map_err(|error| Error::thread(&error))?;
        Ok(Exporter { queue })
    }

    /// Puts an item into the queue, or counts it as dropped if there is no room. Does not wait.
    #[inline]
    pub fn offer(&self, item: T) {
        self.queue.offer(item);
    }

    /// Sends the waiting items and blocks until they are exported or given up. Needs no runtime.
    ///
    /// Returns `false` if the time is over, or as soon as a request fails.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.queue.flush(timeout)
    }

    /// Ends the export: sends the waiting items and blocks until that is done, for at most `timeout`. Needs no runtime.
    ///
    /// Items that are not sent by then are counted as dropped. Returns `false` if the time was not enough.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.queue.close(timeout)
    }

    /// Returns counts since the start, and the queue's size now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.queue.stats()
    }
}

impl<T: Item> Drop for Exporter<T> {
    fn drop(&mut self) {
        self.shutdown(DROP_TIMEOUT);
    }
}

impl<T: Item> std::fmt::Debug for Exporter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exporter").field(&self.stats()).finish()
    }
}
