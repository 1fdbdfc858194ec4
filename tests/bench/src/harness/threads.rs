//! Threads that start at the same moment.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{hint, thread};

/// Numbers of threads of each measurement.
pub(crate) const COUNTS: [usize; 3] = [1, 2, 8];

/// Formats a number of threads: `1 thread`, `2 threads`.
pub(crate) fn in_words(count: usize) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

/// Runs `work` on `count` threads at once and returns their results.
pub(crate) fn together<R: Send>(count: usize, work: impl Fn(&Team, usize) -> R + Sync) -> Vec<R> {
    let team = Team { count, arrived: AtomicUsize::new(0), rest: Barrier::new(count) };
    if count == 1 {
        return vec![work(&team, 0)];
    }
    thread::scope(|scope| {
        let (team, work) = (&team, &work);
        let run = move |number| {
            take_processor(number);
            work(team, number)
        };
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a measured thread panicked")).collect()
    })
}

/// Pins the calling thread to one of its processors. The scheduler often runs a woken thread on the waker's processor, after
/// the waker. Then the threads never contend for shared data.
fn take_processor(number: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let Ok(all) = sched_getaffinity(None) else { return };
        let usable = (0..CpuSet::MAX_CPU).filter(|&processor| all.is_set(processor));
        let Some(mine) = usable.cycle().nth(number) else { return };
        let mut only = CpuSet::new();
        only.set(mine);
        // A sandbox may refuse. The thread stays unpinned then.
        let _ = sched_setaffinity(None, &only);
    }
}

/// The threads of one measurement.
pub(crate) struct Team {
    count: usize,
    arrived: AtomicUsize,
    rest: Barrier,
}

impl Team {
    /// Returns in all threads within a few nanoseconds if each has a processor. Waking a thread takes as long as a short
    /// measurement, so the threads first wake and then spin until all are awake.
    pub(crate) fn start_together(&self) {
        if self.count == 1 {
            return;
        }
        self.rest.wait();
        let mine = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (mine / self.count + 1) * self.count;
        let mut turns = 0_u32;
        while self.arrived.load(Ordering::Acquire) < all {
            turns += 1;
            if turns.is_multiple_of(1_000) { thread::yield_now() } else { hint::spin_loop() }
        }
    }

    /// Waits for the others without spinning.
    pub(crate) fn rest(&self) {
        self.rest.wait();
    }
}

/// Returns the nanoseconds of each of `calls` in `time`.
pub(crate) fn nanos_each(time: Duration, calls: usize) -> f64 {
    time.as_secs_f64() * 1e9 / calls as f64
}

/// Measures `calls` calls on each thread, from the start of the first thread to the end of the last. Returns nanoseconds of a
/// processor for each call, so that threads that wait for a processor cost nothing.
pub(crate) fn time_each<W: FnMut()>(threads: usize, calls: usize, make: impl Fn(usize) -> W + Sync) -> f64 {
    const REPEATS: usize = 5;
    let spans = together(threads, |team, number| {
        let mut work = make(number);
        (0..calls / 10 + 1).for_each(|_| work());
        [(); REPEATS].map(|()| {
            team.start_together();
            let begin = Instant::now();
            for call in 0..calls {
                work();
                // The black box keeps the compiler from removing the loop.
                hint::black_box(call);
            }
            (begin, Instant::now())
        })
    });
    let times = (0..REPEATS).map(|repeat| wall(spans.iter().map(|spans| spans[repeat])));
    let time = super::median(times.map(|time| time.as_secs_f64()).collect());
    processor_nanos(Duration::from_secs_f64(time), threads, calls)
}

/// Returns the time from the first start to the last end.
pub(crate) fn wall(spans: impl Iterator<Item = (Instant, Instant)>) -> Duration {
    let (begins, ends): (Vec<_>, Vec<_>) = spans.unzip();
    let end = ends.into_iter().max().expect("at least one thread");
    end - begins.into_iter().min().expect("at least one thread")
}

/// Returns the processor time of one of `calls` calls on each of `threads` threads in `time`.
pub(crate) fn processor_nanos(time: Duration, threads: usize, calls: usize) -> f64 {
    let processors = thread::available_parallelism().map_or(1, usize::from).min(threads);
    nanos_each(time, calls) * processors as f64 / threads as f64
}
