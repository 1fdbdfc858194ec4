//! Reader of the protobuf format, by another library. The messages are those of `metrics.proto` in Prometheus'
//! `client_model`.

use std::collections::BTreeMap;

use prost::{Enumeration, Message};

use super::{Family, Labels, Sample};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
enum MetricType {
    Counter = 0,
    Gauge = 1,
    Summary = 2,
    Untyped = 3,
    Histogram = 4,
    GaugeHistogram = 5,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Number {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Quantile {
    #[prost(double, optional, tag = "1")]
    quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<Quantile>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(enumeration = "MetricType", optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

/// Native buckets of a series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Native {
    pub(crate) labels: Labels,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero: u64,
    pub(crate) positive: BTreeMap<i32, u64>,
    pub(crate) negative: BTreeMap<i32, u64>,
}

/// Contents of a protobuf page: families as in the text format, and native buckets by family.
pub(crate) struct Page {
    pub(crate) families: Vec<Family>,
    pub(crate) native: BTreeMap<String, Vec<Native>>,
}

pub(crate) fn read(mut bytes: &[u8]) -> Page {
    let mut page = Page { families: Vec::new(), native: BTreeMap::new() };
    while !bytes.is_empty() {
        let before = bytes;
        let family = MetricFamily::decode_length_delimited(&mut bytes).expect("a message");
        let read = &before[..before.len() - bytes.len()];
        assert_eq!(
            family.encode_length_delimited_to_vec(),
            read,
            "no unknown field, and the shortest encoding"
        );
        page.push(family);
    }
    assert!(page.families.is_sorted_by(|a, b| a.name < b.name), "families are sorted and complete");
    page
}

impl Page {
    fn push(&mut self, family: MetricFamily) {
        let name = family.name.clone().expect("a name");
        let kind = family.kind();
        let mut samples = Vec::new();
        for metric in &family.metric {
            let labels: Labels = metric.label.iter().map(pair).collect();
            let values = match kind {
                MetricType::Counter => {
                    let counter = metric.counter.as_ref().expect("a counter");
                    vec![("", None, counter.value, counter.exemplar.as_ref())]
                }
                MetricType::Gauge => vec![("", None, metric.gauge.expect("a gauge").value, None)],
                MetricType::Summary => metric.summary.as_ref().expect("a summary").values(),
                MetricType::Histogram => {
                    let histogram = metric.histogram.as_ref().expect("a histogram");
                    self.native.entry(name.clone()).or_default().extend(histogram.native(labels.clone()));
                    histogram.values()
                }
                other => panic!("{other:?}"),
            };
            samples.extend(values.into_iter().map(|(suffix, bound, value, exemplar)| {
                let bound = bound.map(|(label, bound): (&str, f64)| (label.to_owned(), bound.to_string()));
                sample(
                    format!("{name}{suffix}"),
                    labels.iter().cloned().chain(bound).collect(),
                    value,
                    exemplar,
                )
            }));
        }
        let kind = format!("{kind:?}").to_lowercase();
        self.families.push(Family { name, kind, help: family.help.expect("a help"), samples });
    }
}

type Value<'a> = (&'static str, Option<(&'static str, f64)>, Option<f64>, Option<&'a Exemplar>);

impl Summary {
    fn values(&self) -> Vec<Value<'_>> {
        let quantile =
            |quantile: &Quantile| ("", Some(("quantile", quantile.quantile.unwrap())), quantile.value, None);
        let count = self.sample_count.map(|count| count as f64);
        self.quantile.iter().map(quantile).chain(sum_and_count(self.sample_sum, count)).collect()
    }
}

impl Histogram {
    fn values(&self) -> Vec<Value<'_>> {
        let bucket = |bucket: &'_ Bucket| {
            let count = bucket.cumulative_count.map(|count| count as f64);
            (Some(("le", bucket.upper_bound.unwrap())), count)
        };
        let buckets = self.bucket.iter().map(|found| {
            let (bound, count) = bucket(found);
            ("_bucket", bound, count, found.exemplar.as_ref())
        });
        let count = self.sample_count.map(|count| count as f64);
        buckets.chain(sum_and_count(self.sample_sum, count)).collect()
    }

    fn native(&self, labels: Labels) -> Option<Native> {
        let native = Native {
            labels,
            count: self.sample_count.expect("a count"),
            sum: self.sample_sum.expect("a sum"),
            schema: self.schema?,
            zero_threshold: self.zero_threshold.expect("a threshold"),
            zero: self.zero_count.expect("a zero bucket"),
            positive: side(&self.positive_span, &self.positive_delta),
            negative: side(&self.negative_span, &self.negative_delta),
        };
        let counted =
            native.zero + native.positive.values().sum::<u64>() + native.negative.values().sum::<u64>();
        assert_eq!(counted, native.count, "every observation is in one bucket");
        Some(native)
    }
}

fn sum_and_count(sum: Option<f64>, count: Option<f64>) -> [Value<'static>; 2] {
    [("_sum", None, sum, None), ("_count", None, count, None)]
}

/// Returns counts by bucket index.
fn side(spans: &[BucketSpan], deltas: &[i64]) -> BTreeMap<i32, u64> {
    let mut counts = BTreeMap::new();
    let mut deltas = deltas.iter();
    let (mut index, mut count) = (0, 0);
    for span in spans {
        index += span.offset.expect("an offset");
        for _ in 0..span.length.expect("a length") {
            count += deltas.next().expect("a delta for each bucket");
            assert!(count > 0, "no bucket is empty");
            counts.insert(index, count as u64);
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    counts
}

fn pair(pair: &LabelPair) -> (String, String) {
    (pair.name.clone().unwrap(), pair.value.clone().unwrap())
}

fn sample(name: String, labels: Labels, value: Option<f64>, exemplar: Option<&Exemplar>) -> Sample {
    let value = value.expect("a value");
    let value = if value.is_nan() { f64::NAN } else { value };
    let exemplar = exemplar.map(|exemplar| {
        assert!(exemplar.timestamp.is_some_and(|at| at.seconds > 1_700_000_000), "{exemplar:?}");
        (exemplar.label.iter().map(pair).collect(), exemplar.value.unwrap())
    });
    Sample { name, labels, value: value.to_bits(), exemplar }
}

/// Asserts that both pages show the same. Bounds are compared as numbers. Exemplars are ignored, because the text format has
/// none.
pub(crate) fn assert_agrees_with_text(page: &Page, text: &[Family]) {
    let plain = |family: &Family| {
        let mut family = family.clone();
        for sample in &mut family.samples {
            sample.exemplar = None;
            for (name, value) in &mut sample.labels {
                if matches!(&**name, "le" | "quantile") {
                    *value = value.parse::<f64>().expect("a bound").to_string();
                }
            }
        }
        family
    };
    let [page, text] = [&page.families, text].map(|families| families.iter().map(plain).collect::<Vec<_>>());
    assert_eq!(page, text);
}
