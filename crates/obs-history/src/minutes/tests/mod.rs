//! Tests of the history with any clock and real files.

mod bounds;
mod clocks;
mod faults;
mod hostile;
mod hours;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use obs_metrics::{CounterFamily, HistogramFamily, Registry};
use tempfile::TempDir;

use super::config::Config;
use super::file::reader::Reader;
use super::file::rows::{Range, Value};
use super::sampling::clock::Moment;
use super::stats::{Counters, Stats};
use super::worker::Worker;

/// Beginning of the tests' time: a minute that is a full hour.
const BEGIN: i64 = 29_730_000;

/// Node that keeps a history by a clock that the test sets.
struct Node {
    config: Config,
    worker: Option<Worker>,
    unix_ms: i64,
    steady: Duration,
    processes: u64,
    stats: Arc<Counters>,
    calls: CounterFamily<1>,
    waits: HistogramFamily<1>,
    registry: Registry,
}

impl Node {
    fn new(folder: &Path) -> Node {
        Node::with(Config::new(folder))
    }

    fn with(config: Config) -> Node {
        let registry = Registry::new();
        let calls = registry.counter("calls_total", "C.", ["capability"]);
        let waits = registry.histogram("wait_seconds", "W.", ["capability"], &[]).native();
        let config = config.registry(&registry).family("calls_total").family("wait_seconds").family("depth");
        let stats = Arc::new(Counters::default());
        let (unix_ms, steady) = (BEGIN * 60_000, Duration::ZERO);
        let mut node =
            Node { config, worker: None, unix_ms, steady, processes: 0, stats, calls, waits, registry };
        node.start();
        node
    }

    fn now(&self) -> Moment {
        Moment { unix_ms: self.unix_ms, steady: self.steady }
    }

    /// Starts a process. One that ran before was killed.
    fn start(&mut self) {
        self.worker = None;
        self.processes += 1;
        let process = format!("{}-{}", self.unix_ms, self.processes);
        let mut worker = Worker::new(self.config.clone(), self.now(), &process, self.stats.clone());
        worker.open();
        self.worker = Some(worker);
    }

    fn worker(&mut self) -> &mut Worker {
        self.worker.as_mut().unwrap()
    }

    /// Lets time pass, with a look at the end of it.
    fn pass(&mut self, seconds: u64) {
        self.steady += Duration::from_secs(seconds);
        self.set_clock(i64::try_from(seconds).unwrap());
    }

    /// Moves the wall clock alone, and looks at it.
    fn set_clock(&mut self, seconds: i64) {
        self.unix_ms += seconds * 1_000;
        let now = self.now();
        self.worker().tick(now);
    }

    fn end(&mut self) {
        let now = self.now();
        self.worker().end(now);
        self.worker = None;
    }

    fn call(&self, times: u64) {
        self.calls.with(["llm.chat"]).add(times);
    }

    fn stats(&self) -> Stats {
        self.stats.read()
    }
}

/// Returns a folder that does not exist yet. It is in memory if it can be, because SQLite waits for a disk.
fn folder() -> (TempDir, PathBuf) {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let folder = place.path().join("history");
    (place, folder)
}

fn file(folder: &Path) -> PathBuf {
    folder.join("minutes.sqlite")
}

/// Reads everything.
fn read(folder: &Path) -> Range {
    Reader::open(folder)
        .unwrap()
        .range(SystemTime::UNIX_EPOCH, super::file::rows::time_of(i64::from(u32::MAX)))
        .unwrap()
}

/// Returns the calls by minute after the beginning.
fn calls(range: &Range) -> Vec<(i64, f64)> {
    let call = |row: &super::Row| match row.value {
        Value::Counter(growth) if row.series.family == "calls_total" => Some((row.minute - BEGIN, growth)),
        _ => None,
    };
    range.rows.iter().filter_map(call).collect()
}

fn total(range: &Range) -> f64 {
    calls(range).iter().map(|(_, calls)| calls).sum()
}

/// Returns the runs as cause, first and last minute after the beginning.
fn runs(range: &Range) -> Vec<(&'static str, i64, i64)> {
    range
        .runs
        .iter()
        .map(|run| (run.cause.as_str(), run.first_minute - BEGIN, run.last_minute - BEGIN))
        .collect()
}

