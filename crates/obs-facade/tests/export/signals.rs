//! Metrics and lines beside traces.

use std::time::{Duration, Instant};

use obs_facade::{ObservabilityConfig, trace};

use crate::collector::{Collector, ONE_REJECTED, TAKEN, status};
use crate::{holds, page, ran_with, until};

/// Returns the number of requests for a path.
fn requests(seen: &Collector, path: &str) -> usize {
    let head = format!("POST {path} HTTP/1.1");
    seen.requests().iter().filter(|request| request.head.starts_with(&head)).count()
}

#[test]
fn metrics_and_lines_are_exported_beside_traces() {
    use obs_facade::{info, metrics, warn};

    let name = "signals::metrics_and_lines_are_exported_beside_traces";
    if ran_with(name, &[("OTEL_METRIC_EXPORT_INTERVAL", "100")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path())
        .log_level("trace")
        .otlp_endpoint(&seen.address)
        .otlp_metrics(true)
        .otlp_logs(true);
    let guard = obs_facade::configure(&config).unwrap();
    let depth = metrics::gauge("test_queue_depth", "Depth.", ["queue"]);
    depth.set(["mail-box"], 3.0);
    let wait = metrics::histogram("test_wait_seconds", "Waits.", ["queue"], &[]).native();
    trace::new_trace("some.call").run(|| {
        wait.observe(["mail-box"], 0.25);
        info!(peers = 3; "the first line of all");
    });
    until(|| holds(&seen, "test_queue_depth") && holds(&seen, "test_wait_seconds"));
    until(|| obs_facade::metric_export_stats().unwrap().exported > 0);
    drop(guard);
    until(|| holds(&seen, "the first line of all") && holds(&seen, "some.call"));
    assert!(holds(&seen, "hearthnet.peers") && holds(&seen, "hearthnet.logger"));
    assert!(
        requests(&seen, "/v1/metrics") > 0
            && requests(&seen, "/v1/logs") > 0
            && requests(&seen, "/v1/traces") > 0
    );
    until(|| page().contains("hearthnet_log_export_failing 0\n"));
    assert!(page().contains("hearthnet_metrics_export_failing 0\n"), "{}", page());

    // A second flush sends what is new, and nothing of the client's own lines at the level `trace`.
    let guard = obs_facade::configure(&config).unwrap();
    warn!("the second line");
    drop(guard);
    until(|| holds(&seen, "the second line"));
    let bodies: Vec<u8> = seen.requests().into_iter().flat_map(|request| request.body).collect();
    let text = String::from_utf8_lossy(&bodies).into_owned();
    assert_eq!(text.matches("the first line of all").count(), 1);
    assert!(!text.contains("ureq_proto") && !text.contains("ureq::"));
}

/// Faults of a collector are counted for each signal, and the delays that it asks for are kept.
#[test]
fn faults_of_a_collector_are_counted_for_each_signal() {
    use std::collections::HashMap;
    use std::io::Write as _;
    use std::sync::Mutex;

    use obs_facade::{OtlpTemporality, info};

    let name = "signals::faults_of_a_collector_are_counted_for_each_signal";
    if ran_with(name, &[("OTEL_METRIC_EXPORT_INTERVAL", "1000")]) {
        return;
    }
    // Requests of each signal so far, and the time of the last one.
    let times = Mutex::new(HashMap::<String, Vec<Instant>>::new());
    let collector = Collector::with_heads(move |_, head, stream| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let mut times = times.lock().unwrap();
        let times = times.entry(path).or_default();
        times.push(Instant::now());
        let mut say = |what: &[u8]| drop(stream.write_all(what));
        match times.len() {
            1 => say(&status("429 Too Many Requests\r\nretry-after: 2")),
            2 => {
                let pause = times[1] - times[0];
                assert!(pause >= Duration::from_millis(1_900), "{pause:?}");
                say(&status("503 Service Unavailable"));
            }
            // Closed without a response.
            3 => {}
            4 => say(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 6\r\n\r\n<html>",
            ),
            5 => say(ONE_REJECTED),
            6 => say(&status("400 Bad Request")),
            _ => say(TAKEN),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path())
        .otlp_endpoint(&collector.address)
        .otlp_metrics(true)
        // Differences are repeated until the collector takes them, as spans and lines are.
        .otlp_temporality(OtlpTemporality::Delta)
        .otlp_logs(true);
    let guard = obs_facade::configure(&config).unwrap();
    let has_come = |number: usize| {
        trace::new_trace("some.call").run(|| info!("some line"));
        let came = |signal: &&str| requests(&collector, &format!("/v1/{signal}")) >= number;
        ["traces", "metrics", "logs"].iter().all(came)
    };
    until(|| has_come(4));
    drop(guard);
    until(|| {
        // A flush does not wait for the interval.
        drop(obs_facade::configure(&config).unwrap());
        has_come(7)
    });
    let sample = |name: &str| {
        let page = page();
        let line = page.lines().find(|line| line.starts_with(&format!("hearthnet_{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    for (signal, items, rejected) in
        [("trace", "traces", "spans"), ("metrics", "families", "points"), ("log", "lines", "lines")]
    {
        until(|| sample(&format!("{signal}_export_failing")) == 0.0);
        assert_eq!(sample(&format!("{signal}_export_retries_total")), 3.0, "{signal}");
        assert_eq!(sample(&format!("{signal}_export_rejected_{rejected}_total")), 1.0, "{signal}");
        let of = |outcome: &str| sample(&format!("{signal}_export_{items}_total{{outcome=\"{outcome}\"}}"));
        assert!(of("failed") > 0.0 && of("exported") > 0.0, "{signal}: {}", page());
        assert_eq!(of("dropped"), 0.0, "{signal}");
    }
}

#[test]
fn a_restart_goes_on_with_the_line_after_the_last_exported_one() {
    use obs_facade::info;

    let name = "signals::a_restart_goes_on_with_the_line_after_the_last_exported_one";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let of_first = Collector::says(TAKEN);
    let of_second = Collector::says(TAKEN);
    let with = |address: &str| ObservabilityConfig::new(folder.path()).otlp_endpoint(address).otlp_logs(true);
    let guard = obs_facade::configure(&with(&of_first.address)).unwrap();
    info!("line for the first");
    drop(guard);
    until(|| holds(&of_first, "line for the first"));
    // Another collector gets an exporter of its own, which reads the stored position as after a restart.
    until(|| obs_facade::log_export_stats().unwrap().sending == 0);
    let off = obs_facade::configure(&ObservabilityConfig::new(folder.path())).unwrap();
    info!("line without an export");
    let guard = obs_facade::configure(&with(&of_second.address)).unwrap();
    info!("line for the second");
    drop((off, guard));
    until(|| holds(&of_second, "line for the second"));
    assert!(holds(&of_second, "line without an export"), "it is caught up on");
    assert!(!holds(&of_second, "line for the first"), "it was exported before");
}

/// Lines that nobody can export any more are counted: those of days that are too old, and those of the files that the log
/// removes when it starts.
#[test]
fn lines_that_were_lost_before_their_export_are_counted() {
    let name = "signals::lines_that_were_lost_before_their_export_are_counted";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let first = chrono::Utc::now() - chrono::TimeDelta::days(20);
    for days in 0..18 {
        let time =
            (first + chrono::TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let line =
            format!("{{\"ts\":\"{time}\",\"level\":\"info\",\"logger\":\"x\",\"msg\":\"of day {days}\"}}\n");
        std::fs::write(folder.path().join(format!("{}.log", &time[..10])), line.repeat(10)).unwrap();
    }
    // An export that began then, and ended at once.
    let position = format!(
        "{{\"since_ms\":{0},\"exported\":\"{1}\",\"reader\":\"\"}}\n",
        first.timestamp_millis() - 1_000,
        (first - chrono::TimeDelta::seconds(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    );
    std::fs::write(folder.path().join(".otlp-position"), position).unwrap();
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&seen.address).otlp_logs(true);
    let guard = obs_facade::configure(&config).unwrap();
    obs_facade::info!("line of today");
    let oldest = folder.path().join(format!("{}.log", first.format("%Y-%m-%d")));
    assert!(!oldest.exists(), "the log has removed it");
    until(|| page().contains("hearthnet_log_export_lines_total{outcome=\"dropped\"} 180\n"));
    drop(guard);
    until(|| holds(&seen, "line of today"));
    assert!(!holds(&seen, "of day 17"));
    assert_eq!(obs_facade::log_export_stats().unwrap().dropped, 180);
}
