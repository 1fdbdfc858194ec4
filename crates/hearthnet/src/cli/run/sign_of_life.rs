//! Sign of life of this run, and the end of the last one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use obs_facade::{Logger, log, warn, warn_limited};

use crate::state::run_marker::{Ended, LastRun, RunMarker};
use crate::watch::events::Events;
use crate::wire::clock;

static LOG: Logger = Logger::new("hearthnet::run");

/// Beats from one renewal to the next: 30 s. Each renewal changes the times of the file, which a file system writes with its next
/// journal, every 5 seconds; so more of them would cost a disk a page each. The log tells the end of a run more exactly.
const BEATS: u32 = 6;

/// Marker of this run, once the node listens.
pub(super) type Marker = Arc<OnceLock<RunMarker>>;

/// Marks this run as running, and returns the end of the last one. Waits for no disk, except at the first start.
pub(super) fn begin(
    marker: &Marker,
    folder: &Path,
    address: SocketAddr,
    node_id: &str,
    events: &Events,
) -> LastRun {
    match RunMarker::claim(folder, address, node_id, || events.is_empty()) {
        Ok((last, ours)) => {
            let _ = marker.set(ours);
            tell(&last);
            last
        }
        Err(error) => {
            let folder = folder.display();
            warn!(logger: LOG, folder:% = folder, error:% = error; "the next start will not know how this run ended");
            LastRun::UNKNOWN
        }
    }
}

fn tell(last: &LastRun) {
    if last.ended == Ended::Killed {
        let last_sign_of_life = last.at.map(clock::text).unwrap_or_default();
        warn!(
            logger: LOG, last_sign_of_life = last_sign_of_life, machine_restarted = last.machine_restarted,
            recovered_lines = log::stats().recovered; "the last run did not end in order"
        );
    }
}

/// Makes the mark of this run durable. May block on the disk.
pub(super) fn sync(marker: &Marker) {
    marker.get().into_iter().for_each(RunMarker::sync);
}

/// Returns the look that renews the sign of life. It may block on the disk.
pub(super) fn keeper(marker: Marker) -> impl FnMut() + Send {
    let mut beats = 0;
    move || {
        beats = (beats + 1) % BEATS;
        if beats == 0 {
            note(marker.get().map_or(Ok(()), RunMarker::renew));
        }
    }
}

/// Notes that this run ended in order. May block on the disk.
pub(super) fn end(marker: &Marker) {
    note(marker.get().map_or(Ok(()), RunMarker::end));
}

fn note(written: std::io::Result<()>) {
    if let Err(error) = written {
        warn_limited!(LOG, "sign_of_life", error:% = error; "the sign of life of this run cannot be written");
    }
}
