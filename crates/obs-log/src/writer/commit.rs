//! Commit of lines from the hand-over file to a day file, each line once.
//!
//! Before lines are written, the hand-over file names them and their position. Afterwards it counts them as drained. If the
//! process is killed in between, the next start finds out how far the write came: see [`crate::writer::recovery`].

use std::io::{self, IoSlice};

use crate::files::DayFiles;
use crate::journal::arena::Arena;
use crate::json::text::line_buf::LineBuf;
use crate::queue::backlog::{Backlog, Lines, Run};
use crate::record::render::Renderer;

/// Outcome of the write of a run.
#[derive(Debug)]
pub(crate) struct Committed {
    /// Lines that are in the day file now.
    pub(crate) lines: u64,
    /// Bytes of these lines.
    pub(crate) bytes: u64,
    pub(crate) result: io::Result<()>,
}

/// Lines of one write, rendered.
#[derive(Debug, Default)]
pub(crate) struct LineRenderer {
    renderer: Renderer,
    lines: Lines,
    line: LineBuf,
}

impl LineRenderer {
    /// Returns a renderer for the lines that another process has left in `arena`.
    pub(crate) fn for_left(arena: &Arena) -> LineRenderer {
        LineRenderer { renderer: Renderer::for_left(arena), ..LineRenderer::default() }
    }

    /// Renders one line, or returns none if it is damaged.
    pub(crate) fn line(&mut self, nanos: i64, bytes: &[u8]) -> &[u8] {
        self.line.clear();
        self.renderer.append(nanos, bytes, &mut self.line);
        &self.line
    }

    /// Frees the memory of a busy process.
    pub(crate) fn shrink(&mut self) {
        self.lines = Lines::default();
    }
}

/// Writes `run`, which `backlog` has planned.
pub(crate) fn commit(
    backlog: &Backlog,
    run: &mut Run,
    files: &mut DayFiles,
    renderer: &mut LineRenderer,
) -> Committed {
    let LineRenderer { renderer, lines, .. } = renderer;
    let arena = backlog.arena(run).filter(|arena| arena.file().is_some());
    let completed = backlog.draft(run).map(|(draft, line)| draft.complete(line));
    let mut pieces: Vec<_> = match &completed {
        Some(line) => vec![IoSlice::new(line)],
        None => {
            backlog.render(run, renderer, lines);
            backlog.written(lines).map(IoSlice::new).collect()
        }
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
    let lines = match completed {
        Some(_) => usize::from(written == all),
        None if written == all => usize::MAX,
        None => {
            let bytes = backlog.written(lines).flatten().take(written);
            bytes.filter(|byte| **byte == b'\n').count()
        }
    };
    // Before `settle`: a kill in between leaves an intent whose lines count as drained, which recovery does not repeat.
    let lines = backlog.retire(run, lines);
    if let Some(arena) = &arena {
        arena.settle();
    }
    Committed { lines, bytes: written as u64, result }
}
