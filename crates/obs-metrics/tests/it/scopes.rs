//! Registries of tests, and the scope of a thread that has entered one.

use std::sync::LazyLock;

use obs_metrics::{CounterFamily, Registry, standard, testing};

static SHARED: LazyLock<CounterFamily<1>> =
    LazyLock::new(|| obs_metrics::counter("scopes_shared_total", "Counted by many tests.", ["thread"]));

#[test]
fn a_hundred_tests_run_side_by_side() {
    std::thread::scope(|scope| {
        for thread in 0..100_u64 {
            scope.spawn(move || {
                let registry = Registry::new();
                let _scope = registry.enter();
                for _ in 0..=thread {
                    SHARED.with(["x"]).inc();
                    SHARED.inc(["y"]);
                    standard::requests_total().with(["llm.chat", "ok"]).inc();
                    obs_metrics::counter("scopes_free_total", "Declared where it is used.", [])
                        .with([])
                        .inc();
                }
                let expected = (thread + 1) as f64;
                assert_eq!(
                    testing::value(&registry, "scopes_shared_total", &[("thread", "x")]),
                    Some(expected)
                );
                assert_eq!(
                    testing::value(&registry, "scopes_shared_total", &[("thread", "y")]),
                    Some(expected)
                );
                assert_eq!(testing::value(&registry, "hearthnet_requests_total", &[]), Some(expected));
                assert_eq!(testing::value(&registry, "scopes_free_total", &[]), Some(expected));
                assert!(obs_metrics::render(obs_metrics::Format::Text).contains("scopes_free_total"));
            });
        }
    });
    assert_eq!(
        testing::value(Registry::global(), "scopes_shared_total", &[]),
        None,
        "nothing reached the global registry"
    );
}

#[test]
fn scopes_nest_and_end() {
    let (outer, inner) = (Registry::new(), Registry::new());
    let family = obs_metrics::gauge("scopes_nested", "Nested.", []);
    {
        let _outer = outer.enter();
        family.with([]).set(1.0);
        {
            let _inner = inner.enter();
            family.with([]).set(2.0);
        }
        family.with([]).inc();
    }
    family.with([]).set(9.0);
    assert_eq!(testing::value(&outer, "scopes_nested", &[]), Some(2.0));
    assert_eq!(testing::value(&inner, "scopes_nested", &[]), Some(2.0));
    assert_eq!(testing::value(Registry::global(), "scopes_nested", &[]), Some(9.0));
}

/// Two tests may declare different families with one name.
#[test]
fn a_scope_has_its_own_names() {
    for labels in [["a"], ["b"]] {
        let registry = Registry::new();
        let _scope = registry.enter();
        obs_metrics::try_counter("scopes_own_total", "Own.", labels).unwrap().with(["x"]).inc();
        assert_eq!(testing::value(&registry, "scopes_own_total", &[(labels[0], "x")]), Some(1.0));
    }
}

#[test]
fn a_family_of_a_registry_ignores_the_scope() {
    let (own, entered) = (Registry::new(), Registry::new());
    let family = own.counter("calls_total", "Calls.", []);
    let _scope = entered.enter();
    family.with([]).inc();
    assert_eq!(testing::value(&own, "calls_total", &[]), Some(1.0));
    assert_eq!(testing::value(&entered, "calls_total", &[]), None);
}

/// A guard that is dropped removes its own scope, not the innermost one.
#[test]
fn scopes_that_end_out_of_order_leave_the_open_one_in_force() {
    let (first, second, third) = (Registry::new(), Registry::new(), Registry::new());
    let family = obs_metrics::counter("scopes_out_of_order_total", "Scopes.", []);
    let one = first.enter();
    let two = second.enter();
    let three = third.enter();
    drop(one);
    family.inc([]);
    drop(three);
    family.add([], 10);
    drop(two);
    let seen =
        [&first, &second, &third].map(|registry| testing::value(registry, "scopes_out_of_order_total", &[]));
    assert_eq!(seen, [None, Some(10.0), Some(1.0)]);
    assert_eq!(testing::value(Registry::global(), "scopes_out_of_order_total", &[]), None);
}

/// One registry may be entered twice. Each guard ends one scope.
#[test]
fn a_registry_that_was_entered_twice_is_left_twice() {
    let (outer, twice) = (Registry::new(), Registry::new());
    let family = obs_metrics::counter("scopes_entered_twice_total", "Scopes.", []);
    let one = twice.enter();
    let middle = outer.enter();
    let two = twice.enter();
    drop(one);
    family.inc([]);
    drop(two);
    family.add([], 10);
    drop(middle);
    assert_eq!(testing::value(&twice, "scopes_entered_twice_total", &[]), Some(1.0));
    assert_eq!(testing::value(&outer, "scopes_entered_twice_total", &[]), Some(10.0));
}

/// A scope may live in a thread-local of another crate, whose destructor runs while the thread ends.
#[test]
fn scopes_may_be_used_while_a_thread_ends() {
    struct Late(Registry, Option<obs_metrics::Scope>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.1 = None;
            let _again = self.0.enter();
            obs_metrics::counter("scopes_late_total", "Scopes.", []).inc([]);
        }
    }
    thread_local! {
        static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) };
    }
    let registry = Registry::new();
    let entered = registry.clone();
    let thread = std::thread::spawn(move || {
        LATE.with(|late| {
            // The thread-local of the crate comes second, so it is destroyed first on some platforms.
            let scope = entered.enter();
            *late.borrow_mut() = Some(Late(entered, Some(scope)));
        });
    });
    thread.join().unwrap();
}

/// The macros of third-party crates record in the registry that the thread has entered, without a recorder of the process.
#[test]
fn the_macros_of_other_crates_record_in_the_entered_registry() {
    let [outer, inner] = [(); 2].map(|()| Registry::new());
    let add = |n| {
        metrics::counter!("lib_calls", "kind" => "a").increment(n);
        metrics::gauge!("lib_depth").set(n as f64);
        metrics::histogram!("lib_wait_seconds").record(n as f64);
    };
    let calls = |registry: &Registry| testing::value(registry, "lib_calls_total", &[("kind", "a")]);
    add(1); // nobody listens
    let outer_scope = outer.enter();
    add(2);
    let inner_scope = inner.enter();
    add(4);
    // Out of order: the inner one stays in force.
    drop(outer_scope);
    add(8);
    drop(inner_scope);
    add(16);
    assert_eq!((calls(&outer), calls(&inner)), (Some(2.0), Some(12.0)));
    assert_eq!(testing::value(&inner, "lib_depth", &[]), Some(8.0));
    assert_eq!(testing::value(&inner, "lib_wait_seconds_count", &[]), Some(2.0));
    assert_eq!(testing::sum(&inner, "lib_calls_total", &[("kind", "b")]), Ok(0.0));
    let misspelt = testing::sum(&inner, "lib_call_total", &[]).unwrap_err();
    assert_eq!(misspelt.advice(), "did you mean `lib_calls_total`?");
    let label = testing::sum(&inner, "lib_calls_total", &[("knd", "a")]).unwrap_err();
    assert_eq!(label.advice(), "did you mean `kind`?");
}
