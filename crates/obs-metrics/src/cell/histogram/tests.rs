//! Readings of a histogram and of its parts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::owned_shard::OwnedShard;
use super::shared_shard::SharedShard;
use super::snapshot::Snapshot;
use super::{HistogramCell, Observed};
use crate::cell::raise::RaiseOnDrop;

fn cell(bounds: &[f64]) -> HistogramCell {
    HistogramCell::with_bounds(bounds, false)
}

#[test]
fn a_bound_belongs_to_its_bucket() {
    let cell = cell(&[1.0, 2.0]);
    for value in [-5.0, 1.0, 1.5, 2.0, 2.1, f64::INFINITY] {
        cell.observe(value);
    }
    assert_eq!(cell.snapshot().counts, [2, 2, 2]);
}

#[test]
fn searched_and_compared_bounds_give_the_same_bucket() {
    let bounds: Vec<f64> = (0..100).map(f64::from).collect();
    let (searched, compared) = (cell(&bounds), cell(&bounds[..20]));
    for value in (-10..30).map(|step| f64::from(step) / 2.0) {
        assert_eq!(searched.bucket_of(value), compared.bucket_of(value), "{value}");
    }
}

const READINGS: usize = if cfg!(miri) { 20 } else { 2_000 };

/// Reads while writers never pause. Every observation is 2, so a sum that does not belong to its count shows at once.
fn check_under_writers(
    is_native: bool,
    writers: usize,
    record: impl Fn(usize) + Sync,
    read: impl Fn() -> Snapshot,
) {
    let over = AtomicBool::new(false);
    let written: u64 = thread::scope(|scope| {
        let end = RaiseOnDrop(&over);
        let write = |number| {
            let mut written = 0_u64;
            while !over.load(Ordering::Relaxed) {
                record(number);
                written += 1;
            }
            written
        };
        let writers: Vec<_> = (0..writers).map(|number| scope.spawn(move || write(number))).collect();
        let mut last = 0;
        for _ in 0..READINGS {
            let read = read();
            assert_eq!(read.sum, 2.0 * read.count() as f64);
            let native: u64 = read.native.iter().map(|(_, count)| count).sum();
            assert_eq!(native, if is_native { read.count() } else { 0 });
            assert!(read.count() >= last, "an observation that was seen is missing later");
            last = read.count();
        }
        drop(end);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(read().count(), written);
}

#[test]
fn an_owned_shard_is_read_consistently_under_a_writer_that_never_pauses() {
    for is_native in [false, true] {
        let shard = OwnedShard::new(3, is_native);
        let read = || {
            let mut total = Snapshot::empty(3);
            shard.add_to(&mut total);
            total
        };
        check_under_writers(is_native, 1, |_| _ = shard.record(1, 2.0), read);
    }
}

#[test]
fn a_shared_shard_is_read_consistently_under_writers_that_never_pause() {
    for is_native in [false, true] {
        let shard = SharedShard::new(3, is_native);
        let read = || {
            let mut total = Snapshot::empty(3);
            shard.add_to(&mut total);
            total
        };
        check_under_writers(is_native, 4, |number| _ = shard.record(number % 3, 2.0), read);
    }
}
