//! The measurements of trace IDs.

use super::measure::time;
use crate::harness::{Scale, Values};

/// Operations on trace IDs. Each runs `count` times and returns the nanoseconds of one.
pub(super) struct Ids {
    pub(super) make: fn(usize) -> f64,
    pub(super) format: fn(usize) -> f64,
    pub(super) parse: fn(usize) -> f64,
}

impl Ids {
    pub(super) fn measure(&self, scale: Scale) -> Values {
        let calls = scale.of(200_000);
        [("id-make", self.make), ("id-format", self.format), ("id-parse", self.parse)]
            .map(|(column, op)| (column.to_owned(), op(calls)))
            .into()
    }
}

/// Times an operation on each item in turn.
pub(super) fn time_over<T, R>(things: &[T], calls: usize, op: impl Fn(&T) -> R) -> f64 {
    let mut at = 0;
    time(calls, || {
        at = (at + 1) % things.len();
        std::hint::black_box(op(&things[at]));
    })
}
