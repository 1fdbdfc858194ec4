//! Protobuf format: length-delimited messages `io.prometheus.client.MetricFamily`, the only format with native histograms.
//!
//! Field numbers are those of `metrics.proto` in Prometheus' `client_model`.

use std::time::UNIX_EPOCH;

use super::exemplar::Exemplar;
use super::kind::Kind;
use super::native::NativeBuckets;

/// Writes a family with its length before it. `metrics` calls [`push_metric`] once for each series.
pub(crate) fn push_family(
    out: &mut Vec<u8>,
    kind: Kind,
    name: &str,
    help: &str,
    metrics: impl FnOnce(&mut Vec<u8>),
) {
    push_sized(out, |out| {
        push_text(out, 1, name);
        push_text(out, 2, help);
        push_u64(out, 3, type_of(kind));
        metrics(out);
    });
}

fn type_of(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Summary => 2,
        Kind::Histogram => 4,
    }
}

/// Writes one series: its labels, then what `value` writes.
pub(crate) fn push_metric<L: AsRef<str>, V: AsRef<str>>(
    out: &mut Vec<u8>,
    labels: impl IntoIterator<Item = (L, V)>,
    value: impl FnOnce(&mut Vec<u8>),
) {
    push_message(out, 4, |out| {
        labels.into_iter().for_each(|(name, value)| push_label(out, name.as_ref(), value.as_ref()));
        value(out);
    });
}

fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    push_message(out, 1, |out| {
        push_text(out, 1, name);
        push_text(out, 2, value);
    });
}

pub(crate) fn push_gauge(out: &mut Vec<u8>, value: f64) {
    push_message(out, 2, |out| push_f64(out, 1, value));
}

pub(crate) fn push_counter(out: &mut Vec<u8>, value: f64, exemplar: Option<Exemplar>) {
    push_message(out, 3, |out| {
        push_f64(out, 1, value);
        exemplar.iter().for_each(|exemplar| push_exemplar(out, 2, exemplar));
    });
}

pub(crate) fn push_summary(
    out: &mut Vec<u8>,
    count: u64,
    sum: f64,
    quantiles: impl IntoIterator<Item = (f64, f64)>,
) {
    push_message(out, 4, |out| {
        push_u64(out, 1, count);
        push_f64(out, 2, sum);
        for (quantile, value) in quantiles {
            push_message(out, 3, |out| {
                push_f64(out, 1, quantile);
                push_f64(out, 2, value);
            });
        }
    });
}

/// Classic bucket of a histogram. `cumulative` counts the observations up to `bound`.
pub(crate) struct Bucket {
    pub(crate) bound: f64,
    pub(crate) cumulative: u64,
    pub(crate) exemplar: Option<Exemplar>,
}

/// Writes a histogram. If `native` is given, a server that knows native histograms stores those buckets and ignores the
/// classic ones.
pub(crate) fn push_histogram(
    out: &mut Vec<u8>,
    count: u64,
    sum: f64,
    buckets: impl IntoIterator<Item = Bucket>,
    native: Option<&NativeBuckets>,
) {
    push_message(out, 7, |out| {
        push_u64(out, 1, count);
        push_f64(out, 2, sum);
        for bucket in buckets {
            push_message(out, 3, |out| {
                push_u64(out, 1, bucket.cumulative);
                push_f64(out, 2, bucket.bound);
                bucket.exemplar.iter().for_each(|exemplar| push_exemplar(out, 3, exemplar));
            });
        }
        native.into_iter().for_each(|native| push_native(out, native));
    });
}

/// Writes the native buckets. A zero threshold above 0 marks the histogram as native, even before its first observation.
fn push_native(out: &mut Vec<u8>, native: &NativeBuckets) {
    push_i64(out, 5, native.schema.into());
    push_f64(out, 6, native.zero_threshold);
    push_u64(out, 7, native.zero);
    push_side(out, [9, 10], native.negative.iter());
    push_side(out, [12, 13], native.positive.iter());
}

/// Writes the buckets of one side: runs of neighbours as spans, then each count as its difference from the previous one.
fn push_side<'a>(
    out: &mut Vec<u8>,
    [spans, deltas]: [u32; 2],
    buckets: impl Iterator<Item = (&'a i32, &'a u64)> + Clone,
) {
    let mut runs: Vec<(i32, u64)> = Vec::new();
    // The first span begins at its index, each further one at its distance from the end of the previous span.
    let mut next = 0;
    for (index, _) in buckets.clone() {
        match runs.last_mut() {
            Some((_, length)) if *index == next => *length += 1,
            _ => runs.push((index - next, 1)),
        }
        next = index + 1;
    }
    for (offset, length) in runs {
        push_message(out, spans, |out| {
            push_i64(out, 1, offset.into());
            push_u64(out, 2, length);
        });
    }
    let mut before = 0;
    for (_, count) in buckets {
        push_i64(out, deltas, count.wrapping_sub(before) as i64);
        before = *count;
    }
}

fn push_exemplar(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar) {
    push_message(out, field, |out| {
        push_label(out, "trace_id", exemplar.trace_id());
        push_f64(out, 2, exemplar.value);
        if let Ok(since) = exemplar.at.duration_since(UNIX_EPOCH) {
            push_message(out, 3, |out| {
                push_u64(out, 1, since.as_secs());
                push_u64(out, 2, since.subsec_nanos().into());
            });
        }
    });
}

// Wire types of the protobuf encoding.
const VARINT: u32 = 0;
const EIGHT_BYTES: u32 = 1;
const SIZED: u32 = 2;

fn push_key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    push_varint(out, u64::from(field << 3 | wire_type));
}

fn push_u64(out: &mut Vec<u8>, field: u32, value: u64) {
    push_key(out, field, VARINT);
    push_varint(out, value);
}

/// Writes a `sint64`. Its zigzag encoding keeps small negative numbers short.
fn push_i64(out: &mut Vec<u8>, field: u32, value: i64) {
    push_u64(out, field, (value << 1 ^ value >> 63) as u64);
}

fn push_f64(out: &mut Vec<u8>, field: u32, value: f64) {
    push_key(out, field, EIGHT_BYTES);
    out.extend_from_slice(&value.to_le_bytes());
}

fn push_text(out: &mut Vec<u8>, field: u32, text: &str) {
    push_key(out, field, SIZED);
    push_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn push_message(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    push_key(out, field, SIZED);
    push_sized(out, body);
}

/// Writes the length of the body, then the body.
fn push_sized(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    // The length is known only after the body is written. Most bodies are shorter than 128 bytes, so one byte is kept free
    // for the length; a longer body is moved up.
    out.push(0);
    body(out);
    let length = out.len() - start - 1;
    if length < 0x80 {
        out[start] = length as u8;
    } else {
        let mut bytes = Vec::with_capacity(10);
        push_varint(&mut bytes, length as u64);
        out.splice(start..=start, bytes);
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
