//! Exemplars and the source of their trace IDs. Alone in its process, because the source is global.
#![allow(clippy::print_stdout, reason = "a test that skips an oracle says so")]

#[path = "exposition/mod.rs"]
mod exposition;

use std::cell::RefCell;
use std::process::{Command, Stdio};

use exposition::{Family, Labels};
use obs_metrics::{Format, Registry};

thread_local! {
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn source(found: &mut dyn FnMut(&str)) {
    CURRENT.with(|current| {
        if let Some(id) = &*current.borrow() {
            found(id);
        }
    });
}

fn in_trace(id: &str, f: impl FnOnce()) {
    CURRENT.with(|current| *current.borrow_mut() = Some(id.to_owned()));
    f();
    CURRENT.with(|current| *current.borrow_mut() = None);
}

/// Returns the trace ID and the value of a sample's exemplar.
fn exemplar(registry: &Registry, sample: &str, le: Option<&str>) -> Option<(String, f64)> {
    let families = exposition::read(&registry.render(Format::OpenMetrics), Format::OpenMetrics);
    let protobuf = exposition::protobuf::read(&registry.expose(Format::Protobuf));
    assert_eq!(exemplars(&protobuf.families), exemplars(&families), "the same in protobuf");
    let samples = families.iter().flat_map(|family| &family.samples);
    let found = samples.into_iter().find(|found| found.name == sample && found.label("le") == le)?;
    let (labels, value) = found.exemplar.clone()?;
    assert_eq!(labels[0].0, "trace_id");
    Some((labels[0].1.clone(), value))
}

/// Returns the exemplars of all samples, in the order of the page.
fn exemplars(families: &[Family]) -> Vec<(&str, &(Labels, f64))> {
    let samples = families.iter().flat_map(|family| &family.samples);
    samples.filter_map(|sample| Some((&*sample.name, sample.exemplar.as_ref()?))).collect()
}

#[test]
fn exemplars_lead_to_the_trace() {
    obs_metrics::set_trace_id_source(source);
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", [], &[0.1, 1.0]).with([]);
    let calls = registry.counter("calls_total", "Calls.", []).with([]);

    waits.observe(0.05);
    calls.inc();
    assert_eq!(exemplar(&registry, "wait_seconds_bucket", Some("0.1")), None, "no trace, no exemplar");

    in_trace("01HXR3F2M4C9T8Q0Z6V5K7B1AA", || {
        waits.observe(0.07);
        calls.add(2);
    });
    in_trace("01HXR3F2M4C9T8Q0Z6V5K7B1AB", || waits.observe(7.0));
    let id = |last: &str| format!("01HXR3F2M4C9T8Q0Z6V5K7B1A{last}");
    assert_eq!(exemplar(&registry, "wait_seconds_bucket", Some("0.1")), Some((id("A"), 0.07)));
    assert_eq!(exemplar(&registry, "wait_seconds_bucket", Some("1.0")), None);
    assert_eq!(exemplar(&registry, "wait_seconds_bucket", Some("+Inf")), Some((id("B"), 7.0)));
    assert_eq!(exemplar(&registry, "calls_total", None), Some((id("A"), 2.0)));
    assert!(!registry.render(Format::Text).contains("trace_id"), "the text format has no exemplars");

    for odd in ["a\"b\\c\nd", "é", "", &"x".repeat(65)] {
        in_trace(odd, || calls.inc());
    }
    assert_eq!(
        exemplar(&registry, "calls_total", None),
        Some((id("A"), 2.0)),
        "a text that is no ID is ignored"
    );

    for _ in 0..10_000 {
        waits.observe(0.5);
    }
    in_trace("later", || (0..64).for_each(|_| waits.observe(0.6)));
    assert_eq!(
        exemplar(&registry, "wait_seconds_bucket", Some("1.0")),
        Some(("later".into(), 0.6)),
        "a busy bucket gets exemplars too"
    );

    python_reads(&registry.render(Format::OpenMetrics));

    the_last_source_wins_and_its_panic_is_no_id(&registry);
}

fn the_last_source_wins_and_its_panic_is_no_id(registry: &Registry) {
    obs_metrics::set_trace_id_source(|callback| {
        callback("before-the-panic");
        panic!("on purpose");
    });
    let jobs = registry.counter("jobs_total", "Jobs.", []).with([]);
    in_trace("of-the-first-source", || jobs.inc());
    assert_eq!(jobs.value(), 1, "the record itself is kept");
    assert_eq!(exemplar(registry, "jobs_total", None), None);

    obs_metrics::set_trace_id_source(|callback| callback("of-the-last-source"));
    jobs.inc();
    assert_eq!(exemplar(registry, "jobs_total", None), Some(("of-the-last-source".into(), 1.0)));
}

fn python_reads(page: &str) {
    const SCRIPT: &str = r#"
import sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
except ImportError:
    print("skipped: Python's prometheus_client is not installed"); sys.exit(0)
families = list(parse(sys.stdin.buffer.read().decode("utf-8")))
ids = {s.exemplar.labels["trace_id"] for f in families for s in f.samples if s.exemplar}
assert "later" in ids and all(s.exemplar.timestamp for f in families for s in f.samples if s.exemplar), ids
"#;
    let python =
        Command::new("python3").args(["-c", SCRIPT]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        println!("skipped: python3 is not installed");
        return;
    };
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
