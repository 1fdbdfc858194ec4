//! Cost of a trace with a history, beside one without, in alternating rounds of one process.
//!
//! The time by the clock has what the thread of the history takes from others where all processors are busy, and what other
//! programs take. The processor time has neither; that of the history's thread is told beside it.
//!
//! ```text
//! cargo run --release -p obs-history --example trace_cost -- SPANS THREADS
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use obs_history::TraceHistory;
use obs_trace::{Config, Store, new_trace, span};

/// Spans of a round, of all threads together.
const SPANS_OF_ROUND: usize = 2_000_000;
const ROUNDS: usize = 31;

fn main() {
    let mut args = std::env::args().skip(1).map_while(|text| text.parse::<usize>().ok());
    let (spans, threads) = (args.next().unwrap_or(1), args.next().unwrap_or(1));
    let folder = tempfile::tempdir().expect("a folder for the file");
    let [plain, kept] = [(); 2].map(|()| Store::new(Config::default()).expect("the settings are in range"));
    let _history = TraceHistory::start(&kept, folder.path(), TraceHistory::DEFAULT_BYTES);
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for at in [round % 2, 1 - round % 2] {
            costs[at].push(measure(&[&plain, &kept][at].clone(), spans, threads));
        }
    }
    let [without, with] = costs.map(|costs| {
        let median = |of: fn(&Cost) -> f64| {
            let mut sorted: Vec<f64> = costs.iter().map(of).collect();
            sorted.sort_by(f64::total_cmp);
            sorted[ROUNDS / 2]
        };
        [median(|cost| cost.clock), median(|cost| cost.processor), median(|cost| cost.keeper)]
    });
    let ratio = |at: usize| with[at] / without[at];
    println!(
        "root + {spans}, {threads} threads, medians: {:.0} ns without, {:.0} ns with history: {:.2}x; \
         of a processor {:.0} and {:.0} ns: {:.2}x, and {:.0} ns of the history's thread",
        without[0],
        with[0],
        ratio(0),
        without[1],
        with[1],
        ratio(1),
        with[2]
    );
}

/// Cost of a trace in nanoseconds.
struct Cost {
    /// By the clock, of the slowest thread.
    clock: f64,
    /// Processor time of the threads that end traces.
    processor: f64,
    /// Processor time of the history's thread.
    keeper: f64,
}

/// Returns the processor time of a thread in nanoseconds. Linux tells it.
fn processor_time(task: &Path) -> f64 {
    let times = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(f64::NAN)
}

/// Returns the processor time of the history's thread.
fn keeper_time() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|task| task.path());
    let is_keeper = |task: &PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("obs-history"))
    };
    tasks.filter(is_keeper).map(|task| processor_time(&task)).sum()
}

/// Ends traces, and returns the cost of one.
fn measure(store: &Store, spans: usize, threads: usize) -> Cost {
    let this = Path::new("/proc/thread-self");
    let keeper = keeper_time();
    let traces = SPANS_OF_ROUND / (spans + 4) / threads;
    let gate = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let _scope = store.enter();
                    gate.wait();
                    let (begin, used) = (Instant::now(), processor_time(this));
                    for _ in 0..traces {
                        new_trace("root").run(|| {
                            for _ in 0..spans {
                                let _span = span("step").enter();
                            }
                        });
                    }
                    (begin.elapsed().as_nanos() as f64, processor_time(this) - used)
                })
            })
            .collect();
        gate.wait();
        let of_traces = (traces * threads) as f64;
        let mut cost = Cost { clock: 0.0, processor: 0.0, keeper: 0.0 };
        for worker in workers {
            let (clock, processor) = worker.join().expect("no thread panics");
            cost.clock = cost.clock.max(clock / traces as f64);
            cost.processor += processor / of_traces;
        }
        cost.keeper = (keeper_time() - keeper) / of_traces;
        cost
    })
}
