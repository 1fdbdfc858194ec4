//! The page read by other parsers: promtool and Python's prometheus_client, if they are installed.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use obs_metrics::{Format, Registry, process, standard};

/// Returns a page with the standard families, each with a plain value and an odd one.
fn page(format: Format) -> String {
    let registry = Registry::new();
    standard::declare_in(&registry);
    process::collect_in(&registry);
    let _scope = registry.enter();
    let odd = "a\\b\"c\nd é \u{1f525} {},= # \u{2028}";
    for value in ["llm.chat", odd] {
        standard::requests_total().with([value, "ok"]).inc();
        standard::observe_request_duration(value, Duration::from_millis(12));
        standard::active_streams().with([value]).set(1.0);
        standard::nodes_online().with([value]).set(2.0);
        standard::event_log_size().with([value]).set(1e18);
        standard::event_log_lamport_head().with([value]).set(7.0);
        standard::emergency_mode().with([value]).set(0.0);
        standard::llm_tokens_generated_total().with([value, "ollama"]).add(17);
        standard::llm_concurrent().with([value]).set(1.0);
        standard::capability_health_success_rate().with([value, "node"]).set(0.995);
        standard::rate_limited_total().with([value, "soft"]).inc();
        standard::signature_failures_total().with([value]).inc();
    }
    standard::blob_storage_bytes().with([]).set(1e9);
    registry
        .histogram("big_bytes", "Bounds of all sizes.", [], &[1e-5, 0.0001, 1.0, 1e5, 1e6, 2.5e7])
        .with([])
        .observe(3.0);
    // OpenMetrics forbids the sums of these.
    let below = registry.histogram("below_zero", "Bounds below zero.", [], &[-1.0, 1.0]);
    below.observe([], -3.0);
    let odd_sums = registry.histogram("odd_sums", "Sums that are no counters.", ["of"], &[1.0]);
    odd_sums.observe(["less"], -3.0);
    odd_sums.observe(["nan"], f64::INFINITY);
    odd_sums.observe(["nan"], f64::NEG_INFINITY);
    odd_sums.observe(["more"], 3.0);
    let debts = registry.summary("debts", "Values below zero.", []);
    debts.with([]).observe(-3.0);
    let counted = |samples: &mut obs_metrics::Samples<1>| {
        samples.push(["less"], -1.0);
        samples.push(["nan"], f64::NAN);
        samples.push(["more"], 1.0);
    };
    registry
        .collect_with(obs_metrics::Kind::Counter, "collected_total", "Collected.", ["of"], counted)
        .unwrap();
    registry.render(format)
}

/// Runs a program. Returns `None` if it is not installed.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let piped = || Stdio::piped();
    let mut child =
        Command::new(program).args(arguments).stdin(piped()).stdout(piped()).stderr(piped()).spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn promtool_only_criticises_the_specified_unit() {
    let Some(output) = run("promtool", &["check", "metrics"], &page(Format::Text)) else {
        println!("skipped: promtool is not installed");
        return;
    };
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let remarks: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let about_ms = |line: &&&str| line.starts_with("hearthnet_request_duration_ms") && line.contains("unit");
    let others: Vec<_> = remarks.iter().filter(|line| !about_ms(line)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert_ne!(output.status.code(), Some(1), "the page cannot be read: {said}");
}

#[test]
fn python_reads_both_text_formats() {
    const SCRIPT: &str = r#"
import sys
try:
    from prometheus_client.parser import text_string_to_metric_families as text
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
except ImportError:
    print("skipped"); sys.exit(0)
page = sys.stdin.buffer.read().decode("utf-8")
families = list((openmetrics if sys.argv[1] == "open" else text)(page))
odd = "a\\b\"c\nd \u00e9 \U0001f525 {},= # \u2028"
requests = [f for f in families if f.name == "hearthnet_requests"][0]
assert requests.type == "counter", requests
assert any(s.labels["capability"] == odd for s in requests.samples), requests
ms = [f for f in families if f.name == "hearthnet_request_duration_ms"][0]
assert ms.type == "summary" and {s.labels.get("quantile") for s in ms.samples} >= {"0.5", "0.99"}
print(len(families))
"#;
    for (argument, format) in [("text", Format::Text), ("open", Format::OpenMetrics)] {
        let Some(output) = run("python3", &["-c", SCRIPT, argument], &page(format)) else {
            println!("skipped: python3 is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        if said.trim() == "skipped" {
            println!("skipped: Python's prometheus_client is not installed");
            return;
        }
        assert!(output.status.success(), "{argument}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.trim().parse::<u32>().unwrap() >= 20);
    }
}
