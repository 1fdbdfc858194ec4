//! Commit of lines from the hand-over file to a day file, each line once.
//!
//! Before lines are written, the hand-over file names them and their position. Afterwards it counts them as drained. If the
//! process is killed in between, the next start finds out how far the write came: see [`crate::writer::recovery`].

use std::io::{self, IoSlice};

use crate::files::DayFiles;
use crate::queue::backlog::{Backlog, Run};

/// Outcome of the write of a run.
#[derive(Debug)]
pub(crate) struct Committed {
    /// Lines that are in the day file now.
    pub(crate) lines: u64,
    /// Bytes of these lines.
    pub(crate) bytes: u64,
    pub(crate) result: io::Result<()>,
}

/// Writes `run`, which `backlog` has planned.
pub(crate) fn commit(backlog: &Backlog, run: &Run, files: &mut DayFiles) -> Committed {
    let arena = backlog.arena(run).filter(|arena| arena.file().is_some());
    let completed = backlog.draft(run).map(|(draft, line)| draft.complete(line));
    let mut pieces: Vec<_> = match &completed {
        Some(line) => vec![IoSlice::new(line)],
        None => backlog.bytes(run).map(IoSlice::new).collect(),
    };
    let all = pieces.iter().map(|piece| piece.len()).sum();
    let appended = files.append(run.day, &mut pieces, &mut |position| {
        if let Some(arena) = &arena {
            arena.intend(position, backlog.pieces(run));
        }
    });
    let (written, result) = match appended {
        Ok(()) => (all, Ok(())),
        Err(interrupted) => (interrupted.written, Err(interrupted.error)),
    };
    // A draft counts as written with the whole line that it became, or not at all.
    let staged = match completed {
        Some(_) if written == all => run.bytes,
        Some(_) => 0,
        None => written,
    };
    // Before `settle`: a kill in between leaves an intent whose lines count as drained, which recovery does not repeat.
    let lines = backlog.retire(run, staged);
    if let Some(arena) = &arena {
        arena.settle();
    }
    Committed { lines, bytes: written as u64, result }
}
