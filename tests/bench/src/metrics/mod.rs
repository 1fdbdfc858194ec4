//! Metrics: counting, setting, observing, and the page that a scraper reads.

mod atomics;
mod encode;
mod limits_page;
mod measured;
mod metrics_held;
mod metrics_macro;
mod native;
mod opentelemetry;
mod ours;
mod page;
mod per_thread;
mod prometheus;
mod prometheus_client;
mod record;
mod striped;

use self::encode::Encoder;
use self::record::{Op, Run};
use crate::harness::{Area, Bound, Column, Contender, Judged, Plot, Table, Target, Unit, threads};

/// A metrics library, or a limit.
trait Peer {
    /// Counts twice, sets to 2.5, observes 0.03 and 0.7, with the labels of [`record::PAIRS`]' first pair if the library has
    /// labels. Returns the page.
    fn page() -> String;

    /// Lines that [`page`](Self::page) must show.
    const SHOWS: &[Op] = &[Op::Counter, Op::Gauge, Op::Histogram];

    /// Measures the nanoseconds of an operation. Returns `None` when the contender does not have it.
    fn record(op: Op, run: &Run) -> Option<f64>;

    /// Measures the nanoseconds of counting while metrics are off: with a handle, and by labels.
    fn off(_op: Op, _run: &Run) -> Option<f64> {
        None
    }

    /// Prepares `series` series of a counter with two labels for writing.
    fn encoder(_series: usize) -> Option<Encoder> {
        None
    }
}

const OURS: &str = "obs-metrics";
const ATOMIC: &str = "atomic";
const MEASURED: &str = "measured";

pub(crate) fn area() -> Area {
    let contenders = vec![
        contender::<atomics::Atomics>(ATOMIC, "limit: atomics of one cell"),
        contender::<striped::Striped>("striped", "limit: striped fetch_add"),
        contender::<per_thread::PerThread>("per-thread", "limit: per-thread slot, load + store"),
        contender::<limits_page::Cached>("cached", "limit: prefix cached, buffer reused"),
        contender::<limits_page::Escaped>("escaped", "limit: labels escaped each time"),
        contender::<ours::Ours>(OURS, "obs-metrics"),
        contender::<native::Native>("native", "obs-metrics, native too"),
        contender::<measured::Measured>(MEASURED, "measured"),
        contender::<prometheus_client::PrometheusClient>("prometheus-client", "prometheus-client"),
        contender::<prometheus::Prometheus>("prometheus", "prometheus"),
        contender::<metrics_held::Held>("metrics-held", "metrics + exporter, held"),
        contender::<metrics_macro::Macro>("metrics-macro", "metrics + exporter, macro"),
        contender::<opentelemetry::OpenTelemetry>("opentelemetry", "opentelemetry SDK"),
    ];
    let mut tasks = vec!["record".to_owned(), "off".to_owned()];
    tasks.extend(encode::SIZES.map(|size| format!("encode-{size}")));
    Area {
        name: "metrics",
        title: "Metrics",
        contenders,
        tasks,
        tables: tables(),
        plots: plots(),
        targets: targets(),
    }
}

fn contender<P: Peer>(name: &'static str, label: &'static str) -> Contender {
    Contender { name, label, check: page::check::<P>, measure: record::task::<P> }
}

fn tables() -> Vec<Table> {
    let by_threads = |title, op: Op, base| Table {
        title,
        unit: Unit::Nanoseconds,
        columns: Column::threads(op.key()),
        base: Some(base),
    };
    let by_size = |title, unit, key: &str| {
        let column = |size| Column::new(format!("{key}-{size}"), format!("{size} series"));
        Table { title, unit, columns: encode::SIZES.map(column).into(), base: Some(MEASURED) }
    };
    vec![
        by_threads("Counter held", Op::Counter, ATOMIC),
        by_threads("Counter by two labels", Op::CounterBy, OURS),
        by_threads("Gauge held", Op::Gauge, ATOMIC),
        by_threads("Gauge by two labels", Op::GaugeBy, OURS),
        by_threads("Histogram held, 11 buckets", Op::Histogram, ATOMIC),
        by_threads("Histogram by two labels, 11 buckets", Op::HistogramBy, OURS),
        Table {
            title: "Off",
            unit: Unit::Nanoseconds,
            columns: vec![Column::new("off-held", "held"), Column::new("off-by", "by labels")],
            base: None,
        },
        by_size("Text, two-label counters", Unit::Microseconds, "text"),
        by_size("Text, two-label counters", Unit::Megabytes, "text-rate"),
        by_size("OpenMetrics, two-label counters", Unit::Microseconds, "open"),
        by_size("OpenMetrics, two-label counters", Unit::Megabytes, "open-rate"),
    ]
}

fn plots() -> Vec<Plot> {
    vec![Plot {
        name: "bench-metrics",
        title: "A counter by two labels",
        unit: Unit::Nanoseconds,
        columns: Column::threads(Op::CounterBy.key()),
    }]
}

fn targets() -> Vec<Target> {
    const PEERS: &[&str] =
        &[MEASURED, "prometheus-client", "prometheus", "metrics-held", "metrics-macro", "opentelemetry"];
    let record = |what: &str, op: Op, count, factor, others| {
        let what = format!("{what}, {}", threads::in_words(count));
        let column = format!("{}-{count}", op.key());
        Target::new(what, Judged::time_on(count), OURS, column, Bound::AtMost(factor), others)
    };
    let off =
        |what, column, nanos| Target::new(what, Judged::Minimum, OURS, column, Bound::AtMost(nanos), &[]);
    let encode = |format: &str, size| {
        let what = format!("{format} of {size} series");
        let key = format!("{format}-{size}");
        let target = Target::new(what, Judged::Minimum, OURS, key, Bound::AtMost(0.45), &[MEASURED]);
        // The contender's only format.
        Target { other_column: format!("text-{size}"), ..target }
    };
    let mut targets = vec![
        record("counter held", Op::Counter, 1, 1.1, &[ATOMIC]),
        record("counter held", Op::Counter, 2, 0.5, PEERS),
        record("counter by labels", Op::CounterBy, 1, 0.7, PEERS),
        record("counter by labels", Op::CounterBy, 2, 0.4, PEERS),
        record("gauge held", Op::Gauge, 1, 1.2, &[ATOMIC]),
        record("gauge held", Op::Gauge, 2, 1.2, &[ATOMIC]),
        record("histogram held", Op::Histogram, 1, 0.85, PEERS),
        record("histogram held", Op::Histogram, 2, 0.6, PEERS),
        off("off, held, ns", "off-held", 0.5),
        off("off, by labels, ns", "off-by", 1.5),
    ];
    targets.extend(encode::SIZES.map(|size| encode("text", size)));
    targets.extend(encode::SIZES.map(|size| encode("open", size)));
    targets
}
