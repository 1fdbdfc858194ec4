//! What a dead process had accepted and not written, found and written (L10).
//!
//! It may die at any moment of this too: what is done is noted in the hand-over file as its owner would have, and
//! the next start goes on from there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use serde_core::de::IgnoredAny;

use crate::arena::{Arena, Chunk, Place};
use crate::clock::day_of;
use crate::day_file::DayFiles;
use crate::handover;
use crate::merge::{Backlog, Run};
use crate::open_day::{Held, end_torn_line};
use crate::timestamp::Stamper;
use crate::transfer::transfer;

/// How far behind the place of an interrupted write its bytes are looked for: other processes may have appended.
const SEARCHED: usize = 16 << 20;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Lines that are in a day file now.
    pub(crate) lines: u64,
    /// Lines of which only a part was there.
    pub(crate) torn: u64,
}

/// Writes what dead processes have left in the folder of `files`. What cannot be written stays for the next time.
pub(crate) fn recover(files: &mut DayFiles) -> (Recovered, io::Result<()>) {
    let mut recovered = Recovered::default();
    let mut result = Ok(());
    for arena in handover::left_behind(files.dir()) {
        result = result.and(drain(arena, files, &mut recovered));
    }
    (recovered, result)
}

fn drain(arena: Arena, files: &mut DayFiles, recovered: &mut Recovered) -> io::Result<()> {
    let mut chunks = arena.into_chunks();
    finish_write(&chunks, files.dir())?;
    let torn = chunks.iter_mut().map(set_aside_broken).sum::<u64>();
    chunks.sort_by_key(|chunk| chunk.origin().1);
    let mut backlog = Backlog::default();
    for chunk in chunks {
        backlog.push(chunk.origin().0 as usize, chunk);
    }
    let mut run = Run::default();
    while backlog.next_run(&mut run) {
        let transfer = transfer(&backlog, &run, files);
        recovered.lines += transfer.lines;
        transfer.result?;
    }
    recovered.torn += torn;
    backlog.clear();
    Ok(())
}

/// Sees how far the write that was under way has come, and notes it.
fn finish_write(chunks: &[Chunk], dir: &Path) -> io::Result<()> {
    let Some(arena) = chunks.first().map(Chunk::arena) else { return Ok(()) };
    let Some((place, pieces)) = arena.intent() else { return Ok(()) };
    let mut run = Vec::new();
    let mut ends = Vec::new();
    for piece in &pieces {
        let Some(chunk) = chunks.get(piece.chunk).filter(|chunk| piece.lines.end <= chunk.lines()) else {
            // Only a crash of the machine can leave this.
            arena.settle();
            return Ok(());
        };
        for line in piece.lines.clone() {
            run.extend_from_slice(chunk.bytes(chunk.range(line)));
            ends.push((chunk, line + 1, run.len()));
        }
    }
    let written = match day_file(dir, place) {
        Some(file) => written_of(&file, place.offset, &run)?,
        None => 0,
    };
    for (chunk, lines, _) in ends.iter().take_while(|(_, _, end)| *end <= written) {
        chunk.set_drained(chunk.drained().max(*lines));
    }
    arena.settle();
    Ok(())
}

/// The file that was written to, whatever it is called by now.
fn day_file(dir: &Path, place: Place) -> Option<File> {
    let entries = fs::read_dir(dir).ok()?;
    let is_it = |entry: &fs::DirEntry| {
        let found = fs::symlink_metadata(entry.path());
        found.is_ok_and(|found| found.is_file() && (found.dev(), found.ino()) == (place.device, place.inode))
    };
    OpenOptions::new().read(true).append(true).open(entries.flatten().find(is_it)?.path()).ok()
}

/// How many bytes of `run` are in `file` at `offset` or, if others were faster, at the beginning of a line behind it.
fn written_of(file: &File, offset: u64, run: &[u8]) -> io::Result<usize> {
    let _held = Held::take(file)?;
    let end = file.metadata()?.len();
    let size = end.saturating_sub(offset);
    let mut tail = vec![0; usize::try_from(size).unwrap_or(usize::MAX).min(run.len() + SEARCHED)];
    file.read_exact_at(&mut tail, offset)?;
    let starts = tail.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let same = |start: usize| tail[start..].iter().zip(run).take_while(|(a, b)| a == b).count();
    let mut written = 0;
    for start in [0].into_iter().chain(starts) {
        written = written.max(same(start));
        if written == run.len() {
            break;
        }
    }
    end_torn_line(file, end)?;
    Ok(written)
}

/// Marks lines that are not whole, which only a crash of the machine can leave, and counts them with the one that was
/// being staged.
fn set_aside_broken(chunk: &mut Chunk) -> u64 {
    let broken: Vec<_> = (chunk.drained()..chunk.lines()).filter(|&line| !is_whole(chunk, line)).collect();
    let torn = broken.len() as u64 + u64::from(chunk.ends_torn());
    chunk.set_broken(broken);
    torn
}

