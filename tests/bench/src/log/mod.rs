//! Logging: one event with four fields, as a line of JSON in a file.

mod batched;
mod event;
mod fern;
mod flexi_logger;
mod lines;
mod log_line;
mod logforth;
mod measure;
mod one_write;
mod ours;
mod rendered;
mod slog;
#[cfg(feature = "spdlog")]
mod spdlog_async;
#[cfg(feature = "spdlog")]
mod spdlog_file;
mod tight;
mod tracing_appender;
mod tracing_bridge;
mod tracing_json;
mod tracing_line;

use std::path::Path;

use self::event::Event;
use crate::harness::{Area, Bound, Column, Contender, Judged, Plot, Table, Target, Unit, threads};

/// A logger, set up for the whole process.
trait Peer: Sync + Sized {
    /// Tells whether lines are written to a file.
    const WRITES: bool = true;

    /// Sets the logger up for this empty folder.
    fn start(folder: &Path) -> Self;

    fn log(&self, event: &Event);

    /// Logs an event of a disabled level.
    fn log_disabled(&self, event: &Event);

    /// Requests a write of the buffer, between two bursts.
    fn flush(&self) {}

    /// Returns when everything is written.
    fn finish(self);
}

const BATCHED: &str = "batched";
const OURS: &str = "obs-log";
const BRIDGE: &str = "obs-tracing";
const NO_DISPATCHER: &str = "tracing-off";
const SPDLOG_FILE: &str = "spdlog-file";

pub(crate) fn area() -> Area {
    let mut contenders = vec![
        contender::<rendered::Rendered>("rendered", "limit: rendered tightly, not written"),
        contender::<batched::Batched>(BATCHED, "limit: hand-written line, mutex batch, 64 KiB writes"),
        contender::<one_write::OneWrite>("one-write", "limit: hand-written line, one write a line"),
        contender::<ours::Ours>(OURS, "obs-log, default configuration"),
        contender::<tracing_bridge::TracingBridge>(BRIDGE, "tracing event through obs-tracing"),
        Contender {
            // It records nothing that could be read back.
            check: || Ok(()),
            ..contender::<tracing_bridge::NoDispatcher>(
                NO_DISPATCHER,
                "limit: tracing event without a dispatcher",
            )
        },
        contender::<slog::Slog>("slog-async", "slog-async + slog-json"),
        contender::<logforth::Logforth>("logforth", "logforth async"),
        contender::<tracing_json::TracingJson>("tracing", "tracing-subscriber JSON, buffered file"),
        contender::<tracing_appender::TracingAppender>("tracing-appender", "tracing-appender non_blocking"),
        contender::<fern::Fern>("fern", "fern + serde_json"),
        contender::<flexi_logger::FlexiLogger>("flexi_logger", "flexi_logger buffered"),
    ];
    contenders.extend(on_spdlog());
    let on_threads = |what: &str| threads::COUNTS.map(|count| format!("{what}-{count}"));
    let mut tasks = [on_threads("burst"), on_threads("sustained")].concat();
    tasks.push("disabled".to_owned());
    let targets = targets(&contenders);
    Area { name: "log", title: "Log", contenders, tasks, tables: tables(), plots: plots(), targets }
}

#[cfg(feature = "spdlog")]
fn on_spdlog() -> [Contender; 2] {
    [
        contender::<spdlog_async::SpdlogAsync>("spdlog-async", "spdlog-rs async"),
        contender::<spdlog_file::SpdlogFile>(SPDLOG_FILE, "spdlog-rs file"),
    ]
}

/// Contenders on spdlog-rs, which are in the other program; see `Cargo.toml`.
#[cfg(not(feature = "spdlog"))]
fn on_spdlog() -> [Contender; 0] {
    []
}

fn contender<P: Peer>(name: &'static str, label: &'static str) -> Contender {
    Contender { name, label, check: measure::check::<P>, measure: measure::task::<P> }
}

fn tables() -> Vec<Table> {
    let table = |title, unit, key, base| Table { title, unit, columns: Column::threads(key), base };
    vec![
        table("Caller, bursts of 1 000 events", Unit::Nanoseconds, "burst", Some(BATCHED)),
        table("Caller, sustained", Unit::Nanoseconds, "sustained", Some(BATCHED)),
        table("Events until on disk", Unit::Millions, "on-disk", Some(SPDLOG_FILE)),
        table("Lost lines, sustained", Unit::Count, "lost", None),
        Table {
            title: "Disabled level",
            unit: Unit::Nanoseconds,
            columns: vec![Column::new("disabled", "1 thread")],
            base: Some(BATCHED),
        },
    ]
}

fn plots() -> Vec<Plot> {
    vec![Plot {
        name: "bench-log",
        title: "A line for its caller, in bursts of 1 000",
        unit: Unit::Nanoseconds,
        columns: Column::threads("burst"),
    }]
}

fn targets(contenders: &[Contender]) -> Vec<Target> {
    let peers: Vec<&'static str> = contenders
        .iter()
        .filter(|who| !who.label.starts_with("limit") && ![OURS, BRIDGE].contains(&who.name))
        .map(|who| who.name)
        .collect();
    let burst = |count, bound, others: &[&'static str]| {
        let what = format!("burst, {}", threads::in_words(count));
        Target::new(what, Judged::time_on(count), OURS, format!("burst-{count}"), bound, others)
    };
    let on_disk = |count, bound| {
        let what = format!("on disk, {}", threads::in_words(count));
        Target::new(what, Judged::rate_on(count), OURS, format!("on-disk-{count}"), bound, &[SPDLOG_FILE])
    };
    let below_peers = threads::COUNTS.map(|count| burst(count, Bound::AtMost(1.0), &peers));
    let none_lost = threads::COUNTS.map(|count| {
        let what = format!("lost lines, {}", threads::in_words(count));
        Target::new(what, Judged::Maximum, OURS, format!("lost-{count}"), Bound::AtMost(0.0), &[])
    });
    let mut targets = vec![
        burst(1, Bound::AtMost(1.15), &[BATCHED]),
        burst(2, Bound::AtMost(0.7), &[BATCHED]),
        on_disk(1, Bound::AtLeast(2.0)),
        on_disk(2, Bound::AtLeast(2.5)),
        // The hand-written limit is behind the level check of the `log` macros.
        Target::new("disabled level", Judged::Minimum, OURS, "disabled", Bound::AtMost(1.05), &[BATCHED]),
    ];
    targets.push(Target::new(
        "tracing event, burst, one thread",
        Judged::time_on(1),
        BRIDGE,
        "burst-1",
        Bound::AtMost(1.3),
        &[OURS],
    ));
    let disabled = &[NO_DISPATCHER];
    let what = "tracing event, disabled level";
    targets.push(Target::new(what, Judged::Minimum, BRIDGE, "disabled", Bound::AtMost(1.05), disabled));
    targets.extend(below_peers);
    targets.extend(none_lost);
    targets
}
