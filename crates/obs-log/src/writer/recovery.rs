//! Recovery of the lines that dead processes had accepted and not written.
//!
//! This process may die at any moment of it too. So progress is noted in the hand-over file as its owner would have noted
//! it, and the next start continues from there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use serde_core::de::IgnoredAny;

use crate::backtrace;
use crate::clock::day_of;
use crate::files::DayFiles;
use crate::files::open::{FileLock, FilePosition, end_torn_line};
use crate::journal;
use crate::journal::arena::Arena;
use crate::journal::chunk::Chunk;
use crate::json::timestamp::Stamper;
use crate::limits::MAX_LINE_BYTES;
use crate::queue::backlog::{Backlog, MAX_WRITE_BYTES, Run};
use crate::writer::commit::{LineRenderer, commit};

/// Maximum distance in bytes from the intended position at which an interrupted write is looked for. Other processes may have
/// appended in between.
const SEARCHED_BYTES: usize = 16 << 20;

/// Numbers of recovered lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Lines that are in a day file now.
    pub(crate) lines: u64,
    /// Lines of which only a part was found.
    pub(crate) torn: u64,
}

/// Writes the lines that dead processes have left in the folder of `files`. Lines that cannot be written stay for the next
/// time.
pub(crate) fn recover(files: &mut DayFiles) -> (Recovered, io::Result<()>) {
    let mut recovered = Recovered::default();
    let mut result = Ok(());
    for arena in journal::left_behind(files.dir()) {
        result = result.and(drain(arena, files, &mut recovered));
    }
    (recovered, result)
}

fn drain(arena: Arena, files: &mut DayFiles, recovered: &mut Recovered) -> io::Result<()> {
    let mut renderer = LineRenderer::for_left(&arena);
    let mut chunks = arena.into_chunks();
    finish_write(&chunks, files.dir(), &mut renderer)?;
    let torn = chunks.iter_mut().map(|chunk| set_aside_broken(chunk, &mut renderer)).sum::<u64>();
    // In the order in which the chunks were filled. The index only tells where they lie.
    chunks.sort_by_key(|chunk| chunk.origin().1);
    let mut backlog = Backlog::default();
    for chunk in chunks {
        backlog.push(chunk.origin().0 as usize, chunk);
    }
    let mut run = Run::default();
    while backlog.next_run(&mut run) {
        let committed = commit(&backlog, &mut run, files, &mut renderer);
        recovered.lines += committed.lines;
        committed.result?;
    }
    recovered.torn += torn;
    backlog.clear();
    Ok(())
}

/// Finds out how far the write that was under way has come, and notes it.
fn finish_write(chunks: &[Chunk], dir: &Path, renderer: &mut LineRenderer) -> io::Result<()> {
    let Some(arena) = chunks.first().map(Chunk::arena) else { return Ok(()) };
    let Some((position, pieces)) = arena.intent() else { return Ok(()) };
    let mut run = Vec::new();
    let mut ends = Vec::new();
    for piece in &pieces {
        let Some(chunk) = chunks.get(piece.chunk).filter(|chunk| piece.lines.end <= chunk.lines()) else {
            // Only a crash of the machine can leave this.
            arena.settle();
            return Ok(());
        };
        for line in piece.lines.clone() {
            // Rendered again to the same bytes as by the process that wrote them.
            run.extend_from_slice(renderer.line(chunk.nanos(line), chunk.bytes(chunk.range(line))));
            ends.push((chunk, line + 1, run.len()));
        }
        if run.len() > MAX_WRITE_BYTES {
            arena.settle();
            return Ok(());
        }
    }
    let written = match day_file(dir, position) {
        Some(file) => written_of(&file, position.offset, &run)?,
        None => 0,
    };
    for (chunk, lines, _) in ends.iter().take_while(|(_, _, end)| *end <= written) {
        chunk.set_drained(chunk.drained().max(*lines));
    }
    arena.settle();
    Ok(())
}