fn is_whole(chunk: &Chunk, line: usize) -> bool {
    let bytes = chunk.bytes(chunk.range(line));
    let Some(json) = bytes.strip_suffix(b"\n").and_then(|json| std::str::from_utf8(json).ok()) else {
        return false;
    };
    let mut date = b"{\"ts\":\"".to_vec();
    Stamper::default().write(&mut date, chunk.nanos(line));
    json.as_bytes().starts_with(&date)
        && !json.contains('\n')
        && day_of(chunk.nanos(line)) >= 0
        && serde_json::from_str::<IgnoredAny>(json).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::HEADER_BYTES;
    use crate::batch::Batch;
    use crate::clock::DAY_NANOS;
    use crate::encode::Encoder;
    use crate::redact::Redactor;
    use log::{Level, Record};
    use std::io::Write;
    use std::path::PathBuf;
    use std::time::Duration;

    /// 2024-02-28T00:00:00Z.
    const FEB_28: i64 = 19_781 * DAY_NANOS;

    fn line(nanos: i64, message: &str) -> Vec<u8> {
        let mut record = Record::builder();
        let mut encoder = Encoder::default();
        record.level(Level::Info);
        let redact = Redactor::default();
        let encoded = encoder.encode(nanos, &record.args(format_args!("{message}")).build(), &redact);
        encoded.unwrap().to_vec()
    }

    /// As a process that was killed leaves it.
    fn leave(dir: &Path, lines: &[(i64, &str)], before_death: impl FnOnce(&Batch)) {
        let batch = Batch::new(handover::create(dir, 1 << 20).unwrap());
        for (nanos, message) in lines {
            assert!(batch.append(0, Level::Info, *nanos, &line(*nanos, message), Duration::ZERO));
        }
        before_death(&batch);
    }

    fn left_files(dir: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_none()).collect()
    }

    fn recovered(dir: &Path) -> Recovered {
        let (recovered, result) = recover(&mut DayFiles::new(dir));
        result.unwrap();
        recovered
    }

    fn read(dir: &Path, day: &str) -> Vec<u8> {
        fs::read(dir.join(format!("2024-02-{day}.log"))).unwrap()
    }

    #[test]
    fn l10_each_line_goes_to_the_file_of_its_own_day_once() {
        let dir = tempfile::tempdir().unwrap();
        let lines = [(FEB_28, "a"), (FEB_28 + DAY_NANOS - 1, "b"), (FEB_28 + DAY_NANOS, "c")];
        leave(dir.path(), &lines, |_| {
            // Its owner lives: nobody touches it.
            assert_eq!(recovered(dir.path()), Recovered::default());
        });
        assert_eq!(recovered(dir.path()), Recovered { lines: 3, torn: 0 });
        assert_eq!(recovered(dir.path()), Recovered::default());
        let [a, b, c] = lines.map(|(nanos, message)| line(nanos, message));
        assert_eq!((read(dir.path(), "28"), read(dir.path(), "29")), ([a, b].concat(), c));
        assert!(left_files(dir.path()).is_empty());
    }

    #[test]
    fn l10_what_is_torn_is_cut_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        leave(dir.path(), &[(FEB_28, "a"), (FEB_28, "b"), (FEB_28, "c")], |_| {});
        let file = OpenOptions::new().write(true).open(&left_files(dir.path())[0]).unwrap();
        let first_chunk = HEADER_BYTES as u64;
        // A line begun and not accepted; and a page that a crash of the machine has lost.
        file.write_all_at(&4_u64.to_ne_bytes(), first_chunk + 16).unwrap();
        file.write_all_at(&[0; 8], first_chunk + 64 + line(FEB_28, "a").len() as u64).unwrap();
        assert_eq!(recovered(dir.path()), Recovered { lines: 2, torn: 2 });
        assert_eq!(read(dir.path(), "28"), [line(FEB_28, "a"), line(FEB_28, "c")].concat());
        assert!(left_files(dir.path()).is_empty());
    }

    /// Killed after any number of bytes of a write, with and without another process that wrote before it.
    #[test]
    fn l10_a_write_that_was_cut_short_goes_on_where_it_ended() {
        let lines = [(FEB_28, "same"), (FEB_28, "same"), (FEB_28, "last")];
        let run = lines.map(|(nanos, message)| line(nanos, message)).concat();
        for others in [&b""[..], b"{\"ts\":\"of another process\"}\n"] {
            for written in 0..=run.len() {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("2024-02-28.log");
                fs::write(&path, "before\n").unwrap();
                leave(dir.path(), &lines, |batch| {
                    let mut backlog = Backlog::default();
                    backlog.take_from(batch);
                    let mut planned = Run::default();
                    assert!(backlog.next_run(&mut planned));
                    let file = fs::metadata(&path).unwrap();
                    let place = Place { device: file.dev(), inode: file.ino(), offset: file.len() };
                    batch.arena().intend(place, backlog.pieces(&planned));
                    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                    file.write_all(&[others, &run[..written]].concat()).unwrap();
                });
                recovered(dir.path());
                let expected = [&b"before\n"[..], others, &run].concat();
                assert_eq!(read(dir.path(), "28"), expected, "{written} bytes of {}", run.len());
            }
        }
    }

    #[test]
    fn l10_what_cannot_be_written_waits_for_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        leave(dir.path(), &[(FEB_28, "a")], |_| {});
        let in_the_way = dir.path().join("2024-02-28.log");
        fs::create_dir(&in_the_way).unwrap();
        assert!(recover(&mut DayFiles::new(dir.path())).1.is_err());
        assert_eq!(left_files(dir.path()).len(), 1);
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(recovered(dir.path()).lines, 1);
    }
}
