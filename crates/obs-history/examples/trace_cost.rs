//! Cost of a trace with a history, beside one without, in alternating rounds of one process.
//!
//! ```text
//! cargo run --release -p obs-history --example trace_cost -- SPANS THREADS
//! ```

#![expect(clippy::print_stdout, reason = "a program that reports")]

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
    let mut nanoseconds = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for at in [round % 2, 1 - round % 2] {
            nanoseconds[at].push(measure(&[&plain, &kept][at].clone(), spans, threads));
        }
    }
    for times in &mut nanoseconds {
        times.sort_by(f64::total_cmp);
    }
    let [without, with] = nanoseconds.map(|times| (times[0], times[ROUNDS / 2]));
    println!(
        "root + {spans}, {threads} threads: {:.0}/{:.0} ns without, {:.0}/{:.0} ns with history (minimum/median): {:.2}x, {:.2}x",
        without.0,
        without.1,
        with.0,
        with.1,
        with.0 / without.0,
        with.1 / without.1
    );
}

/// Returns the time of a trace in nanoseconds.
fn measure(store: &Store, spans: usize, threads: usize) -> f64 {
    let traces = SPANS_OF_ROUND / (spans + 4) / threads;
    let gate = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let _scope = store.enter();
                    gate.wait();
                    let begin = Instant::now();
                    for _ in 0..traces {
                        new_trace("root").run(|| {
                            for _ in 0..spans {
                                let _span = span("step").enter();
                            }
                        });
                    }
                    begin.elapsed()
                })
            })
            .collect();
        gate.wait();
        let longest = workers.into_iter().map(|worker| worker.join().expect("no thread panics")).max();
        longest.unwrap_or_default().as_nanos() as f64 / traces as f64
    })
}
