//! Sorted series of a family, kept from scrape to scrape.

use std::sync::Arc;

use super::series::Series;
use crate::cell::Cell;
use crate::desc::Desc;
use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::snapshot::SeriesSnapshot;

/// Series in order of their label values, with the part of their text that does not change.
pub(crate) struct Listing<C> {
    /// Version of the table that it was made from.
    pub(crate) version: u64,
    text: String,
    /// End of each row in `text`, and its series.
    rows: Vec<(usize, Arc<Series<C>>)>,
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
        // An estimate that spares most reallocations: the labels take about as much as their text.
        out.reserve(self.text.len() + 32 * self.rows.len());
        for (_, series) in &self.rows {
            let labels = desc.labels.iter().zip(&series.values);
            protobuf::push_metric(out, labels, |out| {
                series.cell.encode_protobuf(series.cell.read(), desc, out);
            });
        }
    }

    pub(crate) fn snapshot(&self, desc: &Desc) -> Vec<SeriesSnapshot> {
        let of = |series: &Series<C>| {
            let value = series.cell.value_of(series.cell.read(), desc);
            SeriesSnapshot::new(&desc.labels, &series.values, value, series.cell.newest_exemplar())
        };
        self.rows.iter().map(|(_, series)| of(series)).collect()
    }

    pub(crate) fn encode(&self, desc: &Desc, format: Format, out: &mut String) {
        // Cells are read in groups before they are written, so that the processor fetches their cache lines side by side.
        // 64 readings fit into the first-level cache.
        const GROUP: usize = 64;
        out.reserve(self.text.len() + 16 * self.rows.len());
        let mut start = 0;
        let mut readings = Vec::with_capacity(GROUP);
        for rows in self.rows.chunks(GROUP) {
            readings.extend(rows.iter().map(|(_, series)| series.cell.read()));
            for ((end, series), reading) in rows.iter().zip(readings.drain(..)) {
                series.cell.encode(reading, desc, &self.text[start..*end], format, out);
                start = *end;
            }
        }
    }
}