#[test]
fn a_minute_has_what_happened_in_it() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(3);
    node.pass(30);
    node.call(2);
    node.pass(30);
    assert_eq!(calls(&read(&folder)), [(0, 5.0)]);
    node.pass(60);
    node.pass(60);
    node.call(7);
    node.pass(60);
    let range = read(&folder);
    assert_eq!(calls(&range), [(0, 5.0), (3, 7.0)], "a minute without a change has no row");
    assert_eq!(runs(&range), [("start", 0, 3)], "and the node was up in it");
    node.call(1);
    node.pass(10);
    node.end();
    let range = read(&folder);
    assert_eq!(calls(&range), [(0, 5.0), (3, 7.0), (4, 1.0)], "the last minute is written at an orderly end");
    assert!(range.runs[0].has_ended);
    assert_eq!(node.stats().minutes_written, 5);
}

#[test]
fn a_span_has_the_minutes_that_overlap_it() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    for _ in 0..10 {
        node.call(1);
        node.pass(60);
    }
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(BEGIN as u64 * 60 + seconds);
    let reader = Reader::open(&folder).unwrap();
    let minutes = |since, until| calls(&reader.range(at(since), at(until)).unwrap()).len();
    assert_eq!((minutes(120, 240), minutes(130, 170), minutes(6_000, 9_000)), (3, 1, 0));
    let (runs, _) = reader.visit(at(0), at(60), |_| false, |row| panic!("{row:?}")).unwrap();
    assert_eq!(runs.len(), 1);
}

/// The quantile of any span is that of all its observations, within the width of a bucket.
#[test]
fn any_span_has_true_quantiles() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    let mut all = Vec::new();
    for minute in 0..30_u32 {
        for n in 0..50_u32 {
            let seconds = f64::from(1 + (n * 37 + minute * 101) % 997) / 100.0;
            node.waits.with(["llm.chat"]).observe(seconds);
            all.push((i64::from(minute), seconds));
        }
        node.pass(60);
    }
    let range = read(&folder);
    for (first, last) in [(0, 29), (3, 3), (10, 20)] {
        let mut merged = obs_metrics::NativeBuckets::empty(3, 0.0);
        let mut sum = 0.0;
        for row in &range.rows {
            if let Value::Histogram { sum: of_row, buckets } = &row.value
                && (first..=last).contains(&(row.minute - BEGIN))
            {
                merged.merge(buckets);
                sum += of_row;
            }
        }
        let mut exact: Vec<f64> = all
            .iter()
            .filter(|(minute, _)| (first..=last).contains(minute))
            .map(|(_, seconds)| *seconds)
            .collect();
        exact.sort_by(f64::total_cmp);
        assert_eq!(merged.count(), exact.len() as u64);
        assert!((sum - exact.iter().sum::<f64>()).abs() < 1e-6);
        for q in [0.5, 0.95, 0.99] {
            let at = (q * exact.len() as f64).ceil() as usize - 1;
            let (found, exact) = (merged.quantile(q).unwrap(), exact[at]);
            assert!((found / exact).log2().abs() <= 0.1251, "{q} of {first}..{last}: {found} and {exact}");
        }
    }
}

#[test]
fn a_gauge_has_its_extremes_and_is_whole_at_each_hour() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    let depth = node.registry.gauge("depth", "D.", []);
    for value in [2.0, 9.0, 4.0] {
        depth.set([], value);
        node.pass(10);
    }
    node.pass(30);
    (0..60).for_each(|_| node.pass(60));
    let gauges = |range: &Range| -> Vec<(i64, f64, f64, Option<f64>)> {
        let gauge = |row: &super::Row| match row.value {
            Value::Gauge { min, max, last } if row.series.family == "depth" => {
                Some((row.minute - BEGIN, min, max, last))
            }
            _ => None,
        };
        range.rows.iter().filter_map(gauge).collect()
    };
    assert_eq!(gauges(&read(&folder)), [(0, 2.0, 9.0, Some(4.0)), (60, 4.0, 4.0, Some(4.0))]);
    depth.remove([]);
    node.pass(60);
    assert_eq!(gauges(&read(&folder)).last(), Some(&(61, 4.0, 4.0, None)));
}
