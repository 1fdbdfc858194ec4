//! The `metrics` crate with its Prometheus exporter as the recorder, by its macros, which look their metric up at each use.
//! "Held" is a macro with a constant name and constant labels.

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::PrometheusHandle;

use super::Peer;
use super::metrics_held::{Held, install};
use super::record::{Op, Run};

pub(super) struct Macro;

impl Peer for Macro {
    fn page() -> String {
        Held::page()
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        thread_local! {
            static PAGE: PrometheusHandle = install();
        }
        let page = PAGE.with(PrometheusHandle::clone);
        let time = match op {
            Op::Counter => run.plain(|| counter!("calls_total", "result" => "ok").increment(1)),
            Op::CounterBy => run.pair(|[capability, result]| {
                counter!("calls_total", "capability" => capability, "result" => result).increment(1);
            }),
            Op::Gauge => run.number(|value| gauge!("depth", "result" => "ok").set(value)),
            Op::GaugeBy => run.pair_and_number(|[capability, result], value| {
                gauge!("depth", "capability" => capability, "result" => result).set(value);
            }),
            Op::Histogram => run.number(|value| histogram!("seconds", "result" => "ok").record(value)),
            Op::HistogramBy => run.pair_and_number(|[capability, result], value| {
                histogram!("seconds", "capability" => capability, "result" => result).record(value);
            }),
        };
        // Histograms keep observations until a render.
        page.run_upkeep();
        time
    }

    /// Measures without a recorder.
    fn off(op: Op, run: &Run) -> Option<f64> {
        if op == Op::Counter {
            return run.plain(|| counter!("calls_total", "result" => "ok").increment(1));
        }
        run.pair(|[capability, result]| {
            counter!("calls_total", "capability" => capability, "result" => result).increment(1);
        })
    }
}
