//! The joints between the crates: each crate has a hook of its own, and the facade connects the hooks.
//!
//! No crate depends on another one, so this module is the only place that knows two of them.

#[cfg(feature = "http")]
mod own_state;

use std::sync::Once;

use obs_metrics::{Kind, Registry};

static JOINED: Once = Once::new();

/// Joins the crates. Only the first call of a process has an effect, apart from the families of the tokio runtime.
pub(crate) fn join() {
    // A second join would find the families declared and warn about it.
    JOINED.call_once(|| {
        #[cfg(feature = "http")]
        own_state::begin();
        join_trace_ids();
        show_log_stats();
        show_trace_stats();
        #[cfg(feature = "otlp")]
        show_export_stats();
    });
    // Outside of the `Once`: the first call may come before a runtime exists.
    show_runtime();
}

/// Adds the state of the log and of the export of traces to what a node knows, for the doctor. Changes nothing before
/// [`join`], when there is neither.
#[cfg(feature = "http")]
pub(crate) fn complete_own_state(state: obs_doctor::Observability) -> obs_doctor::Observability {
    if JOINED.is_completed() { own_state::complete(state) } else { state }
}

/// Puts the current trace's ID into lines and exemplars.
fn join_trace_ids() {
    obs_log::set_trace_id_source(obs_trace::with_current_id);
    obs_metrics::set_trace_id_source(obs_trace::with_current_id);
}

/// Shows the log's own counters.
fn show_log_stats() {
    let lines = "Log lines written to a day file.";
    counter("hearthnet_log_lines_written_total", lines, || obs_log::stats().written);
    by_level("hearthnet_log_lines_dropped_total", "Log lines dropped, by level.", || {
        obs_log::stats().dropped_by_level
    });
    let suppressed = "Log lines suppressed by a rate limit.";
    counter("hearthnet_log_lines_suppressed_total", suppressed, || obs_log::stats().suppressed);
    counter("hearthnet_log_written_bytes_total", "Bytes of log lines written to day files.", || {
        obs_log::stats().bytes
    });
    let errors = "Failed attempts to open or write a day file.";
    counter("hearthnet_log_write_errors_total", errors, || obs_log::stats().write_errors);
    let recovered = "Log lines of killed processes that were recovered into day files.";
    counter("hearthnet_log_lines_recovered_total", recovered, || obs_log::stats().recovered);
    let torn = "Log lines that a kill left incomplete.";
    counter("hearthnet_log_lines_torn_total", torn, || obs_log::stats().torn);
    let safe = "Whether log lines survive a SIGKILL of this process: 1 or 0.";
    gauge("hearthnet_log_crash_safe", safe, || usize::from(obs_log::stats().crash_safe));
    let unlocked = "Whether log files are written without a lock because the file system has none: 1 or 0.";
    gauge("hearthnet_log_unlocked", unlocked, || usize::from(obs_log::stats().unlocked));
}

/// Shows tracing's own counters.
fn show_trace_stats() {
    let ended = "Traces that have ended, by outcome.";
    declared(Registry::global().collect_with(
        Kind::Counter,
        "hearthnet_traces_completed_total",
        ended,
        ["outcome"],
        |samples| {
            let stats = obs_trace::stats();
            let ok = stats.completed - stats.failed - stats.cancelled - stats.panicked;
            let outcomes = [
                ("ok", ok),
                ("failed", stats.failed),
                ("cancelled", stats.cancelled),
                ("panic", stats.panicked),
            ];
            for (outcome, traces) in outcomes {
                samples.push([outcome], traces as f64);
            }
        },
    ));
    gauge("hearthnet_traces_active", "Traces that have begun and not ended.", || obs_trace::stats().active);
    let bytes = "Bytes of the traces in the ring.";
    gauge("hearthnet_trace_ring_bytes", bytes, || obs_trace::stats().ring_bytes);
    let spans = "Spans dropped.";
    counter("hearthnet_trace_dropped_spans_total", spans, || obs_trace::stats().dropped_spans);
    let fields = "Span fields dropped.";
    counter("hearthnet_trace_dropped_fields_total", fields, || obs_trace::stats().dropped_fields);
}

