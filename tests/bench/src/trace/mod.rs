//! Tracing: a root with some child spans, kept where it can be read.

mod clock_limit;
mod fastrace_local;
mod fastrace_parents;
mod fastrace_sink;
mod ids;
mod measure;
mod opentelemetry;
mod otel_sink;
mod ours;
mod ours_exporting;
mod ours_recording;
mod store_layer;
mod tracing_bridge;
mod tracing_fastrace;
mod tracing_opentelemetry;
mod tracing_spans;
mod tracing_store;
mod ulid;

use self::ids::Ids;
use crate::harness::{Area, Bound, Column, Contender, Judged, Plot, Table, Target, Unit, threads};

/// A tracer, set up for the whole process.
trait Peer: Sync + Sized {
    fn start() -> Self;

    /// Makes a trace called `root` with `spans` spans called `step`, one after another.
    fn trace(&self, spans: usize);

    /// Waits until the traces that have ended can be read.
    fn settle(&self) {}

    /// Number of traces that could be read so far, including evicted ones.
    fn kept(&self) -> u64;

    /// Returns the names of all spans of the last trace, including the root.
    fn last(&self) -> Vec<String>;

    /// Number of traces with `spans` spans that the contender can queue before it has to settle.
    fn batch(spans: usize) -> usize {
        if spans < 50 { 1_000 } else { 500 }
    }

    /// Opens a span without a trace.
    fn without_trace() -> Option<f64> {
        None
    }

    fn ids() -> Option<Ids> {
        None
    }
}

/// Numbers of child spans.
const SPANS: [usize; 4] = [0, 1, 10, 100];

const OURS: &str = "obs-trace";
const EXPORTING: &str = "obs-trace-exporting";
const RECORDING: &str = "obs-trace-recording";
const FASTRACE: &str = "fastrace";
const BRIDGE: &str = "obs-tracing";

pub(crate) fn area() -> Area {
    let contenders = vec![
        contender::<clock_limit::Tsc>("tsc", "limit: two TSC reads + 64 bytes"),
        contender::<clock_limit::Vdso>("instant", "limit: two Instant::now() + 64 bytes"),
        contender::<ours::Ours>(OURS, "obs-trace"),
        contender::<ours_exporting::OursExporting>(EXPORTING, "obs-trace, its collector down"),
        contender::<ours_recording::OursRecording>(RECORDING, "obs-trace, kept over a restart"),
        contender::<fastrace_local::FastraceLocal>(FASTRACE, "fastrace, local spans"),
        contender::<fastrace_parents::FastraceParents>("fastrace-parents", "fastrace, enter_with_parent"),
        contender::<opentelemetry::OpenTelemetry>("opentelemetry", "OpenTelemetry SDK, batch"),
        contender::<tracing_bridge::TracingBridge>(BRIDGE, "tracing + obs-tracing"),
        contender::<tracing_fastrace::TracingFastrace>("fastrace-tracing", "tracing + fastrace-tracing"),
        contender::<tracing_store::TracingStore>("tracing", "tracing + storing layer"),
        contender::<tracing_opentelemetry::TracingOpenTelemetry>(
            "tracing-opentelemetry",
            "tracing-opentelemetry, batch",
        ),
        Contender { name: "ulid", label: "ulid", check: ulid::check, measure: ulid::measure },
        Contender {
            name: "ulid-generator",
            label: "ulid, its monotonic generator",
            check: ulid::check,
            measure: ulid::measure_generator,
        },
    ];
    let on_threads = |what: &str| threads::COUNTS.map(|count| format!("{what}-{count}"));
    let mut tasks = on_threads("traces").to_vec();
    tasks.extend(["none", "ids"].map(str::to_owned));
    Area {
        name: "trace",
        title: "Traces",
        contenders,
        tasks,
        tables: tables(),
        plots: plots(),
        targets: targets(),
    }
}

fn contender<P: Peer>(name: &'static str, label: &'static str) -> Contender {
    Contender { name, label, check: measure::check::<P>, measure: measure::task::<P> }
}

fn tables() -> Vec<Table> {
    let table = |title, key| Table {
        title,
        unit: Unit::Nanoseconds,
        columns: Column::threads(key),
        base: Some(FASTRACE),
    };
    let single = |title, unit, columns: &[(&str, &str)], base| Table {
        title,
        unit,
        columns: columns.iter().map(|(key, heading)| Column::new(*key, *heading)).collect(),
        base,
    };
    vec![
        table("A child span, caller", "child"),
        table("Root alone, caller", "caller-0"),
        table("Root + 1 span, caller", "caller-1"),
        table("Root + 10 spans, caller", "caller-10"),
        table("Root + 100 spans, caller", "caller-100"),
        table("Root + 1 span, kept and readable, time of all processors", "total-1"),
        table("Root + 10 spans, kept and readable, time of all processors", "total-10"),
        table("Root + 100 spans, kept and readable, time of all processors", "total-100"),
        Table { title: "Traces lost", unit: Unit::Count, columns: Column::threads("lost"), base: None },
        single("A span without a trace", Unit::Nanoseconds, &[("none", "1 thread")], Some(FASTRACE)),
        single(
            "IDs",
            Unit::Nanoseconds,
            &[("id-make", "make"), ("id-format", "to text"), ("id-parse", "parse")],
            Some("ulid"),
        ),
    ]
}

fn plots() -> Vec<Plot> {
    vec![Plot {
        name: "bench-trace",
        title: "A trace of 11 spans, kept and readable, time of all processors",
        unit: Unit::Nanoseconds,
        columns: Column::threads("total-10"),
    }]
}

fn targets() -> Vec<Target> {
    let target = |what: &str, column: &str, factor| {
        Target::new(what, Judged::Minimum, OURS, column, Bound::AtMost(factor), &[FASTRACE])
    };
    let against_caller = |what, spans, factor| Target {
        other_column: format!("caller-{spans}-1"),
        ..target(what, &format!("total-{spans}-1"), factor)
    };
    let alone = threads::COUNTS.map(|count| Target {
        other_column: format!("caller-0-{count}"),
        ..target(
            &format!("root alone, readable, against its caller alone, {count} threads"),
            &format!("total-0-{count}"),
            1.1,
        )
    });
    let mut targets = vec![
        target("child span", "child-1", 0.9),
        target("root + 10, readable, against the same", "total-10-1", 0.45),
        against_caller("root + 10, readable, against its caller alone", 10, 1.0),
        against_caller("root + 100, readable, against its caller alone", 100, 0.8),
        Target::new(
            "child span of tracing, ns",
            Judged::Minimum,
            BRIDGE,
            "child-1",
            Bound::AtMost(100.0),
            &[],
        ),
        Target::new("no trace current, ns", Judged::Minimum, OURS, "none", Bound::AtMost(1.5), &[]),
    ];
    targets.extend(alone);
    targets
}
