//! Storage of a series: one type for each kind of family.
//!
//! A cell is written by many threads and read by a scrape. It knows neither its labels nor its family.

pub(crate) mod counter;
pub(crate) mod exemplar;
pub(crate) mod gauge;
pub(crate) mod histogram;
#[cfg(all(test, obs_loom))]
pub(crate) mod models;
#[cfg(all(test, not(obs_loom)))]
#[path = "../../tests/it/raise.rs"]
mod raise;
pub(crate) mod summary;
pub(crate) mod sync;
mod thread_slot;

use std::fmt;

use crate::desc::Desc;
use crate::exposition::format::Format;
use crate::snapshot::{ExemplarSnapshot, SampleValue};

/// Cell that takes observations.
pub trait Observed: Cell {
    /// Records a value, which is a number.
    fn observe(&self, value: f64);
}

/// Storage of one series.
pub trait Cell: fmt::Debug + Send + Sync + Sized + 'static {
    /// Contents of a cell at one moment.
    type Reading;

    /// Whether a reading is a number, so that a page can hold those of all series at once.
    const IS_ONE_NUMBER: bool = false;

    /// Returns an empty cell for a family with this declaration.
    fn new(desc: &Desc) -> Self;

    /// Writes the text that is the same in every scrape, which the family keeps: all of a scalar's line before its value,
    /// or the labels of a series that has several lines.
    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String);

    /// Reads the cell. Reading is apart from encoding, so that a page reads many cells in a row and the processor fetches
    /// them from memory side by side.
    fn read(&self) -> Self::Reading;

    /// Writes the sample lines of the series.
    fn encode(&self, reading: &Self::Reading, desc: &Desc, prefix: &str, format: Format, out: &mut String);

    /// Writes the value of the series in the protobuf format.
    fn encode_protobuf(&self, reading: Self::Reading, desc: &Desc, out: &mut Vec<u8>);

    /// Returns the value of the series.
    fn value_of(&self, reading: Self::Reading, desc: &Desc) -> SampleValue;

    /// Returns the newest exemplar. Only counters and histograms have some.
    fn newest_exemplar(&self) -> Option<ExemplarSnapshot> {
        None
    }

    /// Returns whether the cell of a removed series has a value that its removal has missed. Only gauges have leases, whose
    /// end can miss one.
    fn has_value(&self) -> bool {
        false
    }
}
