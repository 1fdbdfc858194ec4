//! Memory of traces: `cargo xtask memory`.
//!
//! Fills a store with traces under the default limits, and prints the store's own count beside the memory of the process.
//! Then ends millions of traces of all sizes, some of them failed, to show that memory stays flat.

use std::time::Instant;

use obs_trace::{Store, new_trace, span};

const USAGE: &str = "usage: memory [NUMBER OF TRACES, 10000000]";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Result<Vec<u64>, _> = args.iter().map(|text| text.parse()).collect();
    match numbers.as_deref() {
        Ok([]) => all(10_000_000),
        Ok([traces]) => all(*traces),
        Ok([spans, fields]) => fill(*spans as usize, *fields as usize),
        _ => say(USAGE),
    }
}

fn all(traces: u64) {
    say("10 000 traces of            kept     own count    resident");
    for (spans, fields) in [(10, 0), (10, 2), (128, 0), (128, 2)] {
        // A process for each, so that none reuses freed memory.
        let this = std::env::current_exe().expect("a program knows where it is");
        let arguments = [spans, fields].map(|number: u64| number.to_string());
        let status = std::process::Command::new(this).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
    say("");
    go_on(traces);
}

/// Measures 10 000 traces.
fn fill(spans: usize, fields: usize) {
    let before = resident_bytes();
    let store = Store::default();
    let _scope = store.enter();
    (0..10_000).for_each(|number| make(number, spans, fields));
    let grown = resident_bytes().saturating_sub(before);
    let (kept, own) = (store.get_recent(usize::MAX).len(), store.stats().ring_bytes);
    say(&format!(
        "{spans:>3} spans of {fields} fields {kept:>11} {:>9.1} MiB {:>7.1} MiB",
        mib(own),
        mib(grown)
    ));
}

/// Ends traces of all sizes, one in ten of them failed, and prints the memory in between.
fn go_on(traces: u64) {
    let store = Store::default();
    let _scope = store.enter();
    let begin = Instant::now();
    say("traces ended   own count   resident");
    for number in 0..=traces {
        if number.is_multiple_of((traces / 10).max(1)) {
            say(&format!(
                "{number:>12} {:>7.1} MiB {:>6.1} MiB",
                mib(store.stats().ring_bytes),
                mib(resident_bytes())
            ));
        }
        make(number, (number % 13 * 10) as usize, (number % 3) as usize);
    }
    say(&format!("{:.1} s", begin.elapsed().as_secs_f64()));
}

fn make(number: u64, spans: usize, fields: usize) {
    let trace = new_trace(["llm.chat", "rag.query", "embed.text"][number as usize % 3]);
    trace.enter(|| {
        for _ in 0..spans {
            let mut span = span("forward");
            if fields > 0 {
                span = span.field("to", "7H4G-Y9KL");
            }
            if fields > 1 {
                span = span.field("why", "a text of more bytes than a value holds without an allocation");
            }
            span.run(|| ());
        }
    });
    if number.is_multiple_of(10) {
        trace.fail("timeout");
    }
    trace.finish();
}

/// Returns the resident memory of the process. 0 on systems without procfs.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[expect(clippy::print_stdout, reason = "a program that reports")]
fn say(line: &str) {
    println!("{line}");
}
