//! The thread that exports: batch after batch, each until it is taken or given up.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::backoff::Backoff;
use super::collector::answer::Answer;
use super::collector::payload::Payload;
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

/// What became of a batch.
enum Verdict {
    Taken {
        rejected: u64,
        why: String,
        remark: Option<String>,
    },
    Failed {
        why: String,
    },
    /// The worker is to end, and the batch could not be exported until then.
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
                Next::Wake => self.tell(|health| health.catch_up(Instant::now())),
                Next::End => break,
            }
        }
        self.tell(Health::rest);
    }

    fn export(&mut self, batch: Vec<Arc<TraceRecord>>) -> ControlFlow<()> {
        let traces = batch.len();
        let spans: usize = batch.iter().map(|record| span_count(record)).sum();
        // Whatever a library does wrong costs one batch, and not the export of all that come after it.
        let verdict = catch_unwind(AssertUnwindSafe(|| self.deliver(batch)))
            .unwrap_or_else(|_| Verdict::Failed { why: "a panic while exporting".to_owned() });
        match &verdict {
            Verdict::Taken { rejected: 0, remark, .. } => self.works(remark.as_deref()),
            Verdict::Taken { rejected, why, .. } => {
                self.fails(&format!("{rejected} of {spans} spans were rejected: {why}"));
            }
            Verdict::Failed { why } => self.fails(why),
            Verdict::OutOfTime => {}
        }
        self.queue.settle(traces, |counts| match &verdict {
            Verdict::Taken { rejected, .. } => {
                counts.exported.add(traces as u64);
                counts.exported_spans.add(spans as u64);
                counts.rejected_spans.add((*rejected).min(spans as u64));
            }
            Verdict::Failed { .. } => counts.failed.add(traces as u64),
            Verdict::OutOfTime => counts.dropped.add(traces as u64),
        });
        match verdict {
            // What waits would fare no better.
            Verdict::OutOfTime => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn deliver(&mut self, batch: Vec<Arc<TraceRecord>>) -> Verdict {
        let body = self.encoder.request(batch.iter().map(Arc::as_ref));
        let mut body = Payload::new(body, self.config.compression);
        // While it is sent again and again, the traces need not be kept.
        drop(batch);
        let mut backoff = Backoff::start(&self.config);
        loop {
            let flushes = self.queue.flushes();
            let time_left = self.queue.time_left();
            let timeout = time_left.unwrap_or(self.config.timeout).min(self.config.timeout);
            if timeout.is_zero() {
                return Verdict::OutOfTime;
            }
            self.queue.counts.requests.add(1);
            let (why, after) = match self.transport.post(&body, timeout) {
                Answer::Taken { rejected, why, remark } => return Verdict::Taken { rejected, why, remark },
                Answer::Refused { why } => return Verdict::Failed { why },
                Answer::NoGzip => {
                    // It says the same of every other body, so it gets no more of them.
                    self.config.compression = Compression::Off;
                    body = body.unpacked();
                    self.queue.counts.retries.add(1);
                    continue;
                }
                Answer::Later { why, after } => (why, after),
            };
            self.fails(&why);
            self.queue.fail_flushes(flushes);
            // One that began after the worker was told to end was the last try.
            if time_left.is_some() {
                return Verdict::OutOfTime;
            }
            let Some(delay) = backoff.next(after) else { return Verdict::Failed { why } };
            self.queue.pause(delay, flushes);
            self.queue.counts.retries.add(1);
        }
    }

    fn works(&mut self, remark: Option<&str>) {
        self.queue.counts.is_failing.store(false, Ordering::Relaxed);
        let lost = self.queue.look(|moment, counts| Lost {
            traces: counts.failed.get() + counts.dropped.get() + moment.refused,
            spans: counts.rejected_spans.get(),
        });
        self.tell(|health| health.works(lost, Instant::now()));
        if let Some(remark) = remark {
            self.tell(|health| health.remarks(remark, Instant::now()));
        }
    }

    fn fails(&mut self, why: &str) {
        self.queue.counts.is_failing.store(true, Ordering::Relaxed);
        self.tell(|health| health.fails(why, Instant::now()));
    }

    fn tell(&mut self, line: impl FnOnce(&mut Health) -> Option<Line>) {
        if let Some(line) = line(&mut self.health) {
            line.log(&self.config.endpoint);
        }
    }
}

struct EndOnDrop(Arc<Queue>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}
