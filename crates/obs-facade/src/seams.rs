//! Where the four crates meet: each asks through a hook of its own, and here the hooks are filled in.

use std::sync::Once;

use obs_metrics::{Kind, Registry};

/// Joins the crates; the first call does it.
pub(crate) fn join() {
    static JOINED: Once = Once::new();
    JOINED.call_once(|| {
        join_trace_ids();
        show_log_stats();
        show_trace_stats();
        #[cfg(feature = "otlp")]
        show_export_stats();
    });
    show_runtime();
}

/// Lines and exemplars carry the current trace's ID (T9).
fn join_trace_ids() {
    if !obs_log::set_trace_id_source(obs_trace::with_current_id) {
        obs_log::warn!("log lines take their trace ID from another source, set before");
    }
    obs_metrics::set_trace_id_source(obs_trace::with_current_id);
}

/// What the log says of itself (L13, M9).
fn show_log_stats() {
    let lines = "Log lines that are in a day file.";
    counter("hearthnet_log_lines_written_total", lines, || obs_log::stats().written);
    by_level("hearthnet_log_lines_dropped_total", "Log lines given up, by level.", || {
        obs_log::stats().dropped_by_level
    });
    let suppressed = "Log lines that the rate limit held back.";
    counter("hearthnet_log_lines_suppressed_total", suppressed, || obs_log::stats().suppressed);
    counter("hearthnet_log_written_bytes_total", "Bytes of log lines in day files.", || {
        obs_log::stats().bytes
    });
    let errors = "Attempts to write or open a day file that failed.";
    counter("hearthnet_log_write_errors_total", errors, || obs_log::stats().write_errors);
    let recovered =
        "Log lines of earlier processes that a kill had kept out of the day files and that are there now.";
    counter("hearthnet_log_lines_recovered_total", recovered, || obs_log::stats().recovered);
    let torn = "Log lines of which a kill left only a part.";
    counter("hearthnet_log_lines_torn_total", torn, || obs_log::stats().torn);
    let safe = "Whether log lines survive a SIGKILL of this process: 1 or 0.";
    gauge("hearthnet_log_crash_safe", safe, || usize::from(obs_log::stats().crash_safe));
    let unlocked = "Whether log lines are written without a lock because the file system has none: 1 or 0.";
    gauge("hearthnet_log_unlocked", unlocked, || usize::from(obs_log::stats().unlocked));
}

/// What tracing says of itself (M9).
fn show_trace_stats() {
    let ended = "Traces that have ended, by how.";
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
    let bytes = "Bytes that the traces in the ring take.";
    gauge("hearthnet_trace_ring_bytes", bytes, || obs_trace::stats().ring_bytes);
    let spans = "Spans that were not kept.";
    counter("hearthnet_trace_dropped_spans_total", spans, || obs_trace::stats().dropped_spans);
    let fields = "Span fields that were not kept.";
    counter("hearthnet_trace_dropped_fields_total", fields, || obs_trace::stats().dropped_fields);
}

/// What the export of traces says of itself (T8, M9); nothing while there is none.
#[cfg(feature = "otlp")]
fn show_export_stats() {
    use crate::otlp::stats;
    let traces = "Traces that were to be exported, by what became of them.";
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
    let spans = "Spans that the collector has taken.";
    of_export(Kind::Counter, "hearthnet_trace_export_spans_total", spans, |stats| {
        stats.exported_spans as f64
    });
    let rejected = "Spans that the collector has taken and said that it has not kept.";
    of_export(Kind::Counter, "hearthnet_trace_export_rejected_spans_total", rejected, |stats| {
        stats.rejected_spans as f64
    });
    let requests = "Requests that were made to the collector.";
    of_export(Kind::Counter, "hearthnet_trace_export_requests_total", requests, |stats| {
        stats.requests as f64
    });
    let retries = "Requests that were made to the collector again.";
    of_export(Kind::Counter, "hearthnet_trace_export_retries_total", retries, |stats| stats.retries as f64);
    let queue = "Traces that wait to be exported, those that are being sent included.";
    of_export(Kind::Gauge, "hearthnet_trace_export_queue_traces", queue, |stats| {
        (stats.waiting + stats.sending) as f64
    });
    let bytes = "Bytes that the traces take that wait to be exported.";
    of_export(Kind::Gauge, "hearthnet_trace_export_queue_bytes", bytes, |stats| stats.waiting_bytes as f64);
    let failing = "Whether the last request to the collector failed: 1 or 0.";
    of_export(Kind::Gauge, "hearthnet_trace_export_failing", failing, |stats| {
        f64::from(u8::from(stats.is_failing))
    });
}

/// What the doctor saw last, when a node asks it on a timer.
#[cfg(feature = "http")]
pub(crate) fn show_doctor(report: &obs_doctor::Report) {
    let ok = "Whether the check did not fail when the doctor last looked: 1 or 0.";
    let ok = obs_metrics::gauge("hearthnet_doctor_check_ok", ok, ["check"]);
    let duration = "How long the check took when the doctor last looked, in seconds.";
    let duration = obs_metrics::gauge("hearthnet_doctor_check_duration_seconds", duration, ["check"]);
    for result in &report.results {
        ok.with([&result.name]).set(f64::from(u8::from(result.ok)));
        duration.with([&result.name]).set(result.duration.as_secs_f64());
    }
    obs_metrics::counter("hearthnet_doctor_runs_total", "Times that the doctor looked on its timer.", [])
        .with([])
        .inc();
}

/// The runtime that set observability up, if one did (M9).
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

/// A name that a user's own family has taken is theirs; that ours is missing is said once.
fn declared(result: Result<(), obs_metrics::Error>) {
    if let Err(error) = result {
        obs_log::warn!("a family of the observability itself is missing from the page: {error}");
    }
}
