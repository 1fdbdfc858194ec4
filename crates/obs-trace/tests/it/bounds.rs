//! T5: what is kept, and that it is bounded.

use obs_trace::{Config, Query, Store, new_trace};

fn store(config: Config) -> Store {
    Store::new(config).unwrap()
}

#[test]
fn the_ring_holds_the_last_ones() {
    let store = store(Config::default().ring_capacity(100).kept_per_capability(0));
    let _scope = store.enter();
    let ids: Vec<_> = (0..1_000).map(|_| new_trace("flood").finish().unwrap().trace_id()).collect();
    let recent: Vec<_> = store.get_recent(1_000).iter().map(|record| record.trace_id()).collect();
    assert_eq!(recent, ids[900..].iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(store.stats().completed, 1_000);
}

#[test]
fn the_ring_is_bounded_in_bytes() {
    let limit = 256 << 10;
    let store = store(Config::default().ring_bytes(limit).kept_per_capability(0));
    let _scope = store.enter();
    for _ in 0..2_000 {
        let trace = new_trace("big");
        trace.enter(|| {
            (0..100).for_each(|_| drop(obs_trace::span("s").field("text", "x".repeat(100)).enter()))
        });
        trace.finish();
        assert!(store.stats().ring_bytes <= limit);
    }
    let kept = store.get_recent(10_000);
    assert!((10..100).contains(&kept.len()), "{}", kept.len());
}

#[test]
fn fields_are_bounded_in_size_and_number() {
    let store = store(Config::default().max_field_bytes(32));
    let _scope = store.enter();
    let trace = new_trace("fields");
    trace.enter(|| {
        let long = obs_trace::span("long").field("text", "ü".repeat(1_000)).enter();
        for number in 0..127 {
            let span = obs_trace::span("many").enter();
            for key in ["a", "b", "c"] {
                span.set_field(key, number);
            }
        }
        drop(long);
    });
    let record = trace.finish().unwrap();
    let text = record.spans()[0].field("text").unwrap().to_string();
    assert!(text.len() <= 32 && text.ends_with('…') && text.starts_with('ü'));
    let fields: usize = record.spans().iter().map(|span| span.fields().len()).sum();
    assert_eq!(fields, 256);
    assert_eq!(store.stats().dropped_fields, 1 + 127 * 3 - 256);
}

#[test]
fn a_flood_cannot_push_out_errors_and_slow_traces() {
    let store = store(Config::default().ring_capacity(50).kept_per_capability(3).max_capabilities(4));
    let _scope = store.enter();
    let error = new_trace("llm.chat");
    error.fail("timeout");
    error.finish();
    let slow = new_trace("llm.chat");
    std::thread::sleep(std::time::Duration::from_millis(30));
    slow.finish();
    for number in 0..5_000 {
        new_trace(&format!("flood.{number}")).finish();
        new_trace("llm.chat").finish();
    }
    assert_eq!(store.query(&Query::default().id(error.id())).len(), 1);
    assert_eq!(store.query(&Query::default().id(slow.id()).min_ms(30.0)).len(), 1);
    assert_eq!(store.query(&Query::default().status("timeout")).len(), 1);
    let all = store.query(&Query::default().n(100_000));
    assert!(all.len() <= 50 + 5 * 2 * 3, "{}", all.len());
    assert!(store.get_recent(100).iter().all(|record| record.trace_id() != slow.id()), "not in the ring");
}

/// A flood of large traces takes the place of none of another capability.
#[test]
fn what_is_kept_is_bounded_in_bytes_at_the_cost_of_those_who_take_the_most() {
    let limit = 1 << 20;
    let store = store(Config::default().ring_capacity(1).ring_bytes(limit));
    let _scope = store.enter();
    let fail = |capability: &str, bytes: usize| {
        let trace = new_trace(capability);
        trace.enter(|| {
            (0..bytes / 200).for_each(|_| drop(obs_trace::span("s").field("t", "x".repeat(200)).enter()))
        });
        trace.fail("timeout");
        trace.finish().unwrap().trace_id()
    };
    let first = fail("quiet", 0);
    for number in 0..1_000 {
        fail(&format!("flood.{}", number % 60), 12_000);
    }
    let last = fail("quiet", 0);
    for id in [first, last] {
        assert_eq!(store.query(&Query::default().id(id)).len(), 1);
    }
    let kept = store.query(&Query::default().n(100_000));
    // A trace of sixty spans with a field each takes at least its text.
    let large = kept.iter().filter(|record| record.capability() != "quiet").count();
    assert!((10..=limit / 4 / 12_000).contains(&large), "{large}");
}

#[test]
fn bounds_change_live_and_the_newest_stay() {
    let store = store(Config::default().ring_capacity(10));
    let _scope = store.enter();
    let finish = |n: usize| (0..n).map(|_| new_trace("t").finish().unwrap().trace_id()).collect::<Vec<_>>();
    let ids = finish(20);
    for capacity in [4, 100, 7] {
        store.configure(&Config::default().ring_capacity(capacity)).unwrap();
        let recent: Vec<_> = store.get_recent(100).iter().map(|record| record.trace_id()).collect();
        assert_eq!(recent, ids.iter().rev().take(4).copied().collect::<Vec<_>>());
    }
    let more = finish(9);
    let recent: Vec<_> = store.get_recent(100).iter().map(|record| record.trace_id()).collect();
    assert_eq!(recent, more.iter().rev().take(7).copied().collect::<Vec<_>>());
    assert_eq!(store.stats().completed, 29);
}

#[test]
fn bad_bounds_are_refused_by_name() {
    let cases = [
        (Config::default().ring_capacity(0), "ring_capacity"),
        (Config::default().ring_capacity(1_000_001), "ring_capacity"),
        (Config::default().ring_bytes(1), "ring_bytes"),
        (Config::default().max_spans(129), "max_spans"),
        (Config::default().max_field_bytes(1), "max_field_bytes"),
        (Config::default().max_capabilities(0), "max_capabilities"),
        (Config::default().kept_per_capability(1_001), "kept_per_capability"),
    ];
    for (config, field) in cases {
        assert_eq!(Store::new(config).unwrap_err().field(), field);
    }
}
