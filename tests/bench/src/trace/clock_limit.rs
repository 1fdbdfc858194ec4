//! Limits: a span is two clock reads and 64 bytes of memory.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Peer;

/// A clock that reads the processor's counter.
pub(super) type Tsc = ClockLimit<fastant::Instant>;
/// A clock that reads the kernel's vDSO page.
pub(super) type Vdso = ClockLimit<std::time::Instant>;

pub(super) struct ClockLimit<C> {
    kept: AtomicU64,
    clock: std::marker::PhantomData<fn() -> C>,
}

/// Span of the limit. Its times are written and not read.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Record<C> {
    name: &'static str,
    _begin: C,
    _end: C,
}

type Records<C> = RefCell<Vec<Record<C>>>;

pub(super) trait Clock: Copy + 'static {
    fn now() -> Self;
    fn with_records<R>(f: impl FnOnce(&mut Vec<Record<Self>>) -> R) -> R;
}

thread_local! {
    static TSC: Records<fastant::Instant> = const { RefCell::new(Vec::new()) };
    static VDSO: Records<std::time::Instant> = const { RefCell::new(Vec::new()) };
}

impl Clock for fastant::Instant {
    fn now() -> Self {
        fastant::Instant::now()
    }

    fn with_records<R>(f: impl FnOnce(&mut Vec<Record<Self>>) -> R) -> R {
        TSC.with_borrow_mut(f)
    }
}

impl Clock for std::time::Instant {
    fn now() -> Self {
        std::time::Instant::now()
    }

    fn with_records<R>(f: impl FnOnce(&mut Vec<Record<Self>>) -> R) -> R {
        VDSO.with_borrow_mut(f)
    }
}

impl<C: Clock> Peer for ClockLimit<C> {
    fn start() -> Self {
        ClockLimit { kept: AtomicU64::new(0), clock: std::marker::PhantomData }
    }

    fn trace(&self, spans: usize) {
        C::with_records(|records| {
            records.clear();
            let root = C::now();
            for _ in 0..spans {
                let begin = C::now();
                records.push(Record { name: "step", _begin: begin, _end: C::now() });
            }
            records.push(Record { name: "root", _begin: root, _end: C::now() });
            std::hint::black_box(records);
        });
        self.kept.fetch_add(1, Relaxed);
    }

    fn kept(&self) -> u64 {
        self.kept.load(Relaxed)
    }

    fn last(&self) -> Vec<String> {
        C::with_records(|records| records.iter().map(|record| record.name.to_owned()).collect())
    }
}
