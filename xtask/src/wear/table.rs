//! Table of the bytes that both devices wrote.

use std::time::Duration;

/// Minutes after which the costs of new files are over.
const FRESH: Duration = Duration::from_secs(300);

pub(super) struct Table {
    begin: [u64; 2],
    last: [u64; 2],
    /// Bytes at the end of the first minutes.
    fresh: Option<[u64; 2]>,
}

pub(super) fn head(seconds: u64, commit_seconds: u64) -> String {
    format!(
        "a call a second for {seconds} s, ext4 with commit={commit_seconds}\n\n  time  lines in bytes       plain append    node   ratio"
    )
}

impl Table {
    pub(super) fn new(ours: u64, other: u64) -> Table {
        Table { begin: [ours, other], last: [ours, other], fresh: None }
    }

    /// Returns a row for the bytes that both devices have written by now.
    pub(super) fn row(&mut self, elapsed: Duration, ours: u64, other: u64, lines: u64) -> String {
        self.last = [ours, other];
        if elapsed >= FRESH && self.fresh.is_none() {
            self.fresh = Some(self.last);
        }
        let [ours, plain] = self.since(self.begin);
        format!(
            "{:>4} s  {:>11} kB  {:>15} kB  {:>6} kB  {:>5.2}",
            elapsed.as_secs(),
            lines / 1000,
            plain / 1000,
            ours / 1000,
            self.ratio()
        )
    }

    fn since(&self, before: [u64; 2]) -> [u64; 2] {
        [0, 1].map(|device: usize| self.last[device].saturating_sub(before[device]))
    }

    /// Returns the node's bytes by those of the plain append.
    pub(super) fn ratio(&self) -> f64 {
        ratio(self.since(self.begin))
    }
}

fn ratio([ours, plain]: [u64; 2]) -> f64 {
    ours as f64 / plain.max(1) as f64
}

/// Returns the last lines. The node's end made its device write this much more.
pub(super) fn end(at_end: u64, table: &Table, lines: u64, limit: f64) -> String {
    let after = table.fresh.map(|fresh| ratio(table.since(fresh))).filter(|ratio| *ratio > 0.0);
    let after =
        after.map_or(String::new(), |ratio| format!("; {ratio:.2} times after the first five minutes"));
    let ratio = table.ratio();
    let verdict = if ratio <= limit { "within" } else { "ABOVE" };
    format!(
        "{lines} lines: {ratio:.2} times the plain append, {verdict} the limit of {limit}{after}\nthe end of the node wrote {} kB more",
        at_end / 1000
    )
}
