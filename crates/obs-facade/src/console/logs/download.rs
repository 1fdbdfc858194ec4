//! Download of the lines that match.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use obs_console::{Download, Failure};
use obs_log::reader::{Piece, Reader};

use super::filter::Filter;
use super::line;
use super::unreadable::unreadable;

/// Bytes of a part.
const PART_BYTES: usize = 64 << 10;
/// Parts that wait for the viewer. The reader waits with the rest.
const WAITING: usize = 2;

type Part = Result<Vec<u8>, Failure>;

/// Lines of a download, which a thread of its own reads.
struct Parts(Receiver<Part>);

/// Begins a download. Its thread ends with the download, or when the download is dropped.
pub(super) fn begin(dir: &Path, filter: Filter) -> Result<Box<dyn Download>, Failure> {
    let (sender, receiver) = sync_channel(WAITING);
    let dir = dir.to_owned();
    let read = move || {
        if let Err(error) = send(&dir, &filter, &sender)
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            // A download that was given up needs no reason.
            let _ = sender.send(Err(unreadable(&dir, &error)));
        }
    };
    let started = thread::Builder::new().name("console-download".to_owned()).spawn(read);
    started.map_err(|error| Failure::Unavailable(format!("cannot start a download: {error}")))?;
    Ok(Box::new(Parts(receiver)))
}

fn send(dir: &Path, filter: &Filter, sender: &SyncSender<Part>) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let mut part = Vec::new();
    Reader::of(dir, filter.window.clone()).read_new(false, |_, piece| {
        if let Piece::Line(bytes) = piece
            && filter.admits(bytes).is_some()
            && let Some(line) = line::shown(bytes)
        {
            serde_json::to_writer(&mut part, &line)?;
            part.push(b'\n');
        }
        if part.len() < PART_BYTES {
            return Ok(());
        }
        sender.send(Ok(std::mem::take(&mut part))).map_err(gone)
    })?;
    if part.is_empty() { Ok(()) } else { sender.send(Ok(part)).map_err(gone) }
}

impl Download for Parts {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        // The thread has ended, so that there is no part left.
        self.0.recv().map_or(Ok(None), |part| part.map(Some))
    }
}
