//! Limit: a cell that only its thread writes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::record::{Op, Run};
use super::{Peer, page};

thread_local! {
    static MINE: AtomicU64 = const { AtomicU64::new(0) };
}

fn inc() {
    MINE.with(|cell| cell.store(cell.load(Relaxed) + 1, Relaxed));
}

pub(super) struct PerThread;

impl Peer for PerThread {
    const SHOWS: &[Op] = &[Op::Counter];

    fn page() -> String {
        inc();
        inc();
        page::line("calls_total", MINE.with(|cell| cell.load(Relaxed)))
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        (op == Op::Counter).then(|| run.plain(inc))?
    }
}
