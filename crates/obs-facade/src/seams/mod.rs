//! The seams between the crates: each crate has hooks for what it needs, and the facade fills them in.
//!
//! No crate depends on another one, so this module is the only place that knows two of them.

mod blocked;
#[cfg(feature = "tracing")]
pub(crate) mod bridge;
mod declared;
#[cfg(feature = "history")]
pub(crate) mod history;
#[cfg(feature = "http")]
mod own_state;
#[cfg(feature = "history")]
pub(crate) mod problems;
#[cfg(feature = "history")]
pub(crate) mod trace_history;

use std::sync::Once;

use obs_metrics::{Kind, Registry};

pub(crate) use self::blocked::offer as offer_to_blocked_polls;
use self::declared::declared;

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
        blocked::join();
        obs_trace::set_error_redaction(obs_doctor::redact);
        #[cfg(feature = "otlp")]
        show_export_stats();
        #[cfg(feature = "tracing")]
        show_bridge_stats();
        #[cfg(feature = "history")]
        {
            show_history_stats();
            problems::join();
        }
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

/// Shows the counters of the bridge for the `tracing` crate.
#[cfg(feature = "tracing")]
fn show_bridge_stats() {
    let open = "Spans of the tracing crate that have a trace and are open.";
    gauge("hearthnet_tracing_open_spans", open, || obs_tracing::stats().open_spans);
    let dropped = "Spans of the tracing crate dropped because too many were open.";
    counter("hearthnet_tracing_dropped_spans_total", dropped, || obs_tracing::stats().excess_spans);
}

/// Shows the counters of the export of traces. Without an export the families have no samples.
#[cfg(feature = "otlp")]
fn show_export_stats() {
    use crate::otlp::trace_stats as stats;
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
    show_export_of("metrics", "families", "points", crate::otlp::metric_stats);
    show_export_of("log", "lines", "lines", crate::otlp::log_stats);
}

/// Shows the counters of the export of metrics or lines. Without an export the families have no samples.
#[cfg(feature = "otlp")]
fn show_export_of(signal: &str, items: &str, units: &str, stats: fn() -> Option<obs_otlp::Stats>) {
    let name = |what: &str| format!("hearthnet_{signal}_export_{what}");
    let given = format!("The {items} of the {signal} given to the export, by outcome.");
    declared(Registry::global().collect_with(
        Kind::Counter,
        &name(&format!("{items}_total")),
        &given,
        ["outcome"],
        move |samples| {
            if let Some(stats) = stats() {
                samples.push(["exported"], stats.exported as f64);
                samples.push(["failed"], stats.failed as f64);
                samples.push(["dropped"], stats.dropped as f64);
            }
        },
    ));
    let of_export = |kind, what: &str, help: &str, read: fn(obs_otlp::Stats) -> f64| {
        let read = move |samples: &mut obs_metrics::Samples<0>| {
            stats().into_iter().for_each(|stats| samples.push([], read(stats)));
        };
        declared(Registry::global().collect_with(kind, &name(what), help, [], read));
    };
    let rejected = format!("The {units} rejected by the collector in a partial success.");
    of_export(Kind::Counter, &format!("rejected_{units}_total"), &rejected, |stats| {
        stats.rejected_units as f64
    });
    let requests = "Requests sent to the collector.";
    of_export(Kind::Counter, "requests_total", requests, |stats| stats.requests as f64);
    let retries = "Requests sent to the collector again after a failure.";
    of_export(Kind::Counter, "retries_total", retries, |stats| stats.retries as f64);
    let failing = "Whether the last request to the collector failed: 1 or 0.";
    of_export(Kind::Gauge, "failing", failing, |stats| f64::from(u8::from(stats.is_failing)));
}

/// Shows the counters of the history. Without a history the families have no samples.
#[cfg(feature = "history")]
fn show_history_stats() {
    let of_history = |kind, name, help, read: fn(obs_history::Stats) -> f64| {
        let read = move |samples: &mut obs_metrics::Samples<0>| {
            history::stats().into_iter().for_each(|stats| samples.push([], read(stats)));
        };
        declared(Registry::global().collect_with(kind, name, help, [], read));
    };
    let written = "Minutes written to the history.";
    of_history(Kind::Counter, "hearthnet_history_records_written_total", written, |stats| {
        stats.minutes_written as f64
    });
    let lost = "Minutes of the history that were lost because its file could not be written.";
    of_history(Kind::Counter, "hearthnet_history_records_lost_total", lost, |stats| {
        stats.minutes_lost as f64
    });
    let errors = "Failed attempts to write the history.";
    of_history(Kind::Counter, "hearthnet_history_write_errors_total", errors, |stats| {
        stats.write_errors as f64
    });
    let aside = "Damaged files of the history that were moved aside.";
    of_history(Kind::Counter, "hearthnet_history_files_set_aside_total", aside, |stats| {
        stats.files_set_aside as f64
    });
    let bytes = "Bytes of the history's file.";
    of_history(Kind::Gauge, "hearthnet_history_file_bytes", bytes, |stats| stats.file_bytes as f64);
    let failing = "Whether the last attempt to write the history failed: 1 or 0.";
    of_history(Kind::Gauge, "hearthnet_history_failing", failing, |stats| {
        f64::from(u8::from(stats.is_failing))
    });
    show_trace_history_stats();
}

/// Shows the state of the history of traces. Without one the families have no samples.
#[cfg(feature = "history")]
fn show_trace_history_stats() {
    let of_traces = |kind, name, help, read: fn(obs_history::TraceHistoryStats) -> f64| {
        let read = move |samples: &mut obs_metrics::Samples<0>| {
            trace_history::stats().into_iter().for_each(|stats| samples.push([], read(stats)));
        };
        declared(Registry::global().collect_with(kind, name, help, [], read));
    };
    let restored = "Traces of earlier runs that were restored at the start.";
    of_traces(Kind::Gauge, "hearthnet_trace_history_restored", restored, |stats| stats.restored as f64);
    let missed = "Traces that are not in the history, because its file could not be used when they ended.";
    of_traces(Kind::Counter, "hearthnet_trace_history_missed_total", missed, |stats| stats.missed as f64);
    let skipped = "Bytes of traces that newer ones replaced in memory before the disk had them.";
    of_traces(Kind::Counter, "hearthnet_trace_history_skipped_bytes_total", skipped, |stats| {
        stats.skipped_bytes as f64
    });
    let failing = "Whether traces are not recorded, or not written to the disk: 1 or 0.";
    of_traces(Kind::Gauge, "hearthnet_trace_history_failing", failing, |stats| {
        f64::from(u8::from(!stats.is_recording || stats.disk_fails))
    });
}

/// Takes the results of a run of the doctor as problems, or as the end of problems.
#[cfg(all(feature = "http", feature = "history"))]
pub(crate) use self::problems::note_checks;

/// Without a history there are no problems.
#[cfg(all(feature = "http", not(feature = "history")))]
pub(crate) fn note_checks(_: &obs_doctor::Report) {}

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
    doctor_runs().inc();
}

/// Number of the doctor's runs, when a node runs it on a timer.
#[cfg(feature = "http")]
pub(crate) fn doctor_runs() -> obs_metrics::Counter {
    obs_metrics::counter("hearthnet_doctor_runs_total", "Runs of the doctor on its timer.", []).with([])
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