/// Shows the counters of the export of traces. Without an export the families have no samples.
#[cfg(feature = "otlp")]
fn show_export_stats() {
    use crate::otlp::stats;
    let traces = "Traces given to the export, by outcome.";
    declared(Registry::global().collect_with(
        Kind::Counter,
        "hearthnet_trace_export_traces_total",
        traces,
        ["outcome"],
        |samples| {
            if let Some(stats) = stats() {
                samples.push(["exported"], stats.exported as f64);
                samples.push(["failed"], stats.failed as f64);
                samples.push(["dropped"], stats.dropped as f64);
                samples.push(["unsampled"], stats.unsampled as f64);
            }
        },
    ));
    let of_export = |kind, name, help, read: fn(obs_trace::otlp::Stats) -> f64| {
        let read = move |samples: &mut obs_metrics::Samples<0>| {
            stats().into_iter().for_each(|stats| samples.push([], read(stats)));
        };
        declared(Registry::global().collect_with(kind, name, help, [], read));
    };
    let spans = "Spans accepted by the collector.";
    of_export(Kind::Counter, "hearthnet_trace_export_spans_total", spans, |stats| {
        stats.exported_spans as f64
    });
    let rejected = "Spans rejected by the collector in a partial success.";
    of_export(Kind::Counter, "hearthnet_trace_export_rejected_spans_total", rejected, |stats| {
        stats.rejected_spans as f64
    });
    let requests = "Requests sent to the collector.";
    of_export(Kind::Counter, "hearthnet_trace_export_requests_total", requests, |stats| {
        stats.requests as f64
    });
    let retries = "Requests sent to the collector again after a failure.";
    of_export(Kind::Counter, "hearthnet_trace_export_retries_total", retries, |stats| stats.retries as f64);
    let queue = "Traces waiting to be exported or being sent.";
    of_export(Kind::Gauge, "hearthnet_trace_export_queue_traces", queue, |stats| {
        (stats.waiting + stats.sending) as f64
    });
    let bytes = "Bytes of the traces waiting to be exported.";
    of_export(Kind::Gauge, "hearthnet_trace_export_queue_bytes", bytes, |stats| stats.waiting_bytes as f64);
    let failing = "Whether the last request to the collector failed: 1 or 0.";
    of_export(Kind::Gauge, "hearthnet_trace_export_failing", failing, |stats| {
        f64::from(u8::from(stats.is_failing))
    });
}

/// Shows the results of the doctor's latest run, when a node runs it on a timer.
#[cfg(feature = "http")]
pub(crate) fn show_doctor(report: &obs_doctor::Report) {
    let ok = "Whether the check did not fail in the latest run: 1 or 0.";
    let ok = obs_metrics::gauge("hearthnet_doctor_check_ok", ok, ["check"]);
    let duration = "Duration of the check in the latest run, in seconds.";
    let duration = obs_metrics::gauge("hearthnet_doctor_check_duration_seconds", duration, ["check"]);
    let skipped = "Whether the check was skipped in the latest run: 1 or 0. A skipped check has not failed.";
    let skipped = obs_metrics::gauge("hearthnet_doctor_check_skipped", skipped, ["check"]);
    for result in &report.results {
        skipped.with([&result.name]).set(f64::from(u8::from(result.status == obs_doctor::Status::Skip)));
        ok.with([&result.name]).set(f64::from(u8::from(result.ok)));
        duration.with([&result.name]).set(result.duration.as_secs_f64());
    }
    obs_metrics::counter("hearthnet_doctor_runs_total", "Runs of the doctor on its timer.", [])
        .with([])
        .inc();
}

/// Shows the families of the tokio runtime that calls this, if there is one.
fn show_runtime() {
    #[cfg(feature = "http")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        declared(obs_metrics::runtime::collect_in(Registry::global(), &runtime));
    }
}

fn counter(name: &str, help: &str, read: impl Fn() -> u64 + Send + Sync + 'static) {
    let read = move |samples: &mut obs_metrics::Samples<0>| samples.push([], read() as f64);
    declared(Registry::global().collect_with(Kind::Counter, name, help, [], read));
}

fn gauge(name: &str, help: &str, read: impl Fn() -> usize + Send + Sync + 'static) {
    let read = move |samples: &mut obs_metrics::Samples<0>| samples.push([], read() as f64);
    declared(Registry::global().collect_with(Kind::Gauge, name, help, [], read));
}

fn by_level(name: &str, help: &str, read: impl Fn() -> [u64; 5] + Send + Sync + 'static) {
    let read = move |samples: &mut obs_metrics::Samples<1>| {
        for (level, lines) in ["error", "warning", "info", "debug", "trace"].iter().zip(read()) {
            samples.push([level], lines as f64);
        }
    };
    declared(Registry::global().collect_with(Kind::Counter, name, help, ["level"], read));
}

/// Logs that a family is missing. A user's own family may have taken its name first.
fn declared(result: Result<(), obs_metrics::Error>) {
    if let Err(error) = result {
        obs_log::warn!("an internal metric family is missing from the page: {error}");
    }
}