/// Opens the file that was written to, whatever its name is by now.
fn day_file(dir: &Path, position: FilePosition) -> Option<File> {
    let entries = fs::read_dir(dir).ok()?;
    let is_it = |entry: &fs::DirEntry| {
        let found = fs::symlink_metadata(entry.path());
        found.is_ok_and(|found| {
            found.is_file() && (found.dev(), found.ino()) == (position.device, position.inode)
        })
    };
    let path = entries.flatten().find(is_it)?.path();
    // An immutable file can still be read, to see which lines are in it.
    OpenOptions::new().read(true).append(true).open(&path).or_else(|_| File::open(&path)).ok()
}

/// Returns how many bytes of `run` are in `file`: at `offset` or, if another process was faster, at the beginning of a later
/// line.
fn written_of(file: &File, offset: u64, run: &[u8]) -> io::Result<usize> {
    let lock = FileLock::take(file)?;
    let end = file.metadata()?.len();
    let size = end.saturating_sub(offset);
    let mut tail = vec![0; usize::try_from(size).unwrap_or(usize::MAX).min(run.len() + SEARCHED_BYTES)];
    file.read_exact_at(&mut tail, offset)?;
    let starts = tail.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let same = |start: usize| tail[start..].iter().zip(run).take_while(|(a, b)| a == b).count();
    let draft = beginning_of_draft(run);
    let mut written = 0;
    for start in [0].into_iter().chain(starts) {
        written = written.max(same(start));
        if draft.is_some_and(|beginning| is_completed(beginning, &tail[start..])) {
            written = run.len();
        }
        if written == run.len() {
            break;
        }
    }
    match end_torn_line(&lock, end) {
        Err(error) if !is_read_only(&error) => Err(error),
        _ => Ok(written),
    }
}

/// Whether the error says that the file is open for reading alone.
fn is_read_only(error: &io::Error) -> bool {
    [libc::EBADF, libc::EINVAL].map(Some).contains(&error.raw_os_error())
}

/// Returns the part of `run` before its backtrace, if it is a draft. The rest differs in the file, because its writer put
/// symbols there that this process does not know.
fn beginning_of_draft(run: &[u8]) -> Option<&[u8]> {
    // A draft is a run of its own.
    let is_one_line = run.iter().position(|&byte| byte == b'\n') == run.len().checked_sub(1);
    let text = backtrace::text_of_draft(run).filter(|_| is_one_line)?;
    run.get(..text.start)
}

/// Whether `text` begins with a whole line that begins with `beginning`.
fn is_completed(beginning: &[u8], text: &[u8]) -> bool {
    let end = text.iter().position(|&byte| byte == b'\n');
    text.starts_with(beginning) && end.is_some_and(|end| text[..end].ends_with(b"\"}"))
}

/// Marks lines that are not whole, which only a crash of the machine can leave. Returns their number, and that of the line
/// that was being staged.
fn set_aside_broken(chunk: &mut Chunk, renderer: &mut LineRenderer) -> u64 {
    let lines = chunk.drained()..chunk.lines();
    let broken: Vec<_> = lines.filter(|&line| !is_whole(chunk, line, renderer)).collect();
    let torn = broken.len() as u64 + u64::from(chunk.ends_torn());
    chunk.set_broken(broken);
    torn
}

fn is_whole(chunk: &Chunk, line: usize, renderer: &mut LineRenderer) -> bool {
    let bytes = renderer.line(chunk.nanos(line), chunk.bytes(chunk.range(line)));
    let Some(json) = bytes.strip_suffix(b"\n").and_then(|json| std::str::from_utf8(json).ok()) else {
        return false;
    };
    bytes.len() <= MAX_LINE_BYTES
        && json.as_bytes().starts_with(Stamper::default().head(chunk.nanos(line)))
        && !json.contains('\n')
        && day_of(chunk.nanos(line)) >= 0
        && serde_json::from_str::<IgnoredAny>(json).is_ok()
}

#[cfg(test)]
mod tests;
