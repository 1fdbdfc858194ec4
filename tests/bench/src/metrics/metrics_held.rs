//! The `metrics` crate with its Prometheus exporter as the recorder, handles held.

use metrics::{Counter, counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::Peer;
use super::encode::{Encoder, labels, value};
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct Held;

impl Peer for Held {
    fn page() -> String {
        let page = install();
        let [capability, result] = PAIRS[0];
        counter!("calls_total", "capability" => capability, "result" => result).increment(2);
        gauge!("depth", "capability" => capability, "result" => result).set(2.5);
        let seconds = histogram!("seconds", "capability" => capability, "result" => result);
        seconds.record(0.03);
        seconds.record(0.7);
        page.render()
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        thread_local! {
            static PAGE: PrometheusHandle = install();
        }
        let page = PAGE.with(PrometheusHandle::clone);
        let time = match op {
            Op::Counter => {
                let counter = counter!("calls_total", "result" => "ok");
                run.plain(|| counter.increment(1))
            }
            Op::Gauge => {
                let gauge = gauge!("depth", "result" => "ok");
                run.number(|value| gauge.set(value))
            }
            Op::Histogram => {
                let histogram = histogram!("seconds", "result" => "ok");
                run.number(|value| histogram.record(value))
            }
            _ => None,
        };
        // Histograms keep observations until a render.
        page.run_upkeep();
        time
    }

    /// Measures without a recorder.
    fn off(op: Op, run: &Run) -> Option<f64> {
        let counter: Counter = counter!("calls_total", "result" => "ok");
        (op == Op::Counter).then(|| run.plain(|| counter.increment(1)))?
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let page = install();
        for (at, [capability, node]) in labels(series).enumerate() {
            counter!("calls_total", "capability" => capability, "node" => node).increment(value(at));
        }
        Some(Encoder { text: Some(Box::new(move || page.render().len())), open_metrics: None })
    }
}

pub(super) fn install() -> PrometheusHandle {
    PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .expect("the first recorder of this process")
}
