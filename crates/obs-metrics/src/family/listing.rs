//! What a scrape reads of a family: its rows in order, kept from scrape to scrape.

use std::sync::Arc;

use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::family::desc::Desc;
use crate::family::series::{Cell, Series};

/// The rows in order with the unchanging part of their text, kept from scrape to scrape.
pub(crate) struct Listing<C> {
    pub(crate) version: u64,
    text: String,
    /// Where a row's text ends, and its series.
    pub(crate) rows: Vec<(usize, Arc<Series<C>>)>,
}

impl<C: Cell> Listing<C> {
    pub(crate) fn new(desc: &Desc, version: u64, mut series: Vec<Arc<Series<C>>>) -> Self {
        series.sort_unstable_by(|a, b| a.values.cmp(&b.values));
        let mut text = String::new();
        let prefix = |series: Arc<Series<C>>| {
            C::prefix(desc, &series.values, &mut text);
            (text.len(), series)
        };
        let rows = series.into_iter().map(prefix).collect();
        Self { version, rows, text }
    }

    pub(crate) fn encode_protobuf(&self, desc: &Desc, out: &mut Vec<u8>) {
        out.reserve(self.text.len() + 32 * self.rows.len());
        for (_, series) in &self.rows {
            let labels = desc.labels.iter().zip(&series.values);
            protobuf::push_metric(out, labels, |out| {
                series.cell.encode_protobuf(series.cell.read(), desc, out);
            });
        }
    }

    pub(crate) fn encode(&self, desc: &Desc, format: Format, out: &mut String) {
        const AT_ONCE: usize = 64;
        out.reserve(self.text.len() + 16 * self.rows.len());
        let mut start = 0;
        let mut readings = Vec::with_capacity(AT_ONCE);
        for rows in self.rows.chunks(AT_ONCE) {
            readings.extend(rows.iter().map(|(_, series)| series.cell.read()));
            for ((end, series), reading) in rows.iter().zip(readings.drain(..)) {
                series.cell.encode(reading, desc, &self.text[start..*end], format, out);
                start = *end;
            }
        }
    }
}
