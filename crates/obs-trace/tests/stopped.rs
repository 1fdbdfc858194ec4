//! A process that is stopped and continued. Alone in its binary, because the whole process is stopped.
#![cfg(all(target_os = "linux", feature = "rt"))]

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};
use std::{env, hint};

use obs_trace::{Store, new_trace};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

/// Set in the process that is stopped.
const IS_CHILD: &str = "OBS_TRACE_IS_STOPPED";
const STOPS: u64 = 20;
const WORKERS: u64 = 2;

#[test]
fn a_stopped_process_has_no_blocked_worker() {
    if env::var_os(IS_CHILD).is_some() {
        return poll_until_the_parent_is_done();
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_stopped_process_has_no_blocked_worker", "--nocapture"])
        .env(IS_CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let signal =
        |name: &str| assert!(Command::new("kill").args([name, pid.as_str()]).status().unwrap().success());
    sleep(Duration::from_millis(300));
    for _ in 0..STOPS {
        signal("-STOP");
        sleep(Duration::from_millis(50));
        signal("-CONT");
        sleep(Duration::from_millis(50));
    }
    drop(child.stdin.take());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    let number = |name: &str| -> u64 {
        let end = text.split_once(name).unwrap_or_else(|| panic!("no {name} in {text}")).1;
        end.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(number("stalls ") >= STOPS / 2, "{text}");
    // A few polls are measured by the clock alone, and may end before the stall is known.
    assert!(number("blocked ") <= STOPS * WORKERS / 4, "{text}");
}

/// Keeps two workers busy with short polls until its input ends. Prints how many polls seem to have held them, and how many
/// times all of the process stood still.
fn poll_until_the_parent_is_done() {
    let store = Store::default();
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS as usize).build().unwrap();
    let tasks: Vec<JoinHandle<()>> = (0..WORKERS)
        .map(|_| {
            let trace = {
                let _scope = store.enter();
                new_trace("busy")
            };
            runtime.spawn(trace.scope(async {
                loop {
                    (0..300).for_each(|number| _ = hint::black_box(number));
                    tokio::task::yield_now().await;
                }
            }))
        })
        .collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let observer = thread::spawn({
        let is_over = is_over.clone();
        move || {
            let mut stalls = 0;
            while !is_over.load(Ordering::Relaxed) {
                let before = Instant::now();
                sleep(Duration::from_millis(1));
                stalls += u32::from(before.elapsed() > Duration::from_millis(30));
            }
            stalls
        }
    });
    _ = std::io::stdin().read_to_end(&mut Vec::new());
    is_over.store(true, Ordering::Relaxed);
    let stalls = observer.join().unwrap();
    tasks.iter().for_each(JoinHandle::abort);
    let mut out = std::io::stdout();
    writeln!(out, "stalls {stalls} blocked {} .", store.stats().blocked_polls).unwrap();
}
