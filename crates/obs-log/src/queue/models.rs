//! Models of the protocol between callers and the writer, in every order in which their threads can run.
//!
//! Loom runs each model once for every order, up to a number of preemptions, and lets a relaxed load see every value that
//! the memory model allows. The models run the code of the queue itself, on the types in `sync`. A lost wake-up is a deadlock,
//! because no wait in a model ends by time. `cargo xtask sanitize` and CI run them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::journal::arena::Arena;
use crate::limits::CHUNK_BYTES;
use crate::queue::Queue;

/// Maximum number of times that a running thread is preempted, unless `LOOM_MAX_PREEMPTIONS` says otherwise. Two reveal
/// every fault that was put in on purpose. Three take twenty times as long.
const PREEMPTIONS: usize = 2;
const LONG: Duration = Duration::from_secs(3600);

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

fn queue(chunks: usize) -> Arc<Queue> {
    Arc::new(Queue::new(Arena::in_memory(chunks * CHUNK_BYTES).unwrap()))
}

fn append(queue: &Queue, caller: usize, line: &[u8]) {
    assert!(queue.append(caller, Level::Error, 0, line, LONG), "a line is dropped");
}

fn caller(queue: &Arc<Queue>, caller: usize, lines: usize) -> thread::JoinHandle<()> {
    let queue = Arc::clone(queue);
    thread::spawn(move || (0..lines).for_each(|_| append(&queue, caller, b"x\n")))
}

/// Runs a turn of a writer that sleeps until it is woken. Returns the number of lines that it found, and whether it is the
/// last turn. Calls `note` for each chunk.
fn turn(queue: &Queue, note: &impl Fn(usize, usize)) -> (usize, bool) {
    let turn = queue.next_turn(Duration::ZERO, LONG);
    let mut lines = 0;
    queue.drain(|shard, chunk| {
        lines += chunk.lines();
        note(shard, chunk.lines());
        queue.recycle(chunk);
    });
    queue.end_turn(turn, true);
    (lines, turn.stop)
}

/// Runs a writer until this many lines have come.
fn fetch(queue: &Queue, lines: usize) {
    let mut fetched = 0;
    while fetched < lines {
        fetched += turn(queue, &|_, _| ()).0;
    }
    assert_eq!(fetched, lines);
}

fn two_callers_of_a_shard_fill_a_chunk_each(chunks: usize) {
    let queue = queue(chunks);
    let callers = [0, 1].map(|_| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || append(&queue, 0, &[b'x'; CHUNK_BYTES / 2]))
    });
    fetch(&queue, 2);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

#[test]
fn no_line_is_left_to_a_sleeping_writer() {
    check(|| {
        let queue = queue(8);
        let callers = [caller(&queue, 0, 1), caller(&queue, 1, 1)];
        fetch(&queue, 2);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn no_line_of_a_pair_is_left_to_a_sleeping_writer() {
    check(|| {
        let queue = queue(8);
        let caller = caller(&queue, 0, 2);
        fetch(&queue, 2);
        caller.join().unwrap();
    });
}

/// When a flush returns, the writer has written every line before it, even if another thread flushes too.
#[test]
fn a_flush_waits_for_the_lines_before_it() {
    check(|| {
        let queue = queue(8);
        let fetched: Arc<[AtomicUsize; 2]> = Arc::default();
        let writer = {
            let (queue, fetched) = (Arc::clone(&queue), Arc::clone(&fetched));
            let note = move |shard: usize, lines| fetched[shard].store(lines, Ordering::Relaxed);
            thread::spawn(move || while !turn(&queue, &note).1 {})
        };
        let other = {
            let (queue, fetched) = (Arc::clone(&queue), Arc::clone(&fetched));
            thread::spawn(move || append_and_flush(&queue, 1, &fetched[1]))
        };
        append_and_flush(&queue, 0, &fetched[0]);
        other.join().unwrap();
        queue.stop();
        writer.join().unwrap();
    });
}

fn append_and_flush(queue: &Queue, caller: usize, fetched: &AtomicUsize) {
    append(queue, caller, b"x\n");
    assert!(queue.flush(Instant::now() + LONG));
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}

/// A flush that is too late for the writer does not hang.
#[test]
fn a_flush_during_the_end_returns() {
    check(|| {
        let queue = queue(8);
        let flush = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.flush(Instant::now() + LONG))
        };
        let stop = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.stop())
        };
        while !turn(&queue, &|_, _| ()).1 {}
        flush.join().unwrap();
        stop.join().unwrap();
    });
}

#[test]
fn a_full_chunk_is_not_forgotten() {
    check(|| two_callers_of_a_shard_fill_a_chunk_each(3));
}

/// One of two threads of a shard gets the last chunk, and both have room in it.
#[test]
fn no_line_is_dropped_while_its_shard_has_room() {
    check(|| {
        let queue = queue(1);
        let callers = [0, 1].map(|_| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.append(0, Level::Error, 0, b"x\n", Duration::ZERO))
        });
        assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
    });
}

/// A caller that waits for room gets the chunk that is freed, even if another thread of its shard waits too.
#[test]
fn no_caller_waits_for_room_that_is_there() {
    check(|| two_callers_of_a_shard_fill_a_chunk_each(1));
}

/// The memory is changed while lines are staged.
#[test]
fn a_change_of_the_queue_loses_no_line() {
    check(|| {
        let queue = queue(4);
        let caller = caller(&queue, 0, 2);
        queue.change_arena(Arena::in_memory(2 * CHUNK_BYTES).unwrap());
        fetch(&queue, 2);
        caller.join().unwrap();
    });
}
