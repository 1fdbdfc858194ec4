//! Bounds of spans, and guards that are not left.

use obs_trace::{current_trace, in_span, new_trace};
use tracing::dispatcher::{self, Dispatch};
use tracing::{Span, info_span};

use super::events::ran_alone;
use super::support::{elsewhere, log, parent, traced};

#[test]
fn more_spans_than_a_trace_keeps_are_counted() {
    let record = traced(|trace| {
        let spans: Vec<_> = (0..200).map(|_| info_span!("many")).collect();
        let entered: Vec<_> = spans.iter().map(Span::enter).collect();
        assert_eq!(current_trace().as_ref(), Some(trace));
        drop(entered);
        // A span that is not kept still carries its trace to another thread.
        let last = spans[199].clone();
        let id = trace.id();
        elsewhere(move || last.in_scope(|| assert_eq!(current_trace().unwrap().id(), id)));
    });
    assert_eq!((record.span_count(), record.dropped_spans()), (128, 72));
}

#[test]
fn deep_recursion_restores_what_was_before() {
    fn descend(span: &Span, depth: usize) {
        if depth > 0 {
            span.in_scope(|| descend(span, depth - 1));
        }
    }
    let record = traced(|trace| {
        let span = info_span!("deep");
        descend(&span, 3_000);
        assert_eq!(current_trace().as_ref(), Some(trace));
        in_span("outside", || {});
    });
    assert_eq!(parent(&record.spans(), "outside"), None);
}

#[test]
fn a_leaked_guard_does_not_enclose_what_comes_after_its_span() {
    let record = traced(|_| {
        let span = info_span!("leaky");
        std::mem::forget(span.enter());
        std::mem::forget(span.enter());
        in_span("inside", || {});
        drop(span);
        in_span("outside", || {});
        assert!(Span::current().is_none());
    });
    assert_eq!(parent(&record.spans(), "inside"), Some("leaky"));
    assert_eq!(parent(&record.spans(), "outside"), None);
}

/// Resident memory of this process in KiB.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn leaked_spans_take_bounded_memory_and_are_counted() {
    if ran_alone("bounds::leaked_spans_take_bounded_memory_and_are_counted") {
        return;
    }
    const LEAKED: u64 = 200_000;
    log();
    dispatcher::set_global_default(Dispatch::new(obs_tracing::Bridge::new())).unwrap();
    // Spans of traces that end use no slot for long.
    for _ in 0..5_000 {
        let trace = new_trace("ended");
        trace.enter(|| std::mem::forget(info_span!("leaked").entered()));
        trace.finish();
    }
    let stats = obs_tracing::stats();
    assert_eq!(stats.excess_spans, 0);
    assert!(stats.open_spans <= 1_024, "{stats:?}");
    // Spans of a trace that runs on stay open.
    let trace = new_trace("running");
    let before = memory_kib();
    let leak = || {
        for number in 0..LEAKED {
            std::mem::forget(info_span!("leaked", number));
        }
    };
    trace.enter(leak);
    let stats = obs_tracing::stats();
    assert_eq!(stats.open_spans, 8_192);
    assert!((LEAKED - 8_192..=LEAKED).contains(&stats.excess_spans), "{stats:?}");
    assert!(memory_kib() - before < 16 << 10, "{} KiB", memory_kib() - before);
    // Entered, on a thread that goes on.
    trace.enter(|| std::mem::forget(info_span!("leaked").entered()));
    trace.finish();
    // Once the trace has ended, its slots are free for others.
    let trace = new_trace("next");
    trace.enter(|| {
        for _ in 0..1_000 {
            info_span!("next").in_scope(|| {});
        }
    });
    let record = trace.finish().unwrap();
    assert_eq!((record.span_count(), record.dropped_spans()), (128, 872));
    let excess = obs_tracing::stats().excess_spans;
    assert_eq!(excess, stats.excess_spans + 1);
}
