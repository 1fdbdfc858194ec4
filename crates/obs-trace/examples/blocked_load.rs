//! Blocks that are put into the polls of a busy runtime, and how many of them are named.
//!
//! Run it with `cargo run --release --example blocked_load -- <blocks> <workers> <spinners>`. Half of the blocks sleep and
//! half compute, for 10 to 200 ms. Spinners are threads that take processors away. A span without a block that has the field
//! `blocked_ms` is invented.

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use obs_trace::{Config, InSpan, Store, new_trace, span};

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map_while(|text| text.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (blocks, workers, spinners) = (number(0, 1_000), number(1, 8), number(2, 0));
    static OVER: AtomicBool = AtomicBool::new(false);
    for _ in 0..spinners {
        thread::spawn(|| {
            while !OVER.load(Ordering::Relaxed) {
                black_box(work(10_000));
            }
        });
    }
    let store =
        Store::new(Config::default().ring_capacity(blocks as usize)).expect("the settings are in range");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers as usize)
        .enable_all()
        .build()
        .expect("threads start");
    let began = Instant::now();
    let tasks: Vec<_> = (0..blocks)
        .map(|block| {
            let trace = {
                let _scope = store.enter();
                new_trace("load")
            };
            let ms = 10 + block * 7_919 % 191;
            let sleeps = block % 2 == 0;
            runtime.spawn(trace.scope(async move {
                for _ in 0..20 {
                    async {
                        for _ in 0..50 {
                            black_box(work(300));
                            tokio::task::yield_now().await;
                        }
                    }
                    .in_span("quick")
                    .await;
                }
                let block = Duration::from_millis(ms);
                span("block")
                    .field("ms", ms)
                    .field("sleeps", sleeps)
                    .wrap(async move {
                        tokio::task::yield_now().await;
                        if sleeps {
                            thread::sleep(block);
                        } else {
                            let begin = processor_time();
                            while processor_time() - begin < block {
                                black_box(work(10_000));
                            }
                        }
                        tokio::task::yield_now().await;
                    })
                    .await;
            }))
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
    OVER.store(true, Ordering::Relaxed);
    let (mut named, mut invented) = (0, 0);
    let mut missed = Vec::new();
    let mut spans = 0;
    for record in store.get_recent(blocks as usize) {
        for span in record.spans() {
            spans += 1;
            match (span.name(), span.field("blocked_ms")) {
                ("block", Some(_)) => named += 1,
                ("block", None) => missed.push(format!(
                    "{} {} {:?}",
                    span.field("ms").expect("set"),
                    span.field("sleeps").expect("set"),
                    span.duration()
                )),
                (_, Some(ms)) => {
                    invented += 1;
                    println!("invented {ms} of {:?}", span.duration());
                }
                _ => {}
            }
        }
    }
    println!(
        "{named} of {blocks} named, {invented} invented among {} polls, {spans} spans, in {:?}",
        blocks * 1_000,
        began.elapsed()
    );
    missed.iter().for_each(|missed| println!("missed {missed}"));
}

/// Returns the time that this thread has had a processor. Time in which it waits for one is no block of its code.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let ns = text.split_ascii_whitespace().next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.expect("the first number of three"))
}

fn work(rounds: u64) -> u64 {
    (0..rounds).fold(1, |sum, n| black_box(sum.rotate_left(5) ^ n))
}
