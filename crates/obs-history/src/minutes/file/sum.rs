//! Line of a chart while its rows are summed.

use super::histogram::Histogram;
use super::rows::Value;
use super::steps::Point;

/// Line that is being summed. Rows of counters and histograms come in order of their minutes.
#[derive(Debug, Default)]
pub(super) struct Sum {
    counters: Vec<(usize, f64)>,
    histograms: Vec<(usize, Histogram)>,
    /// By step, because a value that lasts reaches steps of before.
    gauges: Vec<Option<Value>>,
}

/// Number of points and buckets that a reading may still have.
#[derive(Debug)]
pub(super) struct Room(usize);

/// Cells of a point: it takes as much memory as so many buckets.
const POINT: usize = 4;

impl Room {
    /// About 60 MB. A page of two weeks has a tenth of that; a file of someone else must not fill the memory.
    pub(super) const MOST: Room = Room(2_000_000);

    fn take(&mut self, cells: usize) -> Option<()> {
        self.0 = self.0.checked_sub(cells)?;
        Some(())
    }
}

impl Sum {
    /// Adds a counter's growth. `None` if there is no room.
    pub(super) fn counter(&mut self, step: usize, growth: f64, room: &mut Room) -> Option<()> {
        match self.counters.last_mut().filter(|(at, _)| *at == step) {
            Some((_, sum)) => *sum += growth,
            None => {
                room.take(POINT)?;
                self.counters.push((step, growth));
            }
        }
        Some(())
    }

    /// Merges the observations of a histogram. `None` if there is no room.
    pub(super) fn histogram(&mut self, step: usize, found: &Histogram, room: &mut Room) -> Option<()> {
        match self.histograms.last_mut().filter(|(at, _)| *at == step) {
            Some((_, sum)) => {
                let before = sum.len();
                sum.add(found);
                room.take(sum.len().saturating_sub(before))
            }
            None => {
                room.take(POINT + found.len())?;
                self.histograms.push((step, found.clone()));
                Some(())
            }
        }
    }

    /// Adds the values of a gauge from the step `from` to the step `until`.
    pub(super) fn gauge(
        &mut self,
        (from, until): (usize, usize),
        (low, high): (f64, f64),
        latest: Option<f64>,
        room: &mut Room,
    ) -> Option<()> {
        if until >= self.gauges.len() {
            room.take(POINT * (until + 1 - self.gauges.len()))?;
            self.gauges.resize(until + 1, None);
        }
        for place in &mut self.gauges[from..=until] {
            match place {
                Some(Value::Gauge { min, max, last }) => {
                    (*min, *max, *last) = (min.min(low), max.max(high), latest);
                }
                place => *place = Some(Value::Gauge { min: low, max: high, last: latest }),
            }
        }
        Some(())
    }

    pub(super) fn into_points(self) -> impl Iterator<Item = Point> {
        let counters =
            self.counters.into_iter().map(|(step, growth)| Point { step, value: Value::Counter(growth) });
        let histograms = self.histograms.into_iter().map(|(step, sum)| Point { step, value: sum.value() });
        let gauges = self.gauges.into_iter().enumerate();
        let gauges = gauges.filter_map(|(step, value)| Some(Point { step, value: value? }));
        counters.chain(histograms).chain(gauges)
    }
}
