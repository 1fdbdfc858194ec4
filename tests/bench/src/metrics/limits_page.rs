//! Limits of the page: a loop that writes the lines of a counter, with each series' text kept or rendered again.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::encode::{Encoder, labels, value};
use super::record::{Op, PAIRS, Run};
use super::{Peer, page};

const HEAD: &str = "# HELP calls_total Calls answered.\n# TYPE calls_total counter\n";

/// Keeps the text of everything but the value.
pub(super) struct Cached;

/// Keeps the labels and renders their text each time.
pub(super) struct Escaped;

impl Peer for Cached {
    const SHOWS: &[Op] = &[Op::Counter];

    fn page() -> String {
        page::line("calls_total", 2)
    }

    fn record(_: Op, _: &Run) -> Option<f64> {
        None
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let prefix = |[capability, node]: [String; 2]| {
            format!("calls_total{{capability=\"{capability}\",node=\"{node}\"}} ")
        };
        let series: Vec<(Box<str>, AtomicU64)> = labels(series)
            .enumerate()
            .map(|(at, labels)| (prefix(labels).into(), AtomicU64::new(value(at))))
            .collect();
        let mut page = String::new();
        encoder(move || {
            page.clear();
            page.push_str(HEAD);
            for (prefix, value) in &series {
                page.push_str(prefix);
                push_value(&mut page, value);
            }
            page.len()
        })
    }
}

impl Peer for Escaped {
    const SHOWS: &[Op] = &[Op::Counter];

    fn page() -> String {
        let mut page = String::new();
        push_labels(&mut page, &PAIRS[0].map(str::to_owned));
        push_value(&mut page, &AtomicU64::new(2));
        page
    }

    fn record(_: Op, _: &Run) -> Option<f64> {
        None
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let series: Vec<([String; 2], AtomicU64)> =
            labels(series).enumerate().map(|(at, labels)| (labels, AtomicU64::new(value(at)))).collect();
        let mut page = String::new();
        encoder(move || {
            page.clear();
            page.push_str(HEAD);
            for (labels, value) in &series {
                push_labels(&mut page, labels);
                push_value(&mut page, value);
            }
            page.len()
        })
    }
}

fn encoder(write: impl FnMut() -> usize + 'static) -> Option<Encoder> {
    Some(Encoder { text: Some(Box::new(write)), open_metrics: None })
}

fn push_labels(page: &mut String, [first, second]: &[String; 2]) {
    page.push_str("calls_total{capability=\"");
    push_escaped(page, first);
    page.push_str("\",node=\"");
    push_escaped(page, second);
    page.push_str("\"} ");
}

fn push_escaped(page: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | b'\n')) {
        page.push_str(&rest[..at]);
        page.push_str(match rest.as_bytes()[at] {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            _ => "\\n",
        });
        rest = &rest[at + 1..];
    }
    page.push_str(rest);
}

fn push_value(page: &mut String, value: &AtomicU64) {
    page.push_str(itoa::Buffer::new().format(value.load(Relaxed)));
    page.push('\n');
}
