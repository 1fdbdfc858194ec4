//! The protocol between callers and the writer, in every order in which their threads can run (R1).
//!
//! Loom runs each model once for every order, up to a number of preemptions, and lets a relaxed load see whatever the
//! memory model allows. What runs is the code of `batch.rs` and `wake.rs` itself: see `sync.rs`. A wake-up that gets lost
//! is a deadlock, because no wait in a model comes to its end by time. `cargo xtask sanitize` and CI run them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::journal::arena::{Arena, CHUNK_BYTES};
use crate::queue::Batch;

/// How often a thread is taken off the processor where it could go on, unless `LOOM_MAX_PREEMPTIONS` says otherwise. Two
/// show every fault that was put in on purpose; three take twenty times as long.
const PREEMPTIONS: usize = 2;
const LONG: Duration = Duration::from_secs(3600);

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

fn batch(chunks: usize) -> Arc<Batch> {
    Arc::new(Batch::new(Arena::in_memory(chunks * CHUNK_BYTES).unwrap()))
}

fn append(batch: &Batch, caller: usize, line: &[u8]) {
    assert!(batch.append(caller, Level::Error, 0, line, LONG), "a line is dropped");
}

fn caller(batch: &Arc<Batch>, caller: usize, lines: usize) -> thread::JoinHandle<()> {
    let batch = Arc::clone(batch);
    thread::spawn(move || (0..lines).for_each(|_| append(&batch, caller, b"x\n")))
}

/// A turn of a writer that sleeps until it is woken: the number of lines it found, and whether it is the last. `note` is
/// told of each chunk.
fn turn(batch: &Batch, note: &impl Fn(usize, usize)) -> (usize, bool) {
    let turn = batch.wake.next_turn(batch, Duration::ZERO, LONG);
    let mut lines = 0;
    batch.drain(|shard, chunk| {
        lines += chunk.lines();
        note(shard, chunk.lines());
        batch.recycle(chunk);
    });
    batch.wake.end_turn(turn, true);
    (lines, turn.stop)
}

/// A writer until so many lines have come.
fn fetch(batch: &Batch, lines: usize) {
    let mut fetched = 0;
    while fetched < lines {
        fetched += turn(batch, &|_, _| ()).0;
    }
    assert_eq!(fetched, lines);
}

fn two_callers_of_a_shard_fill_a_chunk_each(chunks: usize) {
    let batch = batch(chunks);
    let callers = [0, 1].map(|_| {
        let batch = Arc::clone(&batch);
        thread::spawn(move || append(&batch, 0, &[b'x'; CHUNK_BYTES / 2]))
    });
    fetch(&batch, 2);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

#[test]
fn r1_no_line_is_slept_over() {
    check(|| {
        let batch = batch(8);
        let callers = [caller(&batch, 0, 1), caller(&batch, 1, 1)];
        fetch(&batch, 2);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn r1_no_line_of_a_pair_is_slept_over() {
    check(|| {
        let batch = batch(8);
        let caller = caller(&batch, 0, 2);
        fetch(&batch, 2);
        caller.join().unwrap();
    });
}

/// L13: when a flush comes back, the writer is through with every line before it, whoever else flushes.
#[test]
fn l13_a_flush_waits_for_the_lines_before_it() {
    check(|| {
        let batch = batch(8);
        let fetched: Arc<[AtomicUsize; 2]> = Arc::default();
        let writer = {
            let (batch, fetched) = (Arc::clone(&batch), Arc::clone(&fetched));
            let note = move |shard: usize, lines| fetched[shard].store(lines, Ordering::Relaxed);
            thread::spawn(move || while !turn(&batch, &note).1 {})
        };
        let other = {
            let (batch, fetched) = (Arc::clone(&batch), Arc::clone(&fetched));
            thread::spawn(move || append_and_flush(&batch, 1, &fetched[1]))
        };
        append_and_flush(&batch, 0, &fetched[0]);
        other.join().unwrap();
        batch.wake.stop();
        writer.join().unwrap();
    });
}

fn append_and_flush(batch: &Batch, caller: usize, fetched: &AtomicUsize) {
    append(batch, caller, b"x\n");
    assert!(batch.wake.flush(batch, Instant::now() + LONG));
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}

/// A flush that comes too late for the writer does not hang.
#[test]
fn l13_a_flush_beside_the_end_comes_back() {
    check(|| {
        let batch = batch(8);
        let flush = {
            let batch = Arc::clone(&batch);
            thread::spawn(move || batch.wake.flush(&batch, Instant::now() + LONG))
        };
        let stop = {
            let batch = Arc::clone(&batch);
            thread::spawn(move || batch.wake.stop())
        };
        while !turn(&batch, &|_, _| ()).1 {}
        flush.join().unwrap();
        stop.join().unwrap();
    });
}

#[test]
fn l8_a_chunk_that_is_full_is_not_forgotten() {
    check(|| two_callers_of_a_shard_fill_a_chunk_each(3));
}

/// L8: of two threads of a shard one gets the last chunk, and both have room in it.
#[test]
fn l8_no_line_is_dropped_while_its_shard_has_room() {
    check(|| {
        let batch = batch(1);
        let callers = [0, 1].map(|_| {
            let batch = Arc::clone(&batch);
            thread::spawn(move || batch.append(0, Level::Error, 0, b"x\n", Duration::ZERO))
        });
        assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
    });
}

/// L8: whoever waits for room gets the chunk that is freed, also when two threads of a shard wait.
#[test]
fn l8_no_caller_waits_for_room_that_is_there() {
    check(|| two_callers_of_a_shard_fill_a_chunk_each(1));
}

/// L6: the memory is changed while lines are staged.
#[test]
fn l6_a_change_of_the_queue_loses_no_line() {
    check(|| {
        let batch = batch(4);
        let caller = caller(&batch, 0, 2);
        batch.change_arena(Arena::in_memory(2 * CHUNK_BYTES).unwrap());
        fetch(&batch, 2);
        caller.join().unwrap();
    });
}
