//! The measurements of the page: a counter with two labels and many series.

use std::time::Instant;

use super::Peer;
use crate::harness::{Scale, Values, median};

/// Numbers of series.
pub(super) const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Writes the page once and returns its length in bytes.
type Write = Box<dyn FnMut() -> usize>;

/// Formats of a contender.
pub(super) struct Encoder {
    pub(super) text: Option<Write>,
    pub(super) open_metrics: Option<Write>,
}

/// Returns the label values of every series: some capabilities, many peers.
pub(super) fn labels(series: usize) -> impl Iterator<Item = [String; 2]> {
    (0..series).map(|at| [format!("capability-{}", at % 10), format!("node-{:06}", at / 10)])
}

/// Returns a counter's value. The values have several lengths.
pub(super) fn value(at: usize) -> u64 {
    (at as u64 * 7_919) % 100_000 + 1
}

pub(super) fn task<P: Peer>(size: &str, scale: Scale) -> Values {
    let size: usize = size.parse().expect("a task ends in its number of series");
    // The first few pages grow the allocator's memory. The median is of a page that reuses it.
    let repeats = scale.of(200_000 / size).clamp(5, 50);
    let Some(Encoder { text, open_metrics }) = P::encoder(size) else { return Values::new() };
    let mut values = Values::new();
    for (format, write) in [("text", text), ("open", open_metrics)] {
        let Some(mut write) = write else { continue };
        let bytes = write();
        assert!(bytes > size * 40, "{bytes} bytes are too few for {size} series");
        let times = (0..repeats).map(|_| {
            let begin = Instant::now();
            write();
            begin.elapsed().as_secs_f64()
        });
        let seconds = median(times.collect());
        values.push((format!("{format}-{size}"), seconds * 1e6));
        values.push((format!("{format}-rate-{size}"), bytes as f64 / seconds / 1e6));
    }
    values
}
