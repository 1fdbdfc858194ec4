//! Tokio tasks outside all scopes.

use obs_trace::{Store, attach, current_trace, detach, new_trace};

use crate::{on_both_runtimes, yields};

#[test]
fn tasks_never_see_each_others_trace() {
    on_both_runtimes(|| async {
        let tasks: Vec<_> = (0..200)
            .map(|number| {
                tokio::spawn(async move {
                    assert!(current_trace().is_none());
                    let trace = new_trace("task");
                    let id = trace.id();
                    attach(trace);
                    for _ in 0..number % 7 {
                        yields(1).await;
                        assert_eq!(current_trace().unwrap().id(), id);
                        obs_trace::span("step").wrap(yields(1)).await;
                    }
                    let record = detach().unwrap();
                    assert_eq!(record.trace_id(), id);
                    assert_eq!(record.spans().len(), number % 7);
                    assert!(current_trace().is_none());
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_task_does_not_see_the_trace_of_its_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    attach(new_trace("thread"));
    runtime.block_on(async {
        assert!(current_trace().is_some(), "a future under `block_on` is not a task");
        let seen = tokio::spawn(async { (current_trace().is_some(), detach().is_some()) }).await.unwrap();
        assert_eq!(seen, (false, false));
    });
    assert_eq!(detach().unwrap().capability(), "thread");
}

#[test]
fn traces_of_tasks_without_a_detach_are_bounded() {
    let store = Store::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let _scope = store.enter();
        for _ in 0..6_000 {
            tokio::spawn(async { attach(new_trace("forgotten")) }).await.unwrap();
        }
    });
    let stats = store.stats();
    assert!(stats.active <= 4_096, "{stats:?}");
    assert_eq!(stats.active as u64 + stats.cancelled, 6_000);
}
