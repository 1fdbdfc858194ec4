//! Families that count marks.

use std::sync::LazyLock;

use obs_metrics::{CounterFamily, Gauge};

// A look-up by name takes the lock of the registry.
pub(super) fn marks() -> &'static CounterFamily<2> {
    static MARKS: LazyLock<CounterFamily<2>> = LazyLock::new(|| {
        let help = "Marks of traces of which a part failed, by direction and result.";
        obs_metrics::counter("hearthnet_trace_marks_total", help, ["direction", "result"])
    });
    &MARKS
}

pub(super) fn requests() -> &'static CounterFamily<1> {
    static REQUESTS: LazyLock<CounterFamily<1>> = LazyLock::new(|| {
        let help = "Requests that brought marks of traces to a peer, by result.";
        obs_metrics::counter("hearthnet_trace_mark_requests_total", help, ["result"])
    });
    &REQUESTS
}

pub(super) fn waiting() -> Gauge {
    let help = "Marks of traces that wait for a peer.";
    obs_metrics::gauge("hearthnet_trace_marks_waiting", help, []).with([])
}
