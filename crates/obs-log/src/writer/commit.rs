//! From the hand-over to the day file, each line once (L10).
//!
//! Before lines are written, the hand-over file says which and where to; afterwards, that they are through. Whoever
//! is killed in between leaves enough for the next start to see how far the write came: see [`crate::writer::recovery`].

use std::io::{self, IoSlice};

use crate::files::DayFiles;
use crate::queue::backlog::{Backlog, Run};

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Lines and bytes that are in the day file now.
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) result: io::Result<()>,
}

/// Writes `run`, which `backlog` has planned.
pub(crate) fn transfer(backlog: &Backlog, run: &Run, files: &mut DayFiles) -> Transfer {
    let arena = backlog.arena(run).filter(|arena| arena.file().is_some());
    let completed = backlog.draft(run).map(|(draft, line)| draft.complete(line));
    let mut pieces: Vec<_> = match &completed {
        Some(line) => vec![IoSlice::new(line)],
        None => backlog.bytes(run).map(IoSlice::new).collect(),
    };
    let all = pieces.iter().map(|piece| piece.len()).sum();
    let appended = files.append(run.day, &mut pieces, &mut |place| {
        if let Some(arena) = &arena {
            arena.intend(place, backlog.pieces(run));
        }
    });
    let (written, result) = match appended {
        Ok(()) => (all, Ok(())),
        Err(interrupted) => (interrupted.written, Err(interrupted.error)),
    };
    // A draft is through with the whole line that it became, or not at all.
    let staged = match completed {
        Some(_) if written == all => run.bytes,
        Some(_) => 0,
        None => written,
    };
    let lines = backlog.retire(run, staged);
    if let Some(arena) = &arena {
        arena.settle();
    }
    Transfer { lines, bytes: written as u64, result }
}
