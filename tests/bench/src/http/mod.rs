//! The whole request: a server of axum without observability, with ours, and with the stack that is usual for axum.

mod collector;
mod layered;
mod load;
mod measure;
mod ours;
mod plain;
mod replies;
mod serve;
mod server;
mod usual;

use std::path::Path;

use axum::Router;

use crate::harness::{Area, Bound, Column, Contender, Judged, Plot, Table, Target, Unit};

/// A server with its observability, set up for the whole process.
trait Stack: Sized {
    /// Name of the contender.
    const NAME: &'static str;

    /// What marks the two lines of a request. Empty for a server that records nothing.
    const LINES: &'static [&'static str];

    /// Begin of the lines of the page `/metrics` that count requests.
    const COUNTED: &'static str;

    /// Sets the stack up for this empty folder and the collector at this address.
    fn start(folder: &Path, collector: &str) -> Self;

    /// Returns the routes `POST /echo`, `GET /stream` and `GET /metrics`, observed.
    fn routes(&self) -> Router;

    /// Waits until everything that was recorded has been written and sent.
    fn settle(&mut self) {}
}

/// Numbers of connections that send requests without a pause.
const CONNECTIONS: [usize; 5] = [1, 8, 32, 128, 512];
/// Numbers of connections that read streams without a pause.
const STREAMS: [usize; 2] = [32, 512];

const PLAIN: &str = "axum";
const LAYERED: &str = "axum-layer";
const OURS: &str = "obs-facade";
const HISTORY: &str = "obs-facade-history";
const USUAL: &str = "tower-http";

pub(crate) fn area() -> Area {
    let contenders = vec![
        contender::<plain::Plain>("limit: axum without observability"),
        contender::<layered::Layered>("limit: axum, a layer that records nothing"),
        contender::<ours::Ours>("obs-facade"),
        contender::<ours::WithHistory>("obs-facade, history on disk too"),
        contender::<usual::Usual>("TraceLayer, tracing, OpenTelemetry, metrics"),
    ];
    Area {
        name: "http",
        title: "The whole request",
        contenders,
        tasks: tasks().collect(),
        tables: tables(),
        plots: plots(),
        targets: targets(),
    }
}

fn contender<S: Stack>(label: &'static str) -> Contender {
    Contender { name: S::NAME, label, check: measure::check::<S>, measure: measure::task::<S> }
}

fn tasks() -> impl Iterator<Item = String> {
    let echo = CONNECTIONS.map(|count| format!("echo-{count}"));
    echo.into_iter().chain(STREAMS.map(|count| format!("stream-{count}")))
}

/// Formats a task: `1 connection`, `32 streams`.
fn in_words(task: &str) -> String {
    let (what, count) = task.split_once('-').expect("a task ends in its number of connections");
    let noun = if what == "echo" { "connection" } else { "stream" };
    format!("{count} {noun}{}", if count == "1" { "" } else { "s" })
}

fn tables() -> Vec<Table> {
    let table = |title, unit, key: &str, base| {
        let column = |task: String| {
            let (what, count) = task.split_once('-').expect("a task ends in its number of connections");
            let heading = if what == "echo" { count.to_owned() } else { format!("{count} streams") };
            Column::new(format!("{key}-{task}"), heading)
        };
        Table { title, unit, columns: tasks().map(column).collect(), base }
    };
    vec![
        table("Requests a second, by connections", Unit::PerSecond, "rate", Some(PLAIN)),
        table("CPU time of the server for 100 000 requests", Unit::Seconds, "cpu", Some(PLAIN)),
        table("Latency, median", Unit::Latency, "p50", Some(PLAIN)),
        table("Latency, 99 %", Unit::Latency, "p99", Some(PLAIN)),
        table("Latency, 99.9 %", Unit::Latency, "p999", Some(PLAIN)),
        table("Resident memory at the end of the load", Unit::Memory, "resident", Some(PLAIN)),
        table("Lines that are not in the log", Unit::Count, "lines-lost", None),
        table("Spans that did not reach the collector", Unit::Count, "spans-lost", None),
        table("Requests that the page does not count", Unit::Count, "counts-lost", None),
    ]
}

fn plots() -> Vec<Plot> {
    let column = |count| {
        let task = format!("echo-{count}");
        Column::new(format!("cpu-{task}"), in_words(&task))
    };
    vec![Plot {
        name: "bench-http",
        title: "CPU time of a server for 100 000 requests",
        unit: Unit::Seconds,
        columns: CONNECTIONS.map(column).into(),
    }]
}

fn targets() -> Vec<Target> {
    let at_most = |what: &str, key: &str, task: &str, factor, other| {
        let bound = Bound::AtMost(factor);
        let what = format!("{what}, {}", in_words(task));
        Target::new(what, Judged::Median, OURS, format!("{key}-{task}"), bound, &[other])
    };
    let none_lost = |what: &str, key: &str, task: &str| {
        let what = format!("{what}, {}", in_words(task));
        Target::new(what, Judged::Maximum, OURS, format!("{key}-{task}"), Bound::AtMost(0.0), &[])
    };
    let cpu = tasks().map(|task| at_most("CPU of a request", "cpu", &task, 1.25, PLAIN));
    let added =
        tasks().map(|task| at_most("CPU that is added to a request", "cpu", &task, 0.1, USUAL).beyond(PLAIN));
    let resident = tasks().map(|task| at_most("resident memory", "resident", &task, 1.0, USUAL));
    let mut targets: Vec<Target> = cpu.chain(added).chain(resident).collect();
    for (what, key) in
        [("lost lines", "lines-lost"), ("lost spans", "spans-lost"), ("lost counts", "counts-lost")]
    {
        targets.extend(tasks().map(|task| none_lost(what, key, &task)));
    }
    targets
}
