//! Thread of the export: sends each batch until it is accepted or given up.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::backoff::Backoff;
use super::feed::{Feed, Settled};
use super::health::{Health, Line, Lost};
use super::item::Item;
use super::queue::{Batch, Next, Queue};
use crate::collector::payload::Payload;
use crate::collector::reply::Reply;
use crate::collector::transport::Transport;
use crate::config::{Compression, Config};

pub(super) struct Worker<T: Item> {
    sender: Sender<T>,
    feed: Option<Box<dyn Feed<T>>>,
    /// Time to ask the feed, if there is one.
    feed_at: Option<Instant>,
}

/// Part of the worker that sends, which a feed uses while it is asked.
struct Sender<T: Item> {
    queue: Arc<Queue<T>>,
    config: Config,
    encode: Encode<T>,
    transport: Transport,
    health: Health,
}

/// Function that makes the body of a request.
pub(super) type Encode<T> = Box<dyn FnMut(&[T]) -> Vec<u8> + Send>;

/// Result of a batch.
enum Delivery {
    Accepted {
        rejected: u64,
        why: String,
        remark: Option<String>,
    },
    Failed {
        why: String,
    },
    /// The worker was told to end, and its time is over.
    OutOfTime,
}

impl<T: Item> Worker<T> {
    pub(super) fn new(
        queue: Arc<Queue<T>>,
        config: Config,
        transport: Transport,
        encode: Encode<T>,
        feed: Option<Box<dyn Feed<T>>>,
    ) -> Worker<T> {
        let sender = Sender { queue, config, encode, transport, health: Health::default() };
        let feed_at = feed.as_ref().map(|feed| Instant::now() + feed.interval());
        Worker { sender, feed, feed_at }
    }

    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.sender.queue);
        let _end = EndOnDrop(Arc::clone(&queue));
        loop {
            let wake_at = [self.sender.health.due(), self.feed_at].into_iter().flatten().min();
            let step = match queue.next(wake_at) {
                Next::Export(batch) => self.sender.export(batch),
                Next::Feed => self.feed_for_flush(),
                Next::Wake => {
                    self.sender.report(|health| health.catch_up(Instant::now()));
                    match self.feed_at.is_some_and(|time| Instant::now() >= time) {
                        true => self.ask_feed(),
                        false => ControlFlow::Continue(()),
                    }
                }
                Next::End => break,
            };
            if step.is_break() {
                break;
            }
        }
        self.sender.report(Health::rest);
    }

    /// Asks the feed for the callers of `flush`, or for the last time.
    fn feed_for_flush(&mut self) -> ControlFlow<()> {
        let queue = Arc::clone(&self.sender.queue);
        // Read before: a flush that comes meanwhile waits for the next time.
        let (flushes, is_last) = (queue.flushes(), queue.time_left().is_some());
        let step = self.ask_feed();
        queue.note_fed(flushes, is_last);
        step
    }

    /// Asks the feed for its items and sends them.
    fn ask_feed(&mut self) -> ControlFlow<()> {
        let Some(feed) = &mut self.feed else { return ControlFlow::Continue(()) };
        let (sender, mut settled, mut step) = (&mut self.sender, Vec::new(), ControlFlow::Continue(()));
        // A panic in the feed costs what it had to say, not the export.
        let filled = catch_unwind(AssertUnwindSafe(|| {
            feed.fill(&mut |item| {
                let mut is_settled = false;
                if step.is_continue() {
                    sender.queue.offer(item);
                    if sender.queue.fills_request() {
                        step = sender.export_all(&mut settled);
                        is_settled = step.is_continue();
                    }
                }
                step.map_continue(|()| is_settled)
            });
        }));
        if filled.is_err() {
            sender.note_failure("a panic while data was read");
        }
        if step.is_continue() {
            step = sender.export_all(&mut settled);
        }
        // Not within `fill`, which has the feed to itself.
        settled.into_iter().for_each(|settled| feed.settled(settled));
        self.feed_at = Some(Instant::now() + feed.interval());
        step
    }
}

