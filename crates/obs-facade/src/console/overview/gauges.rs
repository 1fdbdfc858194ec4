//! Gauges of the node: their values now, and their course.

use std::collections::BTreeMap;

use obs_console::api::Gauge;
#[cfg(feature = "history")]
use obs_history::Value;
use obs_metrics::SeriesSnapshot;

use super::present::Present;
use crate::console::metrics::finite;
#[cfg(feature = "history")]
use crate::console::past::Found;
use crate::console::past::Steps;

/// Gauge of the overview, from one family.
struct Shown {
    title: &'static str,
    family: &'static str,
    unit: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sum of the series.
    Sum,
    /// Growth of a counter in a step.
    Growth,
    /// Share of a core: growth of the seconds of the processor by second.
    Load,
    /// Whether another state than the usual one is 1.
    State,
}

const SHOWN: [Shown; 7] = [
    Shown { title: "Streams", family: "hearthnet_active_streams", unit: "count", kind: Kind::Sum },
    Shown { title: "Peers", family: "hearthnet_nodes_online", unit: "count", kind: Kind::Sum },
    Shown { title: "Memory", family: "process_resident_memory_bytes", unit: "bytes", kind: Kind::Sum },
    Shown { title: "Processor", family: "process_cpu_seconds_total", unit: "percent", kind: Kind::Load },
    Shown { title: EMERGENCY, family: "hearthnet_emergency_mode", unit: "flag", kind: Kind::State },
    Shown {
        title: LOST_LINES,
        family: "hearthnet_log_lines_dropped_total",
        unit: "count",
        kind: Kind::Growth,
    },
    Shown {
        title: LOST_SPANS,
        family: "hearthnet_trace_dropped_spans_total",
        unit: "count",
        kind: Kind::Growth,
    },
];

pub(super) const EMERGENCY: &str = "Emergency mode";
pub(super) const LOST_LINES: &str = "Lost log lines";
pub(super) const LOST_SPANS: &str = "Lost spans";

/// Courses of the gauges in a window.
#[derive(Debug)]
pub(super) struct Gauges {
    steps: Steps,
    /// Sums of the series by step.
    courses: [Course; SHOWN.len()],
    /// Gauges of the node, with their courses.
    of_node: Vec<(Gauge, Course)>,
}

/// Values by step.
type Course = BTreeMap<u64, f64>;

impl Gauges {
    /// Begins without a course. The gauges of the node, which have values, get theirs by their families.
    pub(super) fn new(steps: &Steps, of_node: Vec<Gauge>) -> Gauges {
        let of_node = of_node.into_iter().map(|gauge| (gauge, Course::new())).collect();
        Gauges { steps: *steps, courses: SHOWN.map(|_| Course::new()), of_node }
    }

    /// Returns the families whose changes are wanted.
    #[cfg(feature = "history")]
    pub(super) fn families(&self) -> Vec<String> {
        let of_node = self.of_node.iter().map(|(gauge, _)| gauge.family.as_str());
        SHOWN.iter().map(|shown| shown.family).chain(of_node).map(str::to_owned).collect()
    }

    /// Adds a change that the history has.
    #[cfg(feature = "history")]
    pub(super) fn add(&mut self, found: &Found<'_>) {
        for (gauge, course) in &mut self.of_node {
            if let Value::Gauge { last: Some(last), .. } = found.value
                && gauge.family == found.series.family
            {
                *course.entry(found.t).or_default() += last;
            }
        }
        let Some(at) = SHOWN.iter().position(|shown| shown.family == found.series.family) else { return };
        let is_left_out = SHOWN[at].kind == Kind::State && found.series.label("state").is_some_and(is_usual);
        let value = match found.value {
            Value::Counter(growth) => *growth,
            Value::Gauge { last: Some(last), .. } if !is_left_out => *last,
            _ => return,
        };
        *self.courses[at].entry(found.t).or_default() += value;
    }

    /// Returns the gauges with their values now.
    pub(super) fn shown(&self, present: &Present) -> Vec<Gauge> {
        let all = SHOWN.iter().zip(&self.courses);
        all.map(|(shown, course)| Gauge {
            title: shown.title.to_owned(),
            family: shown.family.to_owned(),
            unit: shown.unit.to_owned(),
            value: self.value(shown, course, present),
            points: self.points(shown, course),
        })
        .chain(self.of_node.iter().map(|(gauge, course)| with_course(gauge, course)))
        .collect()
    }

    fn points(&self, shown: &Shown, course: &Course) -> Vec<(u64, f64)> {
        let scale = if shown.kind == Kind::Load { 100.0 / self.steps.seconds as f64 } else { 1.0 };
        let points = course.iter().map(|(t, sum)| (*t, sum * scale));
        points.filter(|(_, value)| value.is_finite()).collect()
    }

    fn value(&self, shown: &Shown, course: &Course, present: &Present) -> Option<f64> {
        let any = |_: &SeriesSnapshot| true;
        let sum = match shown.kind {
            Kind::Sum | Kind::Growth => present.sum(shown.family, any),
            Kind::State => present.sum(shown.family, |series| !series.label("state").is_some_and(is_usual)),
            // The whole steps are measured; the present one has just begun.
            Kind::Load => self.points(shown, course).iter().rev().nth(1).map(|(_, percent)| *percent),
        };
        sum.and_then(finite)
    }
}

fn with_course(gauge: &Gauge, course: &Course) -> Gauge {
    let mut gauge = gauge.clone();
    if gauge.points.is_empty() {
        gauge.points =
            course.iter().map(|(t, value)| (*t, *value)).filter(|(_, value)| value.is_finite()).collect();
    }
    gauge
}

/// Returns whether a state of the emergency mode is that of a node with internet.
fn is_usual(state: &str) -> bool {
    state == "online"
}
