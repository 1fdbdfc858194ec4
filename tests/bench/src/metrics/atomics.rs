//! Limit: one cell that all threads write. A histogram is two of them, bucket and sum.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::record::{BUCKETS, Op, Run};
use super::{Peer, page};

pub(super) struct Atomics;

impl Peer for Atomics {
    const SHOWS: &[Op] = &[Op::Counter];

    fn page() -> String {
        let cell = AtomicU64::new(0);
        cell.fetch_add(1, Relaxed);
        cell.fetch_add(1, Relaxed);
        page::line("calls_total", cell.into_inner())
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let cell = AtomicU64::new(0);
        match op {
            Op::Counter => run.plain(|| _ = cell.fetch_add(1, Relaxed)),
            Op::Gauge => run.number(|value| cell.store(value.to_bits(), Relaxed)),
            Op::Histogram => {
                let buckets: [AtomicU64; BUCKETS.len() + 1] = Default::default();
                run.number(|value| {
                    let bucket: usize = BUCKETS.iter().map(|bound| usize::from(value > *bound)).sum();
                    buckets[bucket].fetch_add(1, Relaxed);
                    cell.fetch_add((value * 1e6) as u64, Relaxed);
                })
            }
            _ => None,
        }
    }
}
