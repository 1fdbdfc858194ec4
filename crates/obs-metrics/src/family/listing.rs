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
    /// Rows in the order of the page.
    rows: Box<[Row]>,
    /// Series in order of their addresses.
    series: Box<[Arc<Series<C>>]>,
}

/// Row of the page. Both numbers fit: a row has its labels, and 2³² series do not fit into memory.
struct Row {
    /// Bytes in the text.
    length: u32,
    /// Index of the series.
    series: u32,
}

impl<C: Cell> Listing<C> {
    pub(crate) fn new(desc: &Desc, version: u64, mut series: Vec<Arc<Series<C>>>) -> Self {
        series.sort_unstable_by(|a, b| a.values.cmp(&b.values));
        let mut text = String::new();
        let row = |series: &Arc<Series<C>>| {
            let start = text.len();
            C::prefix(desc, &series.values, &mut text);
            Row { length: (text.len() - start) as u32, series: 0 }
        };
        let mut rows: Box<[Row]> = series.iter().map(row).collect();
        let mut by_address: Vec<_> = series.into_iter().enumerate().collect();
        by_address.sort_unstable_by_key(|(_, series)| Arc::as_ptr(series));
        for (index, (row, _)) in by_address.iter().enumerate() {
            rows[*row].series = index as u32;
        }
        Self { version, text, rows, series: by_address.into_iter().map(|(_, series)| series).collect() }
    }

    fn series_of(&self, row: &Row) -> &Series<C> {
        &self.series[row.series as usize]
    }

    pub(crate) fn encode_protobuf(&self, desc: &Desc, out: &mut Vec<u8>) {
        // An estimate that spares most reallocations: the labels take about as much as their text.
        out.reserve(self.text.len() + 32 * self.rows.len());
        for series in self.rows.iter().map(|row| self.series_of(row)) {
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
        self.rows.iter().map(|row| of(self.series_of(row))).collect()
    }

    pub(crate) fn encode(&self, desc: &Desc, format: Format, out: &mut String) {
        out.reserve(self.text.len() + 16 * self.rows.len());
        let mut rest = &*self.text;
        let mut write = |row: &Row, reading: &C::Reading| {
            let (prefix, after) = rest.split_at(row.length as usize);
            self.series_of(row).cell.encode(reading, desc, prefix, format, out);
            rest = after;
        };
        if C::IS_ONE_NUMBER {
            // The order of the addresses crosses each page of memory once. That of the page crosses most of them for each
            // value of the first label, and the processor looks up the addresses of pages longer than it reads.
            let readings: Vec<C::Reading> = self.series.iter().map(|series| series.cell.read()).collect();
            self.rows.iter().for_each(|row| write(row, &readings[row.series as usize]));
            return;
        }
        // Cells are read in groups before they are written, so that the processor fetches their cache lines side by side.
        // 64 readings fit into the first-level cache.
        const GROUP: usize = 64;
        let mut readings = Vec::with_capacity(GROUP);
        for rows in self.rows.chunks(GROUP) {
            readings.extend(rows.iter().map(|row| self.series_of(row).cell.read()));
            rows.iter().zip(readings.drain(..)).for_each(|(row, reading)| write(row, &reading));
        }
    }
}
