//! Prometheus' protobuf format, `io.prometheus.client.MetricFamily`, delimited: the one that carries native histograms.

use std::time::UNIX_EPOCH;

use crate::cell::exemplar::Exemplar;
use crate::cell::histogram::native::{NativeBuckets, ZERO_THRESHOLD};
use crate::family::desc::Kind;

/// A whole family with its length before it; `metrics` writes what [`push_metric`] writes, once for each series.
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

/// One series: its labels, and what `value` writes of it.
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

/// A bucket as histograms had them before: its upper bound, what is in it and all below, and an exemplar.
pub(crate) struct Bucket {
    pub(crate) bound: f64,
    pub(crate) cumulative: u64,
    pub(crate) exemplar: Option<Exemplar>,
}

/// With `native`, a server that knows native histograms takes those buckets, any other one the classic ones.
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

/// A threshold above zero tells the reader, also before the first observation, that this is a native histogram.
fn push_native(out: &mut Vec<u8>, native: &NativeBuckets) {
    push_i64(out, 5, native.schema.into());
    push_f64(out, 6, ZERO_THRESHOLD);
    push_u64(out, 7, native.zero);
    push_side(out, [9, 10], native.negative.iter());
    push_side(out, [12, 13], native.positive.iter());
}

/// Runs of neighbours as spans, then each count as its difference from the one before.
fn push_side<'a>(
    out: &mut Vec<u8>,
    [spans, deltas]: [u32; 2],
    buckets: impl Iterator<Item = (&'a i32, &'a u64)> + Clone,
) {
    let mut runs: Vec<(i32, u64)> = Vec::new();
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

/// As `sint`: small numbers are short on both sides of zero.
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

/// The length goes before the body and is known after it. Most bodies are short, so one byte is kept free for it; a longer
/// one is moved up.
fn push_sized(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
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
