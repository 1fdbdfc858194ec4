//! Export of the lines of the day files.
//!
//! The lines are read from the files that the log writes, so that a line costs its caller nothing more. While a collector is
//! down, nothing is read and no memory is used: the files keep the lines.

mod due;
mod lines;
mod position;
mod record;
mod removal;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use obs_otlp::{Exporter, Feed, Item, Offer, Settled, Stats};

use self::lines::{Lines, Step};
use self::position::{Position, Stored};
pub(crate) use self::removal::expect as expect_removals;
use super::scope::scope;

/// Settings of the export of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) target: obs_otlp::Config,
    pub(crate) folder: PathBuf,
}

/// Line, encoded.
struct Encoded(Vec<u8>);

impl Item for Encoded {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Export of lines, until it is dropped.
pub(super) struct Export {
    exporter: Exporter<Encoded>,
    lines: Arc<Lines>,
}

/// Time between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(5);

/// Age of the first lines without a stored position: those of this start.
const BEGINNING: TimeDelta = TimeDelta::seconds(10);

impl Export {
    /// Starts the export.
    pub(super) fn start(settings: &Settings) -> Result<Export, obs_otlp::Error> {
        let envelope = scope(&settings.target);
        let encode = move |lines: &[Encoded]| {
            let units: Vec<u8> = lines.iter().flat_map(|line| &line.0).copied().collect();
            envelope.request(units)
        };
        let stored = Stored::new(&settings.folder);
        let beginning = || Position::since((Utc::now() - BEGINNING).timestamp_millis());
        let position = stored.read().unwrap_or_else(beginning);
        let lines = Arc::new(Lines::new(&settings.folder, position.clone()));
        let exporter = Exporter::start_with(&settings.target, encode, Follower::new(&lines))?;
        // Stored before the first line, so that a process that is killed early loses none.
        stored.write(&position);
        removal::begin(&lines);
        Ok(Export { exporter, lines })
    }

    pub(super) fn flush(&self, timeout: Duration) -> bool {
        self.exporter.flush(timeout)
    }

    /// Returns the counters. Lines that were lost in the files count as dropped.
    pub(super) fn stats(&self) -> Stats {
        let (mut stats, lost) = (self.exporter.stats(), self.lines.lost());
        stats.offered += lost;
        stats.dropped += lost;
        stats
    }
}

/// Follows the day files from the stored position on.
struct Follower {
    lines: Arc<Lines>,
    stored: Stored,
    /// Lines of the last look whose outcome is not known yet.
    unsettled: usize,
    /// Position after them. `None` if one of them has to be sent again.
    position: Option<Position>,
}

impl Follower {
    fn new(lines: &Arc<Lines>) -> Follower {
        let stored = Stored::new(lines.folder());
        Follower { lines: Arc::clone(lines), stored, unsettled: 0, position: None }
    }
}

impl Feed<Encoded> for Follower {
    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn fill(&mut self, offer: &mut Offer<'_, Encoded>) {
        (self.unsettled, self.position) = (0, None);
        let mut is_settled = true;
        loop {
            let Step { records, position, is_last } = self.lines.step();
            for record in records {
                self.unsettled += 1;
                match offer(Encoded(record)) {
                    ControlFlow::Continue(settled) => is_settled = settled,
                    // The export ends. What was stored last is right.
                    ControlFlow::Break(()) => return,
                }
            }
            if is_settled {
                self.stored.write(&position);
            }
            if is_last {
                self.position = Some(position);
                return;
            }
        }
    }

    fn settled(&mut self, settled: Settled) {
        self.unsettled = self.unsettled.saturating_sub(settled.items);
        if !settled.is_final {
            self.position = None;
        }
        if self.unsettled == 0
            && let Some(position) = self.position.take()
        {
            self.stored.write(&position);
        }
    }
}
