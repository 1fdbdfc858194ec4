//! Families as metrics of OTLP.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use obs_metrics::{
    ExemplarSnapshot, FamilySnapshot, HistogramValue, Kind, NativeBuckets, SampleValue, SeriesSnapshot,
    SummaryValue,
};
use obs_otlp::message::{
    Buckets, Data, Exemplar, ExponentialHistogram, ExponentialPoint, Gauge, Histogram, HistogramPoint,
    KeyValue, Metric, Number, NumberPoint, Quantile, Sum, Summary, SummaryPoint, temporality, text,
};

use super::series::{Reading, Series};
use super::spans::RootSpans;

/// One collection: the families at one moment.
pub(super) struct Collection<'a> {
    series: &'a mut Series,
    spans: &'a RootSpans,
    is_delta: bool,
    now: SystemTime,
}

/// Maximum number of buckets of a side, with empty ones between. OpenTelemetry's own libraries have the same.
const MAX_BUCKETS: i64 = 160;
/// Smallest scale. All numbers fit into less than [`MAX_BUCKETS`] buckets of it.
const MIN_SCALE: i32 = -4;

impl<'a> Collection<'a> {
    pub(super) fn new(
        series: &'a mut Series,
        spans: &'a RootSpans,
        is_delta: bool,
        now: SystemTime,
    ) -> Collection<'a> {
        Collection { series, spans, is_delta, now }
    }

    /// Returns a family as a metric, and the number of its points. `None` if it has none.
    pub(super) fn metric(&mut self, family: FamilySnapshot) -> Option<(Metric, usize)> {
        let (data, points) = match family.kind {
            Kind::Gauge => self.gauge(&family),
            Kind::Counter => self.sum(&family),
            Kind::Summary => self.summary(&family),
            Kind::Histogram if is_native(&family) => self.exponential(&family),
            Kind::Histogram => self.histogram(&family),
            _ => return None,
        };
        let unit = unit_of(&family.name).to_owned();
        let metric = Metric { name: family.name, description: family.help, unit, data: Some(data) };
        (points > 0).then_some((metric, points))
    }

    fn temporality(&self) -> i32 {
        if self.is_delta { temporality::DELTA } else { temporality::CUMULATIVE }
    }

    /// Returns the value of a series in the configured temporality. `None` for an interval without an observation.
    fn reading(&mut self, family: &FamilySnapshot, series: &SeriesSnapshot) -> Option<Reading> {
        if !self.is_delta {
            return Some(self.series.cumulative(family, series));
        }
        let reading = self.series.delta(family, series);
        let is_empty = match &reading.value {
            SampleValue::Counter(growth) => *growth == 0.0,
            SampleValue::Histogram(histogram) => histogram.count() == 0,
            _ => false,
        };
        (!is_empty).then_some(reading)
    }

    fn gauge(&mut self, family: &FamilySnapshot) -> (Data, usize) {
        let points = family.series.iter().filter_map(|series| match series.value {
            SampleValue::Gauge(value) => Some(self.number(series, None, value)),
            _ => None,
        });
        let data_points: Vec<_> = points.collect();
        let points = data_points.len();
        (Data::Gauge(Gauge { data_points }), points)
    }

    fn sum(&mut self, family: &FamilySnapshot) -> (Data, usize) {
        let mut data_points = Vec::new();
        for series in &family.series {
            if let Some(Reading { start, value: SampleValue::Counter(value) }) = self.reading(family, series)
                && value.is_finite()
            {
                data_points.push(self.number(series, Some(start), value));
            }
        }
        let points = data_points.len();
        let aggregation_temporality = self.temporality();
        (Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true }), points)
    }

    fn number(&self, series: &SeriesSnapshot, start: Option<SystemTime>, value: f64) -> NumberPoint {
        NumberPoint {
            attributes: attributes(series),
            start_time_unix_nano: start.map_or(0, nanos),
            time_unix_nano: nanos(self.now),
            value: Some(Number::Double(value)),
            exemplars: self.exemplars(series, start),
        }
    }

    fn histogram(&mut self, family: &FamilySnapshot) -> (Data, usize) {
        let mut data_points = Vec::new();
        for series in &family.series {
            if let Some(Reading { start, value: SampleValue::Histogram(value) }) =
                self.reading(family, series)
            {
                data_points.push(self.explicit_point(series, start, value));
            }
        }
        let points = data_points.len();
        let aggregation_temporality = self.temporality();
        (Data::Histogram(Histogram { data_points, aggregation_temporality }), points)
    }

    fn explicit_point(
        &self,
        series: &SeriesSnapshot,
        start: SystemTime,
        value: HistogramValue,
    ) -> HistogramPoint {
        HistogramPoint {
            attributes: attributes(series),
            start_time_unix_nano: nanos(start),
            time_unix_nano: nanos(self.now),
            count: value.count(),
            sum: sum_of(value.sum),
            bucket_counts: value.counts,
            explicit_bounds: value.bounds,
            exemplars: self.exemplars(series, Some(start)),
        }
    }

    fn exponential(&mut self, family: &FamilySnapshot) -> (Data, usize) {
        let mut data_points = Vec::new();
        for series in &family.series {
            if let Some(Reading { start, value: SampleValue::Histogram(value) }) =
                self.reading(family, series)
                && let Some(native) = value.native
            {
                data_points.push(self.exponential_point(series, start, value.sum, native));
            }
        }
        let points = data_points.len();
        let aggregation_temporality = self.temporality();
        (Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality }), points)
    }

    fn exponential_point(
        &self,
        series: &SeriesSnapshot,
        start: SystemTime,
        sum: f64,
        native: NativeBuckets,
    ) -> ExponentialPoint {
        let native = fitting(native);
        ExponentialPoint {
            attributes: attributes(series),
            start_time_unix_nano: nanos(start),
            time_unix_nano: nanos(self.now),
            count: native.count(),
            sum: sum_of(sum),
            scale: native.schema,
            zero_count: native.zero,
            positive: side(&native.positive),
            negative: side(&native.negative),
            exemplars: self.exemplars(series, Some(start)),
            zero_threshold: native.zero_threshold,
        }
    }

    /// Summaries have no temporality: their quantiles are those of the last minutes, and count and sum are cumulative.
    fn summary(&mut self, family: &FamilySnapshot) -> (Data, usize) {
        let mut data_points = Vec::new();
        for series in &family.series {
            let Reading { start, value } = self.series.cumulative(family, series);
            if let SampleValue::Summary(SummaryValue { quantiles, sum, count, .. }) = value {
                let quantiles = quantiles.into_iter().filter(|(_, value)| value.is_finite());
                data_points.push(SummaryPoint {
                    attributes: attributes(series),
                    start_time_unix_nano: nanos(start),
                    time_unix_nano: nanos(self.now),
                    count,
                    sum,
                    quantile_values: quantiles
                        .map(|(quantile, value)| Quantile { quantile, value })
                        .collect(),
                });
            }
        }
        let points = data_points.len();
        (Data::Summary(Summary { data_points }), points)
    }

    /// Returns the exemplar of a series, if it is of the time that the point covers.
    fn exemplars(&self, series: &SeriesSnapshot, start: Option<SystemTime>) -> Vec<Exemplar> {
        let within = |exemplar: &&ExemplarSnapshot| start.is_none_or(|start| exemplar.at >= start);
        let exemplar = series.exemplar.iter().filter(within).map(|exemplar| {
            let (trace_id, span_id) = self.spans.ids(&exemplar.trace_id);
            let time_unix_nano = nanos(exemplar.at);
            Exemplar { time_unix_nano, as_double: Some(exemplar.value), span_id, trace_id }
        });
        exemplar.collect()
    }
}

