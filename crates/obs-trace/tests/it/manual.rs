//! Spans that are entered and left by hand.

use std::sync::Barrier;

use obs_trace::{
    ManualSpan, SpanMark, SpanRecord, attach, current_trace, detach, has_current_trace, in_span, new_trace,
    span,
};

fn parent<'a>(spans: &'a [SpanRecord], name: &str) -> Option<&'a str> {
    let span = spans.iter().find(|span| span.name() == name).unwrap_or_else(|| panic!("no {name}"));
    span.parent().map(|parent| spans[parent].name())
}

#[test]
fn each_order_of_three_spans_leaves_nothing_behind() {
    // Each permutation of leaving, on a thread with the trace and on one without.
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for is_current in [true, false] {
        for order in orders {
            let trace = new_trace("test");
            let spans = trace.enter(|| ["a", "b", "c"].map(|name| span(name).manual()));
            let check = || {
                spans.iter().for_each(ManualSpan::enter);
                let mut entered = vec![0, 1, 2];
                for leaves in order {
                    spans[leaves].exit();
                    entered.retain(|span| *span != leaves);
                    let inner = ["in a", "in b", "in c"];
                    match entered.last() {
                        Some(last) => in_span(inner[*last], || {}),
                        None => assert_eq!(has_current_trace(), is_current),
                    }
                }
                in_span("outside", || {});
            };
            if is_current {
                trace.enter(check)
            } else {
                check()
            }
            drop(spans);
            let record = trace.finish().unwrap();
            let spans = record.spans();
            assert_eq!(spans.len(), 5 + usize::from(is_current), "{order:?}");
            for span in &spans[3..] {
                let outer = span.parent().map(|parent| spans[parent].name());
                let expected = span.name().strip_prefix("in ");
                assert_eq!(outer, expected, "{order:?} {}", span.name());
            }
        }
    }
}

#[test]
fn a_span_that_ends_while_entered_encloses_nothing_more() {
    let trace = new_trace("test");
    trace.enter(|| {
        let outer = span("outer").manual();
        let inner = span("inner").manual();
        outer.enter();
        inner.enter();
        inner.enter();
        drop(inner);
        in_span("after inner", || {});
        drop(outer);
        in_span("after outer", || {});
    });
    let spans = trace.finish().unwrap().spans();
    assert_eq!((parent(&spans, "after inner"), parent(&spans, "after outer")), (Some("outer"), None));
}

#[test]
fn a_span_is_a_scope_where_its_trace_is_not_current() {
    let trace = new_trace("test");
    let manual = trace.enter(|| span("import").manual());
    manual.enter();
    attach(new_trace("inner"));
    assert_eq!(current_trace().unwrap().capability(), "inner");
    assert!(detach().is_some());
    assert_eq!(current_trace().as_ref(), Some(&trace));
    manual.exit();
    assert!(current_trace().is_none());
    // Where it is current, what is attached inside stays.
    trace.enter(|| {
        manual.enter();
        attach(new_trace("stays"));
        manual.exit();
        assert_eq!(current_trace().unwrap().capability(), "stays");
        manual.enter();
        assert_eq!(current_trace().unwrap().capability(), "stays");
        manual.exit();
        detach();
        in_span("outside", || {});
    });
    drop(manual);
    assert_eq!(parent(&trace.finish().unwrap().spans(), "outside"), None);
}

#[test]
fn many_threads_enter_one_span() {
    let trace = new_trace("test");
    let manual = trace.enter(|| span("shared").manual());
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    barrier.wait();
                    manual.enter();
                    in_span("inside", || {});
                    manual.exit();
                    assert!(!has_current_trace());
                }
            });
        }
    });
    drop(manual);
    let spans = trace.finish().unwrap().spans();
    assert_eq!(spans.len(), 41);
    assert!(spans[1..].iter().all(|span| span.parent() == Some(0)));
}

#[test]
fn a_mark_without_its_span_has_no_effect() {
    let trace = new_trace("test");
    let (mark, other) = trace.enter(|| (span("gone").manual().mark().unwrap(), new_trace("other")));
    other.enter(|| {
        assert!(!mark.enter());
        mark.enter_in(&other);
        mark.exit();
        assert_eq!(current_trace().as_ref(), Some(&other));
    });
    assert_eq!(SpanMark::from_words(mark.to_words()), mark);
    for words in [[0, 0], [u64::MAX, u64::MAX], [mark.to_words()[0], u64::MAX]] {
        let mark = SpanMark::from_words(words);
        trace.enter(|| {
            mark.enter();
            span("child").field("key", 1).run(|| {});
            mark.exit();
        });
    }
    let spans = trace.finish().unwrap().spans();
    assert!(spans.iter().all(|span| span.parent().is_none()), "{spans:?}");
}

#[test]
fn guards_that_are_never_left_take_bounded_memory() {
    let trace = new_trace("test");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let manual = trace.enter(|| span("entered").manual());
            // Each one leaves a frame behind on this thread.
            for _ in 0..5_000 {
                obs_trace::new_trace("outer").run(|| manual.enter());
            }
            in_span("still inside", || {});
            let again = trace.enter(|| span("again").manual());
            again.enter();
            in_span("inside again", || {});
            again.exit();
        });
    });
    assert_eq!(parent(&trace.finish().unwrap().spans(), "inside again"), Some("again"));
}

#[test]
fn a_span_without_a_trace_does_nothing() {
    let manual = span("alone").manual();
    manual.enter();
    manual.set_field("key", 1);
    manual.fail("timeout");
    assert!(manual.mark().is_none() && manual.span_id().is_none() && manual.outgoing().is_none());
    assert!(!manual.child("child").has_trace() && !manual.is_kept() && current_trace().is_none());
    manual.exit();
}
