//! The measurements of tracing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{Peer, SPANS};
use crate::harness::threads::{Team, nanos_each, processor_nanos, together, wall};
use crate::harness::{Scale, Values, median};

/// Makes one trace and reads it back.
pub(super) fn check<P: Peer>() -> Result<(), String> {
    let peer = P::start();
    peer.trace(3);
    peer.settle();
    let mut names = peer.last();
    names.sort();
    if names != ["root", "step", "step", "step"] {
        return Err(format!("the last trace has these spans: {names:?}"));
    }
    match peer.kept() {
        1 => Ok(()),
        kept => Err(format!("{kept} traces came of one")),
    }
}

pub(super) fn task<P: Peer>(task: &str, scale: Scale) -> Values {
    match task.split_once('-') {
        Some((_, threads)) => {
            traces::<P>(threads.parse().expect("a task ends in its number of threads"), scale)
        }
        None if task == "ids" => P::ids().map(|ids| ids.measure(scale)).unwrap_or_default(),
        None => P::without_trace().map(|nanos| (task.to_owned(), nanos)).into_iter().collect(),
    }
}

fn traces<P: Peer>(threads: usize, scale: Scale) -> Values {
    let peer = P::start();
    let mut values = Values::new();
    let mut sent = 0;
    let mut callers = Vec::new();
    for spans in SPANS {
        let batch = Batch { threads, spans, traces: scale.of(P::batch(spans)).div_ceil(threads) };
        let repeats = if spans < 50 { 10 } else { 4 };
        // A store that is not full takes new memory from the kernel for each trace, but a node's store is full. So every
        // contender first fills its store.
        let warm_up = scale.of(TRACES_KEPT).div_ceil(batch.traces * threads);
        let caller = batch.caller(&peer, warm_up, repeats);
        let total = batch.total(&peer, repeats);
        values.push((format!("caller-{spans}-{threads}"), caller));
        values.push((format!("total-{spans}-{threads}"), total));
        callers.push((spans, caller));
        sent += batch.traces * threads * (warm_up + repeats + 1 + repeats);
    }
    // The cost of one more span.
    if let [.., (few, less), (many, more)] = callers[..] {
        values.push((format!("child-{threads}"), (more - less) / (many - few) as f64));
    }
    values.push((format!("lost-{threads}"), sent as f64 - peer.kept() as f64));
    values
}

/// Number of traces that a node keeps (`TRACE_RING_BUFFER`).
const TRACES_KEPT: usize = 10_000;

/// Traces between two pauses in which the contender settles.
struct Batch {
    threads: usize,
    spans: usize,
    /// Traces of each thread.
    traces: usize,
}

impl Batch {
    /// Measures the cost of a trace for its thread, in nanoseconds, in a batch.
    fn caller<P: Peer>(&self, peer: &P, warm_up: usize, repeats: usize) -> f64 {
        let spans = together(self.threads, |team, number| {
            let times = (0..warm_up + repeats).map(|_| {
                team.start_together();
                let begin = Instant::now();
                self.make(peer);
                let span = (begin, Instant::now());
                settle(peer, team, number);
                span
            });
            times.collect::<Vec<_>>()
        });
        let times = (warm_up..).take(repeats).map(|repeat| wall(spans.iter().map(|spans| spans[repeat])));
        let time = median(times.map(|time| time.as_secs_f64()).collect());
        processor_nanos(Duration::from_secs_f64(time), self.threads, self.traces)
    }

    /// Measures the CPU time of a trace until it can be read, in nanoseconds, of all threads of the process.
    fn total<P: Peer>(&self, peer: &P, repeats: usize) -> f64 {
        let begins = together(self.threads, |team, number| {
            let batch = || {
                // The thread sleeps, because a spinning thread would be counted.
                team.rest();
                self.make(peer);
                settle(peer, team, number);
            };
            batch();
            let begin = processor_time();
            (0..repeats).for_each(|_| batch());
            begin
        });
        let end = processor_time();
        nanos_each(end - begins[0], self.traces * self.threads * repeats)
    }

    fn make<P: Peer>(&self, peer: &P) {
        (0..self.traces).for_each(|_| peer.trace(self.spans));
    }
}

fn settle<P: Peer>(peer: &P, team: &Team, number: usize) {
    team.rest();
    if number == 0 {
        peer.settle();
    }
}

/// Returns the CPU time of this process.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Returns the nanoseconds of one call.
pub(super) fn time(calls: usize, mut op: impl FnMut()) -> f64 {
    const REPEATS: usize = 5;
    let times = (0..REPEATS).map(|_| {
        let begin = Instant::now();
        for call in 0..calls {
            op();
            // Without a black box, the compiler removes a loop that does nothing.
            black_box(call);
        }
        nanos_each(begin.elapsed(), calls)
    });
    median(times.collect())
}