fn is_native(family: &FamilySnapshot) -> bool {
    let native = |series: &SeriesSnapshot| match &series.value {
        SampleValue::Histogram(histogram) => histogram.native.is_some(),
        _ => false,
    };
    !family.series.is_empty() && family.series.iter().all(native)
}

/// Returns the unit by the name's suffix. A unit that a name does not spell out is left out, because a server would add it to
/// the name.
fn unit_of(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name.rsplit_once('_') {
        Some((_, "seconds")) => "s",
        Some((_, "bytes")) => "By",
        _ => "",
    }
}

fn attributes(series: &SeriesSnapshot) -> Vec<KeyValue> {
    series.labels.iter().map(|(name, value)| text(name, value)).collect()
}

/// Returns a sum, unless an infinite observation made it useless.
fn sum_of(sum: f64) -> Option<f64> {
    sum.is_finite().then_some(sum)
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Leaves out infinite observations, which OpenTelemetry does not count, and merges buckets until both sides fit. Finite ones
/// beyond 2^64 are left out too, because they share a bucket with the infinite ones.
fn fitting(mut native: NativeBuckets) -> NativeBuckets {
    // The bucket with this index ends at 2^1024, above all finite numbers.
    let last = |schema: i32| (1024.0 * f64::from(schema).exp2()) as i32;
    let infinite = last(native.schema);
    native.positive.retain(|index, _| *index <= infinite);
    native.negative.retain(|index, _| *index <= infinite);
    while native.schema > MIN_SCALE && width(&native.positive).max(width(&native.negative)) > MAX_BUCKETS {
        let mut coarse = NativeBuckets::empty(native.schema - 1, native.zero_threshold);
        coarse.merge(&native);
        native = coarse;
    }
    native
}

/// Returns the number of buckets from the first to the last.
fn width(side: &BTreeMap<i32, u64>) -> i64 {
    match (side.first_key_value(), side.last_key_value()) {
        (Some((first, _)), Some((last, _))) => i64::from(*last) - i64::from(*first) + 1,
        _ => 0,
    }
}

/// Returns the buckets of a side. Ours are numbered by their upper bound, and those of OpenTelemetry by their lower one.
fn side(buckets: &BTreeMap<i32, u64>) -> Option<Buckets> {
    let first = *buckets.first_key_value()?.0;
    let mut bucket_counts = vec![0; usize::try_from(width(buckets)).unwrap_or(0)];
    for (index, count) in buckets {
        if let Some(bucket) = bucket_counts.get_mut((index - first) as usize) {
            *bucket = *count;
        }
    }
    Some(Buckets { offset: first - 1, bucket_counts })
}

#[cfg(test)]
mod tests {
    use obs_metrics::Registry;
    use std::time::Duration;

    use super::*;

    /// Returns the metric of the family `name` in a collection.
    fn collect(registry: &Registry, series: &mut Series, is_delta: bool, at: SystemTime) -> Option<Metric> {
        let family = registry.snapshot(|name, _| name.starts_with("test_")).remove(0);
        let spans = RootSpans::default();
        let metric = Collection::new(series, &spans, is_delta, at).metric(family);
        series.end_collection(at);
        metric.map(|(metric, _)| metric)
    }

    fn sum(metric: &Metric) -> (f64, u64, u64) {
        let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
        let point = &sum.data_points[0];
        let Some(Number::Double(value)) = point.value else { panic!("{point:?}") };
        (value, point.start_time_unix_nano, point.time_unix_nano)
    }

    #[test]
    fn sums_are_since_the_start_or_since_the_last_collection() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let ns = |seconds: u64| seconds * 1_000_000_000;
        let registry = Registry::new();
        let calls = registry.counter("test_calls_total", "Calls.", ["result"]);
        let (mut whole, mut delta) = (Series::since(at(10)), Series::since(at(10)));
        calls.with(["ok"]).add(5);
        assert_eq!(sum(&collect(&registry, &mut whole, false, at(20)).unwrap()), (5.0, ns(10), ns(20)));
        assert_eq!(sum(&collect(&registry, &mut delta, true, at(20)).unwrap()), (5.0, ns(10), ns(20)));
        calls.with(["ok"]).add(2);
        assert_eq!(sum(&collect(&registry, &mut whole, false, at(30)).unwrap()), (7.0, ns(10), ns(30)));
        assert_eq!(sum(&collect(&registry, &mut delta, true, at(30)).unwrap()), (2.0, ns(20), ns(30)));
        assert_eq!(collect(&registry, &mut delta, true, at(40)), None, "nothing came");
        assert!(collect(&registry, &mut whole, false, at(40)).is_some());

        // A series that counts from 0 again begins after the collection before.
        let again = Registry::new();
        again.counter("test_calls_total", "Calls.", ["result"]).with(["ok"]).inc();
        assert_eq!(sum(&collect(&again, &mut whole, false, at(50)).unwrap()), (1.0, ns(40), ns(50)));
        assert_eq!(sum(&collect(&again, &mut delta, true, at(50)).unwrap()), (1.0, ns(40), ns(50)));
    }

    /// Returns the value of a share in exponential buckets, as OpenTelemetry numbers them: bucket `i` of an offset holds the
    /// values above base^(offset + i) up to base^(offset + i + 1).
    fn bounds_of_rank(point: &ExponentialPoint, rank: u64) -> (f64, f64) {
        let base = 2f64.powf(2f64.powi(-point.scale));
        let positive = point.positive.as_ref().unwrap();
        let mut seen = point.zero_count;
        for (at, count) in positive.bucket_counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let index = positive.offset + at as i32;
                return (base.powi(index), base.powi(index + 1));
            }
        }
        panic!("{rank} of {point:?}")
    }

    fn exponential(registry: &Registry, series: &mut Series, is_delta: bool) -> ExponentialPoint {
        let metric = collect(registry, series, is_delta, SystemTime::now()).unwrap();
        assert_eq!(metric.unit, "s");
        let Some(Data::ExponentialHistogram(histogram)) = metric.data else { panic!("{metric:?}") };
        histogram.data_points.into_iter().next().unwrap()
    }

    /// Observations of many sizes, from a fixed sequence of pseudo-random numbers.
    #[test]
    fn the_exact_quantile_lies_in_its_exponential_bucket() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) as f64 / (1_u64 << 53) as f64
        };
        for round in 0..60 {
            let registry = Registry::new();
            let waits = registry.histogram("test_wait_seconds", "Waits.", [], &[]).native().with([]);
            let mut series = Series::since(UNIX_EPOCH);
            // Spreads from one octave to forty, and exact powers of two.
            let spread = f64::from(1 + round % 40);
            let mut values: Vec<f64> = (0..200).map(|_| (spread * (next() - 0.5)).exp2()).collect();
            values.extend([0.25, 0.5, 1.0, 2.0]);
            values.iter().for_each(|value| waits.observe(*value));
            values.sort_by(f64::total_cmp);
            let point = exponential(&registry, &mut series, round % 2 == 1);
            let buckets = point.positive.as_ref().unwrap();
            assert_eq!(point.count, values.len() as u64);
            assert_eq!(point.count, point.zero_count + buckets.bucket_counts.iter().sum::<u64>());
            assert!(buckets.bucket_counts.len() <= MAX_BUCKETS as usize);
            for share in [0.01, 0.5, 0.9, 0.99, 1.0] {
                let rank = ((share * values.len() as f64).ceil() as u64).max(1);
                let exact = values[rank as usize - 1];
                let (lower, upper) = bounds_of_rank(&point, rank);
                let is_in = exact > lower * (1.0 - 1e-12) && exact <= upper * (1.0 + 1e-12);
                assert!(is_in, "{exact} is not in {lower}..{upper}, scale {}", point.scale);
            }
        }
    }

    #[test]
    fn extreme_observations_fit_and_infinite_ones_are_left_out() {
        let registry = Registry::new();
        let waits = registry.histogram("test_wait_seconds", "Waits.", [], &[]).native().with([]);
        let largest = 2f64.powi(64);
        for value in [f64::MIN_POSITIVE, largest, 1.0, -1.0, 0.0, f64::MAX, f64::INFINITY] {
            waits.observe(value);
        }
        let point = exponential(&registry, &mut Series::since(UNIX_EPOCH), false);
        let counts =
            |side: &Option<Buckets>| side.iter().flat_map(|side| side.bucket_counts.clone()).sum::<u64>();
        assert_eq!(point.count, 5, "all but those beyond 2^64");
        assert_eq!(point.count, counts(&point.positive) + counts(&point.negative) + point.zero_count);
        assert_eq!(point.sum, None);
        assert!(point.positive.unwrap().bucket_counts.len() <= MAX_BUCKETS as usize);
    }

    #[test]
    fn the_unit_is_the_one_that_the_name_spells_out() {
        for (name, unit) in
            [("a_seconds", "s"), ("a_bytes_total", "By"), ("a_total", ""), ("seconds", ""), ("a_ms", "")]
        {
            assert_eq!(unit_of(name), unit, "{name}");
        }
    }
}
