//! The functions of `obs-metrics`, as a program calls them.

use obs_metrics::{self as ours, ErrorKind, Format as Wire, Registry, testing};

use super::parse;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::exposition::{Format, Page};

/// Returns the page of a registry in both formats. Fails when one is not well-formed.
fn pages(registry: &Registry) -> Outcome<[Page; 2]> {
    let text = parse(&registry.render(Wire::Text), Format::Text)?;
    Ok([text, parse(&registry.render(Wire::OpenMetrics), Format::OpenMetrics)?])
}

/// Equal declarations return one family. A conflicting declaration and an invalid name or label are typed errors; the
/// infallible form then returns a handle without effect.
pub(super) fn declarations(_lab: &Lab) -> Outcome {
    let registry = Registry::new();
    let jobs = registry.try_counter("jobs_total", "Jobs.", ["queue"])?;
    jobs.with(["mail"]).inc();
    registry.try_counter("jobs_total", "Jobs.", ["queue"])?.with(["mail"]).inc();
    equal("two handles of one family", testing::value(&registry, "jobs_total", &[]), Some(2.0))?;

    let refused: [(&str, Result<(), ours::Error>); 9] = [
        ("another kind", registry.try_gauge("jobs_total", "Jobs.", ["queue"]).map(drop)),
        ("another label", registry.try_counter("jobs_total", "Jobs.", ["tube"]).map(drop)),
        ("more labels", registry.try_counter("jobs_total", "Jobs.", ["queue", "tube"]).map(drop)),
        ("a label twice", registry.try_counter("twice_total", "Twice.", ["a", "a"]).map(drop)),
        ("a reserved label", registry.try_counter("reserved_total", "Reserved.", ["__name__"]).map(drop)),
        ("le on a histogram", registry.try_histogram("h", "H.", ["le"], &[1.0]).map(drop)),
        ("no name", registry.try_counter("", "None.", []).map(drop)),
        ("an ill-formed name", registry.try_counter("1 job", "One.", []).map(drop)),
        ("unsorted buckets", registry.try_histogram("u", "U.", [], &[2.0, 1.0]).map(drop)),
    ];
    for (what, result) in refused {
        let Err(err) = result else { return Err(failed(format!("an error for {what}"), "none")) };
        let _kind: ErrorKind = err.kind();
        ensure(!err.to_string().is_empty(), "a message", what)?;
    }
    let nothing = registry.gauge("jobs_total", "Jobs.", ["queue"]).with(["mail"]);
    nothing.set(7.0);
    equal("the family after a refused declaration", testing::value(&registry, "jobs_total", &[]), Some(2.0))?;
    pages(&registry).map(drop)
}

/// Dropping a lease removes its series. A held handle stays effective.
pub(super) fn series_end(_lab: &Lab) -> Outcome {
    let registry = Registry::new();
    let open = registry.gauge("open", "Open.", ["peer"]);
    let counted = registry.counter("seen_total", "Seen.", ["peer"]);
    let handle = counted.with(["a"]);
    handle.inc();
    let lease = open.with(["a"]).lease();
    equal("while the lease is held", testing::value(&registry, "open", &[("peer", "a")]), Some(1.0))?;
    drop(lease);
    for page in pages(&registry)? {
        let left =
            page.series().filter(|series| series.name == "open").map(|series| series.value).sum::<f64>();
        equal("after the lease", left, 0.0)?;
    }
    ensure(counted.remove(["a"]), "a series to remove", "none")?;
    equal("after the removal", testing::value(&registry, "seen_total", &[("peer", "a")]), None)?;
    handle.inc();
    ensure(
        testing::value(&registry, "seen_total", &[("peer", "a")]) >= Some(1.0),
        "the handle's next write shows",
        testing::value(&registry, "seen_total", &[]),
    )
}

/// A hundred registries with the same family run at once, and no count appears in another registry.
pub(super) fn registries_apart(_lab: &Lab) -> Outcome {
    let count = |number: u64| {
        let registry = Registry::new();
        let _scope = registry.enter();
        for _ in 0..100 {
            ours::standard::requests_total().with(["llm.chat", "ok"]).add(number);
        }
        testing::value(&registry, "hearthnet_requests_total", &[])
    };
    let found: Vec<_> = std::thread::scope(|threads| {
        let counts: Vec<_> = (0..100).map(|number| threads.spawn(move || count(number))).collect();
        counts.into_iter().map(|count| count.join().ok().flatten()).collect()
    });
    equal(
        "what each registry counted",
        found,
        (0..100).map(|number| Some(f64::from(number) * 100.0)).collect::<Vec<_>>(),
    )
}

/// Records of the `metrics` macros appear on the same page in both formats. A declared name is refused to the macros, and the
/// declared family keeps its value.
pub(super) fn third_party(_lab: &Lab) -> Outcome {
    ours::configure(&ours::Config::default())?;
    let declared = ours::counter("conformance_declared_total", "Declared.", ["kind"]).with(["ours"]);
    declared.inc();
    metrics::counter!("conformance_foreign_total", "peer" => "a\"\\\n").increment(3);
    metrics::gauge!("conformance_foreign_depth").set(1.5);
    metrics::histogram!("conformance_foreign_seconds").record(0.25);
    metrics::counter!("conformance_declared_total").increment(100);

    let text = parse(&ours::render(Wire::Text), Format::Text)?;
    let open = parse(&ours::render(Wire::OpenMetrics), Format::OpenMetrics)?;
    for page in [&text, &open] {
        let sum = |name: &str| page.sum(name, &[]);
        equal("the foreign counter", page.sum("conformance_foreign_total", &[("peer", "a\"\\\n")]), 3.0)?;
        equal("the foreign gauge", sum("conformance_foreign_depth"), 1.5)?;
        equal("observations of the foreign histogram", sum("conformance_foreign_seconds_count"), 1.0)?;
        equal("the declared counter", sum("conformance_declared_total"), 1.0)?;
    }
    Ok(())
}
