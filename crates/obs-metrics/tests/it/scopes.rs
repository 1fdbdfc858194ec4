//! M12: registries are instances, and a thread may enter one.

use std::sync::LazyLock;

use obs_metrics::{CounterFamily, Registry, standard};

static SHARED: LazyLock<CounterFamily<1>> =
    LazyLock::new(|| obs_metrics::counter("scopes_shared_total", "Counted by many tests.", ["thread"]));

#[test]
fn pain_07_a_hundred_tests_side_by_side() {
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
                assert_eq!(registry.value("scopes_shared_total", &[("thread", "x")]), Some(expected));
                assert_eq!(registry.value("scopes_shared_total", &[("thread", "y")]), Some(expected));
                assert_eq!(registry.value("hearthnet_requests_total", &[]), Some(expected));
                assert_eq!(registry.value("scopes_free_total", &[]), Some(expected));
                assert!(obs_metrics::render(obs_metrics::Format::Text).contains("scopes_free_total"));
            });
        }
    });
    assert_eq!(
        Registry::global().value("scopes_shared_total", &[]),
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
    assert_eq!(outer.value("scopes_nested", &[]), Some(2.0));
    assert_eq!(inner.value("scopes_nested", &[]), Some(2.0));
    assert_eq!(Registry::global().value("scopes_nested", &[]), Some(9.0));
}

/// Two tests may use one name for different families.
#[test]
fn a_scope_has_its_own_names() {
    for labels in [["a"], ["b"]] {
        let registry = Registry::new();
        let _scope = registry.enter();
        obs_metrics::try_counter("scopes_own_total", "Own.", labels).unwrap().with(["x"]).inc();
        assert_eq!(registry.value("scopes_own_total", &[(labels[0], "x")]), Some(1.0));
    }
}

#[test]
fn a_family_of_an_instance_stays_there() {
    let (own, entered) = (Registry::new(), Registry::new());
    let family = own.counter("calls_total", "Calls.", []);
    let _scope = entered.enter();
    family.with([]).inc();
    assert_eq!(own.value("calls_total", &[]), Some(1.0));
    assert_eq!(entered.value("calls_total", &[]), None);
}
