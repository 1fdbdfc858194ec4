//! Thread of the export: sends each batch until it is accepted or given up.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::backoff::Backoff;
use super::collector::payload::Payload;
use super::collector::reply::Reply;
use super::collector::transport::Transport;
use super::config::{Compression, Config};
use super::encode::Encoder;
use super::health::{Health, Line, Lost};
use super::queue::{Next, Queue, span_count};
use crate::TraceRecord;

pub(super) struct Worker {
    queue: Arc<Queue>,
    config: Config,
    encoder: Encoder,
    transport: Transport,
    health: Health,
}

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

impl Worker {
    pub(super) fn new(queue: Arc<Queue>, config: Config, transport: Transport) -> Worker {
        let (encoder, health) = (Encoder::new(&config), Health::default());
        Worker { queue, config, encoder, transport, health }
    }

    pub(super) fn run(mut self) {
        let _end = EndOnDrop(Arc::clone(&self.queue));
        loop {
            match self.queue.next(self.health.due()) {
                Next::Export(batch) => {
                    if self.export(batch).is_break() {
                        break;
                    }
                }
                Next::Wake => self.report(|health| health.catch_up(Instant::now())),
                Next::End => break,
            }
        }
        self.report(Health::rest);
    }

    fn export(&mut self, batch: Vec<Arc<TraceRecord>>) -> ControlFlow<()> {
        let traces = batch.len();
        let spans: usize = batch.iter().map(|record| span_count(record)).sum();
        // A panic in a library costs one batch, not the export of all later ones.
        let delivery = catch_unwind(AssertUnwindSafe(|| self.deliver(batch)))
            .unwrap_or_else(|_| Delivery::Failed { why: "a panic while exporting".to_owned() });
        match &delivery {
            Delivery::Accepted { rejected: 0, remark, .. } => self.note_success(remark.as_deref()),
            Delivery::Accepted { rejected, why, .. } => {
                self.note_failure(&format!("{rejected} of {spans} spans were rejected: {why}"));
            }
            Delivery::Failed { why } => self.note_failure(why),
            Delivery::OutOfTime => {}
        }
        self.queue.settle(traces, |counts| match &delivery {
            Delivery::Accepted { rejected, .. } => {
                counts.exported.add(traces as u64);
                counts.exported_spans.add(spans as u64);
                counts.rejected_spans.add((*rejected).min(spans as u64));
            }
            Delivery::Failed { .. } => counts.failed.add(traces as u64),
            Delivery::OutOfTime => counts.dropped.add(traces as u64),
        });
        match delivery {
            // The time is over for the waiting traces as well.
            Delivery::OutOfTime => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn deliver(&mut self, batch: Vec<Arc<TraceRecord>>) -> Delivery {
        let body = self.encoder.request(batch.iter().map(Arc::as_ref));
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
        // Relaxed: a flag for readers of the statistics. Only this thread writes it.
        self.queue.counts.is_failing.store(false, Ordering::Relaxed);
        let stats = self.queue.stats();
        let lost = Lost { traces: stats.failed + stats.dropped, spans: stats.rejected_spans };
        self.report(|health| health.works(lost, Instant::now()));
        if let Some(remark) = remark {
            self.report(|health| health.remarks(remark, Instant::now()));
        }
    }

    fn note_failure(&mut self, why: &str) {
        // Relaxed: as in `note_success`.
        self.queue.counts.is_failing.store(true, Ordering::Relaxed);
        self.report(|health| health.fails(why, Instant::now()));
    }

    fn report(&mut self, line: impl FnOnce(&mut Health) -> Option<Line>) {
        if let Some(line) = line(&mut self.health) {
            line.log(&self.config.endpoint);
        }
    }
}

/// Tells the queue that the worker has ended, also after a panic. Callers of `shutdown` would wait in vain otherwise.
struct EndOnDrop(Arc<Queue>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}
