//! Models of the protocols between threads: parts of a histogram, parts of a counter, thread slots.
//!
//! Loom runs each model in every order in which its threads can run, up to a number of preemptions, and lets a relaxed load
//! see every value that the memory model allows. The code is that of the cells themselves; see `sync`. `cargo xtask sanitize`
//! and CI run the models.

use std::sync::Arc;

use loom::thread;

use super::Cell as _;
use super::counter::CounterCell;
use super::histogram::owned_shard::OwnedShard;
use super::histogram::shared_shard::SharedShard;
use super::histogram::snapshot::Snapshot;
use super::sync::Mutex;
use super::thread_slot::{self, Pool};
use crate::desc::Desc;
use crate::exposition::kind::Kind;

/// Maximum number of preemptions in an order, unless `LOOM_MAX_PREEMPTIONS` sets another one. More take hours; two show
/// every fault that was put in on purpose.
const PREEMPTIONS: usize = 2;

/// Value of each observation. A sum that is not this value times the count was read half written.
const VALUE: f64 = 2.0;

pub(crate) fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

/// Writes on this thread while another one reads. Reads once more after both.
///
/// The reader must not be the thread that made the cell: after a yield, loom no longer shows a thread the values that it
/// stored before.
fn read_beside<S: Send + Sync + 'static>(
    shard: S,
    readings: usize,
    read: fn(&S) -> Snapshot,
    write: impl FnOnce(&Arc<S>) -> u64,
) {
    let shard = Arc::new(shard);
    let reader = {
        let shard = Arc::clone(&shard);
        thread::spawn(move || {
            (0..readings).map(|_| read(&shard)).fold(0, |last, snapshot| {
                assert_eq!(snapshot.sum, VALUE * snapshot.count() as f64, "sum and count belong together");
                assert!(snapshot.count() >= last, "an observation that was seen is missing later");
                snapshot.count()
            })
        })
    };
    let written = write(&shard);
    reader.join().unwrap();
    let snapshot = read(&shard);
    assert_eq!((snapshot.count(), snapshot.sum), (written, VALUE * written as f64));
}

fn write_owned<const TIMES: u64>(shard: &Arc<OwnedShard>) -> u64 {
    (0..TIMES as usize).for_each(|time| _ = shard.record(time % 2, VALUE));
    TIMES
}

fn read_owned(shard: &OwnedShard) -> Snapshot {
    let mut total = Snapshot::empty(2);
    shard.add_to(&mut total);
    total
}

#[test]
fn a_reader_of_an_owned_shard_sees_whole_writes() {
    check(|| read_beside(OwnedShard::new(2, false), 1, read_owned, write_owned::<2>));
}

#[test]
fn an_owner_that_is_asked_answers_with_whole_writes() {
    check(|| read_beside(OwnedShard::new(2, false), 1, OwnedShard::ask, write_owned::<3>));
}

#[test]
fn a_reader_of_a_shared_shard_sees_whole_writes() {
    let read = |shard: &SharedShard| {
        let mut total = Snapshot::empty(2);
        shard.add_to(&mut total);
        total
    };
    check(move || {
        read_beside(SharedShard::new(2, false), 2, read, |shard| {
            let other = {
                let shard = Arc::clone(shard);
                thread::spawn(move || _ = shard.record(0, VALUE))
            };
            shard.record(1, VALUE);
            other.join().unwrap();
            2
        });
    });
}

fn counter() -> Arc<CounterCell> {
    Arc::new(CounterCell::new(&Desc::new(Kind::Counter, "c", "", &[]).unwrap()))
}

/// Runs the same work on two threads, each with a slot of a new pool.
fn on_two_threads<R: 'static>(work: impl Fn() -> R + Send + Sync + 'static) -> [thread::JoinHandle<R>; 2] {
    let (pool, work) = (Arc::new(Mutex::new(Pool::new())), Arc::new(work));
    [(); 2].map(|()| {
        let (pool, work) = (Arc::clone(&pool), Arc::clone(&work));
        thread::spawn(move || thread_slot::with_slot_of(&pool, || work()))
    })
}

#[test]
fn threads_that_take_parts_of_a_counter_lose_no_count() {
    check(|| {
        let cell = counter();
        let threads = on_two_threads({
            let cell = Arc::clone(&cell);
            move || (0..2).for_each(|_| cell.add(1))
        });
        assert!(cell.value() <= 4);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(cell.value(), 4);
    });
}

/// One thread may end before the other takes a slot, so that both get the same slot.
#[test]
fn the_next_owner_of_a_slot_continues_its_parts() {
    check(|| {
        let shards = Arc::new([(); 2].map(|()| OwnedShard::new(2, false)));
        let threads = on_two_threads({
            let shards = Arc::clone(&shards);
            move || _ = shards[thread_slot::current().unwrap()].record(0, VALUE)
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(shards.iter().map(|shard| read_owned(shard).count()).sum::<u64>(), 2);
    });
}
