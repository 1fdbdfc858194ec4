//! The measurements of recording.

use std::hint::black_box;

use super::{Peer, encode};
use crate::harness::threads::{COUNTS, time_each};
use crate::harness::{Scale, Values};

/// Upper bounds of every histogram: the default of `prometheus` and of ours.
pub(super) const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Values of the labels `capability` and `result`: as many series as a small node has.
pub(super) const PAIRS: [[&str; 2]; 16] = {
    let (capabilities, results) =
        (["llm.chat", "rag.query", "node.status", "blob.get"], ["ok", "error", "timeout", "cancelled"]);
    let mut pairs = [[""; 2]; 16];
    let mut at = 0;
    while at < 16 {
        pairs[at] = [capabilities[at / 4], results[at % 4]];
        at += 1;
    }
    pairs
};

/// Operation on a metric.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Counter,
    CounterBy,
    Gauge,
    GaugeBy,
    Histogram,
    HistogramBy,
}

impl Op {
    const ALL: [Op; 6] = [Op::Counter, Op::CounterBy, Op::Gauge, Op::GaugeBy, Op::Histogram, Op::HistogramBy];

    pub(super) fn key(self) -> &'static str {
        match self {
            Op::Counter => "counter",
            Op::CounterBy => "counter-by",
            Op::Gauge => "gauge",
            Op::GaugeBy => "gauge-by",
            Op::Histogram => "histogram",
            Op::HistogramBy => "histogram-by",
        }
    }
}

/// Number of operations and of threads.
pub(super) struct Run {
    threads: usize,
    calls: usize,
}

impl Run {
    /// Times an operation without arguments.
    pub(super) fn plain(&self, op: impl Fn() + Sync) -> Option<f64> {
        Some(time_each(self.threads, self.calls, |_| &op))
    }

    /// Times an operation on numbers that fall into each bucket in turn.
    pub(super) fn number(&self, op: impl Fn(f64) + Sync) -> Option<f64> {
        self.pair_and_number(|_, number| op(number))
    }

    /// Times an operation on series of two label values.
    pub(super) fn pair(&self, op: impl Fn([&'static str; 2]) + Sync) -> Option<f64> {
        self.pair_and_number(|pair, _| op(pair))
    }

    pub(super) fn pair_and_number(&self, op: impl Fn([&'static str; 2], f64) + Sync) -> Option<f64> {
        let time = time_each(self.threads, self.calls, |_| {
            let pairs = black_box(PAIRS);
            let numbers = black_box(std::array::from_fn::<f64, 16, _>(|at| 0.003 * 1.8_f64.powi(at as i32)));
            let mut at = 0;
            let op = &op;
            move || {
                at = (at + 5) % 16;
                op(pairs[at], numbers[at]);
            }
        });
        Some(time)
    }
}

pub(super) fn task<P: Peer>(task: &str, scale: Scale) -> Values {
    match task.split_once('-') {
        None if task == "off" => off::<P>(scale),
        None => record::<P>(scale),
        Some((_, size)) => encode::task::<P>(size, scale),
    }
}

fn record<P: Peer>(scale: Scale) -> Values {
    let mut values = Values::new();
    for op in Op::ALL {
        for threads in COUNTS {
            let time = P::record(op, &Run { threads, calls: scale.of(30_000) });
            values.extend(time.map(|time| (format!("{}-{threads}", op.key()), time)));
        }
    }
    values
}

fn off<P: Peer>(scale: Scale) -> Values {
    let run = Run { threads: 1, calls: scale.of(1_000_000) };
    let held = P::off(Op::Counter, &run).map(|time| ("off-held".to_owned(), time));
    let by = P::off(Op::CounterBy, &run).map(|time| ("off-by".to_owned(), time));
    held.into_iter().chain(by).collect()
}
