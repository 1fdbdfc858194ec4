//! Traces of an earlier run in a store.

use std::sync::Arc;

use obs_trace::{Config, NameNumbers, Query, Store, TraceRecord, new_trace};

/// Returns the packed traces of an earlier run, the last of which failed, oldest first.
fn earlier(traces: usize) -> Vec<Vec<u8>> {
    let store = Store::default();
    let _scope = store.enter();
    let pack = |record: Arc<TraceRecord>| {
        let mut packed = Vec::new();
        record.pack(&NameNumbers::new(|_| 1), &mut packed);
        packed
    };
    let end = |number: usize| {
        let trace = new_trace(&format!("earlier.{number}"));
        if number + 1 == traces {
            trace.fail("timeout");
        }
        pack(trace.finish().unwrap())
    };
    (0..traces).map(end).collect()
}

fn restore(store: &Store, packed: &[Vec<u8>]) -> usize {
    store.restore(packed.iter().map(|packed| TraceRecord::unpack(packed, |_| Some("step"))))
}

fn names(store: &Store, n: usize) -> Vec<String> {
    store.get_recent(n).iter().map(|record| record.capability().to_owned()).collect()
}

#[test]
fn traces_of_this_run_go_before_restored_ones() {
    let store = Store::default();
    let _scope = store.enter();
    new_trace("new.0").finish();
    assert_eq!(restore(&store, &earlier(40)), 40);
    new_trace("new.1").finish();
    assert_eq!(names(&store, 4), ["new.1", "new.0", "earlier.39", "earlier.38"]);
    assert_eq!(store.get_recent(100).len(), 42);
    let failed = store.query(&Query::default().failed());
    assert_eq!(failed[0].status().as_str(), "timeout");
    assert!(failed[0].is_restored());
    let stats = store.stats();
    assert_eq!((stats.completed, stats.failed, stats.active), (2, 0, 0));
    assert!(stats.ring_bytes > 0);
}

#[test]
fn the_ring_evicts_restored_traces_first_and_the_retained_ones_stay() {
    let store = Store::new(Config::default().ring_capacity(64)).unwrap();
    let _scope = store.enter();
    let packed = earlier(100);
    let kept = restore(&store, &packed);
    assert!((64..=100).contains(&kept), "{kept}");
    assert_eq!(names(&store, 1000).len(), 64);
    for _ in 0..200 {
        new_trace("new").finish();
    }
    assert_eq!(store.get_recent(1000).iter().filter(|record| record.is_restored()).count(), 0);
    let failed = store.query(&Query::default().failed());
    assert_eq!(failed.iter().map(|record| record.capability()).collect::<Vec<_>>(), ["earlier.99"]);
    // Restored once more, they are older than all that are there.
    restore(&store, &packed);
    assert_eq!(names(&store, 1), ["new"]);
}

#[test]
fn restored_traces_keep_to_the_bytes_of_the_ring() {
    let store = Store::new(Config::default().ring_bytes(1 << 20)).unwrap();
    let packed = earlier(3000);
    restore(&store, &packed);
    let stats = store.stats();
    assert!((900_000..=1 << 20).contains(&stats.ring_bytes), "{stats:?}");
    let newest = names(&store, 1);
    assert_eq!(newest, ["earlier.2999"], "the newest stay");
    assert!(store.retained().iter().all(|record| record.is_restored()));
}
