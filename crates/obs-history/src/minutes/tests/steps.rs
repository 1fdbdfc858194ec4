//! Sums of minutes by step.

use std::time::{Duration, SystemTime};

use super::*;
use crate::minutes::file::rows::Series;
use crate::minutes::file::steps::{Line, Steps};

fn at(minute: i64) -> SystemTime {
    crate::minutes::file::rows::time_of(BEGIN + minute)
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn points<T>(line: &Line, value: impl Fn(&Value) -> T) -> Vec<(usize, T)> {
    line.points.iter().map(|point| (point.step, value(&point.value))).collect()
}

#[test]
fn steps_sum_what_the_minutes_have() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    for minute in 0..25_u32 {
        node.call(2);
        if minute < 12 {
            node.calls.with(["rag.query"]).inc();
        }
        node.waits.with(["llm.chat"]).observe(f64::from(minute + 1));
        node.pass(60);
    }
    let reader = Reader::open(&folder).unwrap();
    let read =
        |group: &dyn Fn(&Series) -> Option<Series>| reader.steps(at(0), at(24), minutes(10), group).unwrap();
    let growth = |value: &Value| if let Value::Counter(growth) = value { *growth } else { f64::NAN };

    let calls = |series: &Series| series.family == "calls_total";
    let each = read(&|series| calls(series).then(|| series.clone()));
    assert_eq!((each.first_minute, each.step_minutes, each.count), (BEGIN, 10, 3));
    assert_eq!(
        each.lines.iter().map(|line| line.series.label("capability").unwrap()).collect::<Vec<_>>(),
        ["llm.chat", "rag.query"]
    );
    assert_eq!(points(&each.lines[0], growth), [(0, 20.0), (1, 20.0), (2, 10.0)]);
    assert_eq!(points(&each.lines[1], growth), [(0, 10.0), (1, 2.0)]);
    assert_eq!((each.runs.len(), each.time(1)), (1, at(10)));

    let all = read(&|series| calls(series).then(|| series.only(&[])));
    assert_eq!(points(&all.lines[0], growth), [(0, 30.0), (1, 22.0), (2, 10.0)]);

    // The same as the observations of all its rows.
    let waits = read(&|series| (series.family == "wait_seconds").then(|| series.only(&[])));
    let whole = reader.range(at(10), at(19)).unwrap();
    let Value::Histogram { sum, buckets } = &waits.lines[0].points[1].value else { panic!("{waits:?}") };
    let mut merged = obs_metrics::NativeBuckets::empty(3, 0.0);
    for row in &whole.rows {
        if let Value::Histogram { buckets, .. } = &row.value {
            merged.merge(buckets);
        }
    }
    assert_eq!((*sum, buckets.count(), &buckets.positive), (155.0, 10, &merged.positive));

    // A span that begins within a step has all of it.
    let within = reader.steps(at(15), at(24), minutes(10), |series| calls(series).then(|| series.only(&[])));
    assert_eq!(points(&within.unwrap().lines[0], growth), [(0, 22.0), (1, 10.0)]);
    let nothing = reader.steps(at(20), at(3), minutes(10), |series| Some(series.clone())).unwrap();
    assert_eq!((nothing.count, nothing.lines.len()), (0, 0));
}

#[test]
fn a_gauge_that_stays_has_its_value_in_each_step() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    let depth = node.registry.gauge("depth", "D.", []);
    depth.set([], 7.0);
    (0..9).for_each(|_| node.pass(60));
    depth.set([], 3.0);
    (0..80).for_each(|_| node.pass(60));
    node.start();
    (0..3).for_each(|_| node.pass(60));
    let reader = Reader::open(&folder).unwrap();
    let read = |since, until, step| {
        let depth = |series: &Series| (series.family == "depth").then(|| series.clone());
        let steps = reader.steps(at(since), at(until), minutes(step), depth).unwrap();
        let value = |value: &Value| match value {
            Value::Gauge { min, max, last } => (*min, *max, *last),
            _ => panic!("{value:?}"),
        };
        points(&steps.lines[0], value)
    };
    // By the look at the beginning of the tenth minute, and until the process is killed.
    assert_eq!(
        read(6, 11, 2),
        [(0, (7.0, 7.0, Some(7.0))), (1, (3.0, 7.0, Some(3.0))), (2, (3.0, 3.0, Some(3.0)))]
    );
    let all = read(0, 95, 1);
    assert_eq!(all.iter().map(|(step, _)| *step).collect::<Vec<_>>(), (0..92).collect::<Vec<_>>());
    assert_eq!((all[5].1.2, all[50].1.2, all[85].1.2), (Some(7.0), Some(3.0), Some(3.0)));
}

#[test]
fn any_span_has_a_bounded_number_of_steps() {
    let (_place, folder) = folder();
    let mut node = Node::new(&folder);
    node.call(1);
    node.pass(60);
    let reader = Reader::open(&folder).unwrap();
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    for (since, until) in [(SystemTime::UNIX_EPOCH, at(1)), (at(0), far), (SystemTime::UNIX_EPOCH, far)] {
        for step in [Duration::ZERO, minutes(7), Duration::MAX] {
            let steps = reader.steps(since, until, step, |series| Some(series.clone())).unwrap();
            assert!((1..=Steps::MAX_STEPS).contains(&steps.count), "{steps:?}");
            assert!(steps.lines.iter().any(|line| line.series.family == "calls_total"));
            assert!(steps.lines.iter().flat_map(|line| &line.points).all(|point| point.step < steps.count));
        }
    }
    for (span, points) in [(60, 10), (3_600, 300), (14 * 86_400, 100), (366 * 86_400, 300)] {
        let step = Steps::step_for(Duration::from_secs(span), points);
        assert!(span / step.as_secs() <= points as u64 || step == minutes(1_440), "{span} {step:?}");
    }
}
