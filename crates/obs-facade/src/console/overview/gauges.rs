//! Gauges of the node: their values at the end of a window, and their course in it.

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
    /// Growth of a counter since the begin of the window.
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
    Shown { title: LOST_LINES, family: LOST_LINES_FAMILY, unit: "count", kind: Kind::Growth },
    Shown {
        title: LOST_SPANS,
        family: "hearthnet_trace_dropped_spans_total",
        unit: "count",
        kind: Kind::Growth,
    },
];

pub(super) const EMERGENCY: &str = "Emergency mode";
pub(super) const LOST_LINES: &str = "Lost log lines";
pub(super) const LOST_LINES_FAMILY: &str = "hearthnet_log_lines_dropped_total";
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

    /// Returns the gauges with their values at the end of the window. `is_recorded` says whether the history has a run in the
    /// window.
    pub(super) fn shown(&self, present: &Present, is_recorded: bool) -> Vec<Gauge> {
        let of_families = SHOWN.iter().zip(&self.courses).map(|(shown, course)| {
            let (value, points) = self.value_and_points(shown, course, present, is_recorded);
            Gauge {
                title: shown.title.to_owned(),
                family: shown.family.to_owned(),
                unit: shown.unit.to_owned(),
                value: value.and_then(finite),
                points,
            }
        });
        let of_node = self.of_node.iter().map(|(gauge, course)| {
            let points = if gauge.points.is_empty() { points(course, 1.0) } else { gauge.points.clone() };
            let (value, points) = self.ending_at(gauge.value, points);
            Gauge { value, points, ..gauge.clone() }
        });
        of_families.chain(of_node).collect()
    }

    fn value_and_points(
        &self,
        shown: &Shown,
        course: &Course,
        present: &Present,
        is_recorded: bool,
    ) -> (Option<f64>, Vec<(u64, f64)>) {
        let any = |_: &SeriesSnapshot| true;
        let is_unusual = |series: &SeriesSnapshot| !series.label("state").is_some_and(is_usual);
        match shown.kind {
            Kind::Sum => self.ending_at(present.sum(shown.family, any), points(course, 1.0)),
            Kind::State => self.ending_at(present.sum(shown.family, is_unusual), points(course, 1.0)),
            Kind::Growth => {
                let points = summed(points(course, 1.0));
                let in_window = points.last().map_or(0.0, |(_, sum)| *sum);
                // Without a history the window begins with the process at the earliest.
                let in_process = || present.sum(shown.family, any).filter(|_| self.steps.is_current());
                (is_recorded.then_some(in_window).or_else(in_process), points)
            }
            Kind::Load => {
                let points = points(course, 100.0 / self.steps.seconds as f64);
                // The whole steps are measured; the present one has just begun.
                let left_out = usize::from(self.steps.is_current());
                (points.iter().rev().nth(left_out).map(|(_, percent)| *percent), points)
            }
        }
    }

    /// Returns the value at the end of the window and the course to it. The history has no gauges of the minute that has begun,
    /// so a window that reaches the present ends at the value of now.
    fn ending_at(&self, now: Option<f64>, mut points: Vec<(u64, f64)>) -> (Option<f64>, Vec<(u64, f64)>) {
        if !self.steps.is_current() {
            return (points.last().map(|(_, value)| *value), points);
        }
        let last_step = self.steps.step(self.steps.window.until - 1);
        if let Some(value) = now.and_then(finite).filter(|_| !points.is_empty()) {
            points.retain(|(t, _)| *t < last_step);
            points.push((last_step, value));
        }
        (now, points)
    }
}

fn points(course: &Course, scale: f64) -> Vec<(u64, f64)> {
    course.iter().map(|(t, sum)| (*t, sum * scale)).filter(|(_, value)| value.is_finite()).collect()
}

/// Returns the sums since the begin of the window, so that the course ends at the number of the whole window.
fn summed(growth: Vec<(u64, f64)>) -> Vec<(u64, f64)> {
    let mut sum = 0.0;
    growth
        .into_iter()
        .map(|(t, value)| {
            sum += value;
            (t, sum)
        })
        .collect()
}

/// Returns whether a state of the emergency mode is that of a node with internet.
fn is_usual(state: &str) -> bool {
    state == "online"
}

#[cfg(test)]
mod tests {
    use obs_console::api::Window;
    use obs_metrics::Registry;

    use super::*;

    const MEMORY: &str = "process_resident_memory_bytes";

    /// Returns the gauges of a window that ended `ago` seconds ago, with two values of each of two families in the history.
    fn of_window_that_ended(ago: u64) -> (Vec<Gauge>, u64) {
        let until = crate::console::clock::seconds(std::time::SystemTime::now()) - ago;
        let steps = Steps::of(&Window { since: until - 600, until }).unwrap();
        let free = Gauge {
            title: "Free disk".to_owned(),
            family: "disk_free_bytes".to_owned(),
            unit: "bytes".to_owned(),
            value: Some(9e9),
            points: Vec::new(),
        };
        let mut gauges = Gauges::new(&steps, vec![free]);
        let (first, second) = (steps.step(until - 300), steps.step(until - 240));
        let course = |values: [f64; 2]| Course::from([(first, values[0]), (second, values[1])]);
        let at = |family: &str| SHOWN.iter().position(|shown| shown.family == family).unwrap();
        gauges.courses[at(MEMORY)] = course([45.1e6, 47.6e6]);
        gauges.courses[at(LOST_LINES_FAMILY)] = course([2.0, 1.0]);
        gauges.of_node[0].1 = course([7e9, 8e9]);
        let registry = Registry::new();
        registry.gauge(MEMORY, "Memory.", []).with([]).set(53.5e6);
        registry.counter(LOST_LINES_FAMILY, "Lines.", []).with([]).add(20);
        let present = Present::of(&registry);
        (gauges.shown(&present, true), steps.step(until - 1))
    }

    fn of<'a>(gauges: &'a [Gauge], title: &str) -> &'a Gauge {
        gauges.iter().find(|gauge| gauge.title == title).unwrap()
    }

    #[test]
    fn a_past_window_shows_its_last_values() {
        let (gauges, _) = of_window_that_ended(7200);
        for (title, value) in [("Memory", 47.6e6), ("Free disk", 8e9), (LOST_LINES, 3.0)] {
            assert_eq!(of(&gauges, title).value, Some(value), "{title}");
        }
        assert_eq!(of(&gauges, "Streams").value, None, "nothing is known of it");
        assert_eq!(of(&gauges, LOST_SPANS).value, Some(0.0));
    }

    #[test]
    fn the_course_of_a_current_window_ends_at_the_shown_value() {
        let (gauges, last_step) = of_window_that_ended(0);
        for (title, value) in [("Memory", 53.5e6), ("Free disk", 9e9)] {
            let gauge = of(&gauges, title);
            assert_eq!(gauge.value, Some(value), "{title}");
            assert_eq!(gauge.points.last(), Some(&(last_step, value)), "{title}");
        }
        let lost = of(&gauges, LOST_LINES);
        assert_eq!(lost.value, lost.points.last().map(|(_, value)| *value), "those of the window");
        assert_eq!(lost.points.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [2.0, 3.0]);
    }
}
