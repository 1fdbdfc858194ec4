//! Export of the lines of the day files.
//!
//! The lines are read from the files that the log writes, so that a line costs its caller nothing more. While a collector is
//! down, nothing is read and no memory is used: the files keep the lines.

mod position;
mod record;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use obs_log::reader::{Head, Piece, Reader, Window};
use obs_otlp::{Envelope, Exporter, Feed, Item, Offer, Settled};

use self::position::{Position, Stored};
use super::scope::scope;

/// Settings of the export of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) target: obs_otlp::Config,
    pub(crate) folder: PathBuf,
}

/// Line, encoded.
pub(super) struct Encoded(Vec<u8>);

impl Item for Encoded {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Time between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(5);

/// Maximum age of the lines that a restart catches up on.
const BACK_FILL: TimeDelta = TimeDelta::hours(24);

/// Age of the first lines without a stored position: those of this start.
const BEGINNING: TimeDelta = TimeDelta::seconds(10);

/// Loggers whose lines are not exported: those of the exporters and of the HTTP client below them. At the level `debug` each
/// request would make lines, and so the next request.
const OWN: [&str; 7] = [
    "hearthnet.trace.otlp",
    "hearthnet.metrics.otlp",
    "hearthnet.log.otlp",
    "ureq",
    "ureq_proto",
    "rustls",
    "rustls_platform_verifier",
];

/// Starts the export.
pub(super) fn start(settings: &Settings) -> Result<Exporter<Encoded>, obs_otlp::Error> {
    let envelope = scope(&settings.target);
    let encode = move |lines: &[Encoded]| {
        let units: Vec<u8> = lines.iter().flat_map(|line| &line.0).copied().collect();
        envelope.request(&units)
    };
    Exporter::start_with(&settings.target, encode, Follower::new(settings))
}

/// Follows the day files from the stored position on.
struct Follower {
    folder: PathBuf,
    reader: Reader,
    /// Time from which lines are exported.
    since: DateTime<Utc>,
    stored: Stored,
    /// Lines after the reader's position that have been dealt with.
    skip: u64,
    /// Lines that were offered and are not settled.
    unsettled: usize,
    /// Whether the last look reached the end of the files.
    is_whole: bool,
}

impl Follower {
    fn new(settings: &Settings) -> Follower {
        let (folder, stored) = (settings.folder.clone(), Stored::new(&settings.folder));
        let now = Utc::now();
        let position = stored.read().unwrap_or_else(|| Position::since((now - BEGINNING).timestamp_millis()));
        let earliest = now - BACK_FILL;
        let since = DateTime::from_timestamp_millis(position.since_ms).unwrap_or(earliest).max(earliest);
        let mut reader = Reader::of(&folder, Window::new(Some(since), None));
        let skip = if reader.resume(&position.reader) { position.skip } else { 0 };
        // Stored before the first line, so that a process that is killed early loses none.
        stored.write(&position);
        Follower { folder, reader, since, stored, skip, unsettled: 0, is_whole: true }
    }

    fn position(&self, reader: String, skip: u64) -> Position {
        Position { since_ms: self.since.timestamp_millis(), reader, skip }
    }

    /// Offers the new lines.
    fn offer_new(&mut self, offer: &mut Offer<'_, Encoded>) {
        let begun = self.position(self.reader.position(), 0);
        let (window, stored, skip) = (Window::new(Some(self.since), None), &self.stored, self.skip);
        let (mut read, mut unsettled) = (0, 0);
        let result = self.reader.read_new(true, |_, piece| {
            let (Piece::Line(line) | Piece::TooLong(line)) = piece else { return Ok(()) };
            read += 1;
            if read <= skip || !is_wanted(line, &window) {
                return Ok(());
            }
            let mut encoded = Vec::new();
            Envelope::push_unit(&record::of(line), &mut encoded);
            unsettled += 1;
            match offer(Encoded(encoded)) {
                ControlFlow::Continue(true) => {
                    unsettled = 0;
                    stored.write(&Position { skip: read, ..begun.clone() });
                    Ok(())
                }
                ControlFlow::Continue(false) => Ok(()),
                // The export ends. What was stored last is right.
                ControlFlow::Break(()) => Err(io::ErrorKind::Interrupted.into()),
            }
        });
        (self.unsettled, self.is_whole) = (unsettled, result.is_ok());
        self.skip = 0;
        if result.is_err() {
            // A reader that was interrupted has lost its place. The next look goes on where this one ended.
            self.reader = Reader::of(&self.folder, window);
            self.reader.resume(&begun.reader);
            self.skip = read.max(skip);
        }
    }
}

impl Feed<Encoded> for Follower {
    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn fill(&mut self, offer: &mut Offer<'_, Encoded>) {
        self.offer_new(offer);
    }

    fn settled(&mut self, settled: Settled) {
        // The batches of a look that were settled within it count too; the last one is left.
        let is_last = settled.items >= self.unsettled;
        if settled.is_final && is_last && self.is_whole && self.unsettled > 0 {
            self.unsettled = 0;
            self.stored.write(&self.position(self.reader.position(), 0));
        }
    }
}

/// Returns whether a line is exported: it is in the window, and the export did not cause it.
fn is_wanted(line: &[u8], window: &Window) -> bool {
    let Some(head) = Head::of(line) else { return true };
    let is_own = head.logger.is_some_and(|logger| {
        OWN.iter()
            .any(|own| logger.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    });
    !is_own && window.place_of(head.time).is_none()
}
