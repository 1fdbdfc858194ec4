//! Spans that are open when their trace ends, or have no slot.

use obs_trace::new_trace;

#[test]
fn children_of_an_open_span_get_the_nearest_kept_ancestor() {
    let trace = new_trace("open");
    let record = trace.enter(|| {
        obs_trace::in_span("root", || {
            obs_trace::in_span("open at the end", || {
                obs_trace::in_span("leaf", || ());
                obs_trace::in_span("branch", || obs_trace::in_span("twig", || ()));
                trace.finish().unwrap()
            })
        })
    });
    let found: Vec<_> = record.spans().iter().map(|span| (span.name(), span.parent())).collect();
    assert_eq!(found, [("leaf", None), ("branch", None), ("twig", Some(1))]);
    assert_eq!(record.dropped_spans(), 2);
}

#[test]
fn children_of_a_span_beyond_the_limit_get_its_parent() {
    let store = obs_trace::Store::new(obs_trace::Config::default().max_spans(1)).unwrap();
    let _scope = store.enter();
    let trace = new_trace("full");
    trace.run(|| {
        obs_trace::in_span("kept", || obs_trace::in_span("lost", || obs_trace::in_span("lost too", || ())))
    });
    let record = &store.get_recent(1)[0];
    assert_eq!((record.spans().len(), record.dropped_spans()), (1, 2));
}
