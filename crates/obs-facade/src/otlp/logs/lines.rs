//! Lines of the day files that are due, read in steps.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use obs_log::reader::{Head, Leaving, LineTime, Piece, Reader};
use obs_otlp::Envelope;

use super::due::{Due, Fate};
use super::position::Position;
use super::record;

/// Lines and bytes of a step: those of a request, so that a position is stored after each request.
const STEP_LINES: usize = 8_192;
const STEP_BYTES: usize = 1 << 20;

/// Lines that were not exported yet. The thread of the export reads them, and the thread that looks at a file before it is
/// removed.
pub(super) struct Lines {
    folder: PathBuf,
    due: Due,
    reading: Mutex<Reading>,
    /// Lines that are not exported, because they are too old or their file was removed.
    lost: AtomicU64,
}

struct Reading {
    reader: Reader,
    position: Position,
}

/// Part of the new lines.
pub(super) struct Step {
    pub(super) records: Vec<Vec<u8>>,
    /// Position after them.
    pub(super) position: Position,
    /// Whether these are the last new lines.
    pub(super) is_last: bool,
}

impl Lines {
    pub(super) fn new(folder: &Path, position: Position) -> Lines {
        let due = Due::new(&position, Utc::now());
        let mut reader = Reader::of(folder, due.window());
        reader.resume(&position.reader);
        let reading = Mutex::new(Reading { reader, position });
        Lines { folder: folder.to_owned(), due, reading, lost: AtomicU64::new(0) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the next lines.
    pub(super) fn step(&self) -> Step {
        let mut reading = self.lock();
        let Reading { reader, position } = &mut *reading;
        let (mut records, mut bytes, mut lost, mut is_full) = (Vec::new(), 0, 0, false);
        let mut last = Fate::Exported;
        // An error of the disk ends the step too. The next look goes on where it was.
        let _ = reader.read_new(true, |_, piece| {
            let (Piece::Line(line) | Piece::TooLong(line)) = piece else { return Ok(()) };
            match self.due.fate(line, &mut last) {
                Fate::Exported => {
                    let mut encoded = Vec::new();
                    Envelope::push_unit(&record::of(line), &mut encoded);
                    bytes += encoded.len();
                    records.push(encoded);
                    note_exported(position, line);
                }
                Fate::Lost => lost += 1,
                Fate::Ignored => {}
            }
            is_full = records.len() >= STEP_LINES || bytes >= STEP_BYTES;
            if is_full { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        });
        position.reader = reader.position();
        let position = position.clone();
        drop(reading);
        self.note_lost(lost);
        Step { records, position, is_last: !is_full }
    }

    /// Counts the lines of a file that is removed before they were exported.
    pub(super) fn lose(&self, leaving: Leaving) {
        let (mut lost, mut last) = (0, Fate::Exported);
        let mut reading = self.lock();
        // An error of the disk leaves lines that nobody can count.
        let _ = reading.reader.read_leaving(leaving, |_, piece| {
            let (Piece::Line(line) | Piece::TooLong(line)) = piece else { return Ok(()) };
            lost += u64::from(self.due.fate(line, &mut last) != Fate::Ignored);
            Ok(())
        });
        drop(reading);
        self.note_lost(lost);
    }

    /// Returns the number of lines that are not exported, because they are too old or their file was removed.
    pub(super) fn lost(&self) -> u64 {
        // Relaxed: a counter orders nothing else.
        self.lost.load(Ordering::Relaxed)
    }

    fn note_lost(&self, lines: u64) {
        if lines > 0 {
            self.lost.fetch_add(lines, Ordering::Relaxed);
            obs_log::warn!(target: "hearthnet.log.otlp", lost_lines = lines; "old log lines were not exported in time");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        // After a panic within a look, the reader is at an earlier place or has skipped a part of a file.
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note_exported(position: &mut Position, line: &[u8]) {
    if let Some(head) = Head::of(line)
        && LineTime::of(position.exported.as_bytes()).is_none_or(|last| last < head.time)
    {
        head.time.text().clone_into(&mut position.exported);
    }
}
