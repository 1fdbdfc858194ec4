//! History of requests and errors per second.

use std::collections::VecDeque;
use std::time::Instant;

use super::model::Status;

/// Number of samples kept: more than the columns of any terminal in use.
const KEPT: usize = 512;

/// Requests and errors per second between two answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) requests: f64,
    pub(super) errors: f64,
}

/// Ring of rates, oldest first. An interval without an answer is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    samples: VecDeque<Option<Rate>>,
    last: Option<Reading>,
}

/// Counts of one answer.
#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    pid: u64,
    requests: u64,
    errors: u64,
}

impl Rates {
    /// Adds the interval that ends with this answer. A node without totals adds nothing.
    pub(super) fn add(&mut self, status: &Status, at: Instant) {
        let Some(totals) = status.since_start else { return };
        let now = Reading { at, pid: status.node.pid, requests: totals.requests, errors: totals.errors };
        if let Some(last) = self.last.replace(now.clone()) {
            self.push(rate(&last, &now));
        }
    }

    /// Adds an interval without an answer.
    pub(super) fn add_gap(&mut self) {
        // A rate over the gap would show calls at a time at which nothing is known.
        self.last = None;
        self.push(None);
    }

    pub(super) fn samples(&self) -> impl DoubleEndedIterator<Item = Option<Rate>> + '_ {
        self.samples.iter().copied()
    }

    /// Returns the newest rate, if the last interval has one.
    pub(super) fn newest(&self) -> Option<Rate> {
        self.samples.back().copied().flatten()
    }

    fn push(&mut self, sample: Option<Rate>) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }
}

fn rate(last: &Reading, now: &Reading) -> Option<Rate> {
    // The counts begin again at 0 in another process.
    if now.pid != last.pid {
        return None;
    }
    let seconds = now.at.saturating_duration_since(last.at).as_secs_f64();
    let per_second = |last: u64, now: u64| now.saturating_sub(last) as f64 / seconds;
    (seconds > 0.0).then(|| Rate {
        requests: per_second(last.requests, now.requests),
        errors: per_second(last.errors, now.errors),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::top::model::{Node, Totals};

    fn status(pid: u64, requests: u64, errors: u64) -> Status {
        let node = Node { pid, ..Node::default() };
        Status { node, since_start: Some(Totals { requests, errors }), ..Status::default() }
    }

    #[test]
    fn rates_are_differences_over_time() {
        let (mut rates, begin) = (Rates::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        rates.add(&status(1, 100, 10), at(0));
        assert_eq!(rates.samples().count(), 0, "one answer has no interval");
        rates.add(&status(1, 120, 11), at(2));
        assert_eq!(rates.newest(), Some(Rate { requests: 10.0, errors: 0.5 }));
        rates.add_gap();
        assert_eq!(rates.newest(), None);
        rates.add(&status(1, 9_000, 9_000), at(9));
        rates.add(&status(1, 9_000, 9_000), at(10));
        assert_eq!(rates.newest(), Some(Rate { requests: 0.0, errors: 0.0 }));
        // Neither a restart nor a count that decreases nor two answers of one moment make a rate of nonsense.
        rates.add(&status(2, 5, 0), at(11));
        assert_eq!(rates.newest(), None);
        rates.add(&status(2, 0, 0), at(12));
        assert_eq!(rates.newest(), Some(Rate { requests: 0.0, errors: 0.0 }));
        rates.add(&status(2, 7, 0), at(12));
        assert_eq!(rates.newest(), None);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut rates = Rates::default();
        for _ in 0..KEPT * 2 {
            rates.add_gap();
        }
        rates.add(&Status::default(), Instant::now());
        assert_eq!(rates.samples().count(), KEPT);
    }
}
