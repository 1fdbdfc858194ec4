//! The measurements of logging.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::event::{Event, events};
use super::{Peer, lines};
use crate::harness::threads::{nanos_each, processor_nanos, together, wall};
use crate::harness::{Scale, Values, median};

/// Events of a burst.
const BURST: usize = 1_000;

/// Logs one event and reads it back.
pub(super) fn check<P: Peer>() -> Result<(), String> {
    let folder = folder();
    let peer = P::start(folder.path());
    let event = events()[0];
    peer.log_disabled(&event);
    peer.log(&event);
    peer.finish();
    lines::check(folder.path(), &event)
}

pub(super) fn task<P: Peer>(task: &str, scale: Scale) -> Values {
    let folder = folder();
    let peer = P::start(folder.path());
    match task.split_once('-') {
        Some(("burst", threads)) => {
            let nanos = bursts(&peer, folder.path(), number(threads), scale.of(20));
            vec![(task.to_owned(), nanos)]
        }
        Some(("sustained", threads)) => sustained(peer, folder.path(), number(threads), scale.of(50_000)),
        _ => vec![("disabled".to_owned(), disabled(&peer, scale.of(5_000_000)))],
    }
}

/// Creates a folder on a disk, as for real logs. `TMPDIR` chooses the disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the folder for temporary files is writable")
}

fn number(text: &str) -> usize {
    text.parse().expect("a task ends in its number of threads")
}

/// Measures the nanoseconds of an event in a burst: every thread logs 1 000 events, then all wait until they are written.
fn bursts<P: Peer>(peer: &P, folder: &Path, threads: usize, bursts: usize) -> f64 {
    const WARM_UP: usize = 5;
    let times = together(threads, |team, number| {
        let events = events();
        let mut times = Vec::with_capacity(WARM_UP + bursts);
        for _ in 0..WARM_UP + bursts {
            team.start_together();
            let begin = Instant::now();
            log_events(peer, &events, BURST);
            times.push(nanos_each(begin.elapsed(), BURST));
            team.rest();
            if number == 0 {
                settle(peer, folder);
            }
        }
        times.split_off(WARM_UP)
    });
    median((0..bursts).map(|burst| mean(times.iter().map(|times| times[burst]))).collect())
}

/// Waits until the files stop growing, because some contenders have no flush.
fn settle<P: Peer>(peer: &P, folder: &Path) {
    peer.flush();
    let mut before = lines::bytes(folder);
    loop {
        thread::sleep(Duration::from_millis(1));
        let now = lines::bytes(folder);
        if now == before {
            return;
        }
        before = now;
    }
}

/// Measures a stream without end: cost of an event for its caller, events on disk a second, lost events.
fn sustained<P: Peer>(peer: P, folder: &Path, threads: usize, total: usize) -> Values {
    const WARM_UP: usize = 1_000;
    let each = total / threads;
    let spans = together(threads, |team, _| {
        let events = events();
        log_events(&peer, &events, WARM_UP);
        team.rest();
        // The rest of the warm-up may still be written meanwhile. An endless stream has no quiet moment.
        team.start_together();
        let begin = Instant::now();
        log_events(&peer, &events, each);
        (begin, Instant::now())
    });
    let callers = wall(spans.iter().copied());
    let begin = Instant::now() - callers;
    peer.finish();
    let on_disk = begin.elapsed();
    let mut values = vec![(format!("sustained-{threads}"), processor_nanos(callers, threads, each))];
    if P::WRITES {
        let sent = (each + WARM_UP) * threads;
        values.push((format!("on-disk-{threads}"), (each * threads) as f64 / on_disk.as_secs_f64() / 1e6));
        values.push((format!("lost-{threads}"), sent as f64 - lines::count(folder) as f64));
    }
    values
}

fn disabled<P: Peer>(peer: &P, calls: usize) -> f64 {
    let events = events();
    let begin = Instant::now();
    for at in 0..calls {
        peer.log_disabled(&events[at % events.len()]);
    }
    nanos_each(begin.elapsed(), calls)
}

fn log_events<P: Peer>(peer: &P, events: &[Event; 64], count: usize) {
    for at in 0..count {
        peer.log(&events[at % events.len()]);
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}