impl<T: Item> Sender<T> {
    /// Sends all that waits, and notes the outcomes in `settled`.
    fn export_all(&mut self, settled: &mut Vec<Settled>) -> ControlFlow<()> {
        loop {
            let batch = self.queue.take_all();
            let items = batch.items.len();
            if items == 0 {
                return ControlFlow::Continue(());
            }
            let step = self.export(batch);
            settled.push(Settled { items, is_final: step.is_continue() });
            step?;
        }
    }

    fn export(&mut self, batch: Batch<T>) -> ControlFlow<()> {
        let Batch { items: batch, units } = batch;
        let items = batch.len();
        // A panic in a library costs one batch, not the export of all later ones.
        let delivery = catch_unwind(AssertUnwindSafe(|| self.deliver(batch)))
            .unwrap_or_else(|_| Delivery::Failed { why: "a panic while exporting".to_owned() });
        match &delivery {
            Delivery::Accepted { rejected: 0, remark, .. } => self.note_success(remark.as_deref()),
            Delivery::Accepted { rejected, why, .. } => {
                self.note_failure(&format!(
                    "{rejected} of {units} {} were rejected: {why}",
                    self.config.signal.units()
                ));
            }
            Delivery::Failed { why } => self.note_failure(why),
            Delivery::OutOfTime => {}
        }
        self.queue.settle(items, |counts| match &delivery {
            Delivery::Accepted { rejected, .. } => {
                counts.exported.add(items as u64);
                counts.exported_units.add(units as u64);
                counts.rejected_units.add((*rejected).min(units as u64));
            }
            Delivery::Failed { .. } => counts.failed.add(items as u64),
            Delivery::OutOfTime => counts.dropped.add(items as u64),
        });
        match delivery {
            // The time is over for the waiting items as well.
            Delivery::OutOfTime => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn deliver(&mut self, batch: Vec<T>) -> Delivery {
        let body = (self.encode)(&batch);
        let mut body = Payload::new(body, self.config.compression);
        // The body is all that retries need.
        drop(batch);
        let mut backoff = Backoff::start(&self.config);
        loop {
            // Read before the request: a flush that comes during it waits for the next one.
            let flushes = self.queue.flushes();
            let time_left = self.queue.time_left();
            let timeout = time_left.unwrap_or(self.config.timeout).min(self.config.timeout);
            if timeout.is_zero() {
                return Delivery::OutOfTime;
            }
            self.queue.counts.requests.add(1);
            let (why, after) = match self.transport.post(&body, timeout) {
                Reply::Accepted { rejected, why, remark } => {
                    return Delivery::Accepted { rejected, why, remark };
                }
                Reply::Refused { why } => return Delivery::Failed { why },
                Reply::NoGzip => {
                    // The collector would refuse every other compressed body as well.
                    self.config.compression = Compression::Off;
                    body = body.unpacked();
                    self.queue.counts.retries.add(1);
                    continue;
                }
                Reply::Retry { why, after } => (why, after),
            };
            self.note_failure(&why);
            self.queue.fail_flushes(flushes);
            // A request that began after the order to end is the last one.
            if time_left.is_some() {
                return Delivery::OutOfTime;
            }
            let Some(delay) = backoff.next(after) else { return Delivery::Failed { why } };
            self.queue.pause(delay, flushes);
            self.queue.counts.retries.add(1);
        }
    }

    fn note_success(&mut self, remark: Option<&str>) {
        self.queue.counts.failing.end();
        let stats = self.queue.stats();
        let lost = Lost { items: stats.failed + stats.dropped, units: stats.rejected_units };
        self.report(|health| health.works(lost, Instant::now()));
        if let Some(remark) = remark {
            self.report(|health| health.remarks(remark, Instant::now()));
        }
    }

    fn note_failure(&mut self, why: &str) {
        self.queue.counts.failing.begin();
        self.report(|health| health.fails(why, Instant::now()));
    }

    fn report(&mut self, line: impl FnOnce(&mut Health) -> Option<Line>) {
        if let Some(line) = line(&mut self.health) {
            line.log(self.config.signal, &self.config.endpoint);
        }
    }
}

/// Tells the queue that the worker has ended, also after a panic. Callers of `shutdown` would wait in vain otherwise.
struct EndOnDrop<T: Item>(Arc<Queue<T>>);

impl<T: Item> Drop for EndOnDrop<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}
