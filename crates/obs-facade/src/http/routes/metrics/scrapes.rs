//! Scrapes: rendered off the runtime, and once for all scrapers that wait for the same page.

use std::io::Write;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use obs_metrics::Format;
use tokio::sync::oneshot;

/// A rendered page.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) body: Bytes,
    pub(super) is_compressed: bool,
}

/// Returns a page that is rendered after this call began; `None` when the runtime is shutting down or a render panicked.
pub(super) async fn page(format: Format, gzip: bool) -> Option<Page> {
    // One channel for each scrape, so that a scraper that disconnects drops only its own.
    let (sender, receiver) = oneshot::channel();
    let renderer = lock().join(Scrape { format, gzip, sender });
    if let Some(renderer) = renderer {
        // Rendering reads thousands of atomics and collectors of users, which may block.
        tokio::task::spawn_blocking(|| renderer.run());
    }
    receiver.await.ok()
}

struct Scrape {
    format: Format,
    gzip: bool,
    sender: oneshot::Sender<Page>,
}

/// Scrapes that wait for the next page.
///
/// One blocking thread renders, however many scrapers there are. A page goes to all scrapes that were queued before its
/// render began, so no scraper gets a page that is older than its request.
struct Queue {
    waiting: Vec<Scrape>,
    /// Whether a [`Renderer`] exists. At most one does.
    has_renderer: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { waiting: Vec::new(), has_renderer: false });

/// Locks the queue for the time of a push or a take; nothing is rendered or sent under the lock.
fn lock() -> MutexGuard<'static, Queue> {
    // A panic under the lock cannot leave the queue invalid: each operation is one push or take.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// Adds a scrape. Returns a renderer, which the caller has to run, if there is none.
    fn join(&mut self, scrape: Scrape) -> Option<Renderer> {
        self.waiting.push(scrape);
        // The renderer is made only if it is needed: dropping it unrun would clear the flag of the one that runs.
        if std::mem::replace(&mut self.has_renderer, true) { None } else { Some(Renderer { is_done: false }) }
    }

    /// Takes all waiting scrapes. Without any the renderer is done; the flag falls under the same lock, so that a scrape
    /// that comes later brings a new renderer.
    fn next(&mut self) -> Vec<Scrape> {
        self.has_renderer = !self.waiting.is_empty();
        take(&mut self.waiting)
    }
}

/// Renders pages until no scrape waits.
struct Renderer {
    is_done: bool,
}

impl Renderer {
    fn run(mut self) {
        loop {
            let waiting = lock().next();
            if waiting.is_empty() {
                self.is_done = true;
                return;
            }
            render_for(waiting);
        }
    }
}

impl Drop for Renderer {
    /// Gives the waiting scrapes up where the renderer never ran, because its runtime shut down, or where a render
    /// panicked. The next scrape brings a new renderer.
    fn drop(&mut self) {
        if !self.is_done {
            let mut queue = lock();
            queue.has_renderer = false;
            let given_up = take(&mut queue.waiting);
            // Dropping the senders wakes their receivers, which is not done under the lock.
            drop(queue);
            drop(given_up);
        }
    }
}

/// Renders one page for all scrapes that want the same form.
fn render_for(waiting: Vec<Scrape>) {
    let mut made: Vec<(Format, bool, Page)> = Vec::new();
    for Scrape { format, gzip, sender } in waiting.into_iter().filter(|scrape| !scrape.sender.is_closed()) {
        let known = made.iter().find(|(of, zipped, _)| (*of, *zipped) == (format, gzip));
        let page = known.map(|(.., page)| page.clone()).unwrap_or_else(|| {
            let page = render(format, gzip);
            made.push((format, gzip, page.clone()));
            page
        });
        // An error means that the scraper has disconnected.
        _ = sender.send(page);
    }
}

fn render(format: Format, gzip: bool) -> Page {
    let plain = obs_metrics::expose(format);
    let uncompressed = |plain: Vec<u8>| Page { body: plain.into(), is_compressed: false };
    if !gzip {
        return uncompressed(plain);
    }
    // Text of the exposition format compresses to about an eighth at the fastest level.
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    match encoder.write_all(&plain).and_then(|()| encoder.finish()) {
        Ok(compressed) => Page { body: compressed.into(), is_compressed: true },
        // Writing to memory does not fail. If it did, the uncompressed page would still be an answer.
        Err(_) => uncompressed(plain),
    }
}
