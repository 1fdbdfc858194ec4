//! Changes since the list of the problems was written.
//!
//! A line is a JSON object: the problems that are new or whose texts or states changed, and the counts of the others that went
//! on. All of it is as it is now and not what was added, so that a line which is read twice counts nothing twice. What a kill or a
//! full disk has cut is no JSON, and is left out.
//!
//! After a new list, lines are written over those of the list before, because a disk pays for each block that a file gets or gives
//! back. A line names its list, so what is left of the others is no change.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::{Stored, open, read};
use super::problem::{Problem, ProblemId};

/// Name of the file in the folder of the history.
const NAME: &str = "problems.json.changes";
/// Maximum size in bytes. It holds thousands of lines of a usual node. Reading it takes some milliseconds.
const MAX_BYTES: u64 = 1 << 20;

/// Bytes for which a new file gets blocks: a line of 1 KiB a minute between two lists, and as much again.
#[cfg(target_os = "linux")]
const PROVIDED_BYTES: u64 = 16 << 10;

#[derive(Serialize, Deserialize)]
struct Line {
    /// Mark of the list that the line belongs to. Lines of another list are left out.
    list: u64,
    at_ms: u64,
    problems: Vec<Problem>,
    counts: Vec<Count>,
}

#[derive(Serialize, Deserialize)]
struct Count {
    id: ProblemId,
    count: u64,
    last_seen_ms: u64,
}

/// Problems as the two files have them.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: HashMap<ProblemId, Known>,
    /// Bytes of the lines since the list.
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    count: u64,
    /// Hash of all but the count and the time of the last error.
    rest: u64,
}

/// Differences between the problems and the files.
#[derive(Default)]
pub(super) struct News {
    problems: Vec<Problem>,
    counts: Vec<Count>,
    known: Vec<(ProblemId, Known)>,
    /// Whether there is more than counts, or a count has doubled.
    pub(super) is_urgent: bool,
}

impl Known {
    fn of(problem: &Problem) -> Known {
        let mut rest = problem.clone();
        (rest.count, rest.last_seen_ms) = (0, 0);
        let mut hasher = DefaultHasher::new();
        // The form of a problem has no map with other keys than texts, so there is no error.
        serde_json::to_vec(&rest).unwrap_or_default().hash(&mut hasher);
        Known { count: problem.count, rest: hasher.finish() }
    }
}

impl Changes {
    /// Notes that there is a new list with these problems.
    pub(super) fn begin(&mut self, problems: &[Problem]) {
        self.known = problems.iter().map(|problem| (problem.id, Known::of(problem))).collect();
        self.bytes = 0;
    }

    /// Removes the changes, after the last list of a process.
    pub(super) fn remove(folder: &Path) {
        // If the file stays, its lines name another list and are ignored.
        let _ = fs::remove_file(folder.join(NAME));
    }

    /// Returns what differs from the files.
    pub(super) fn news(&self, problems: Vec<Problem>) -> News {
        let mut news = News::default();
        for problem in problems {
            let (id, now) = (problem.id, Known::of(&problem));
            match self.known.get(&id) {
                Some(known) if *known == now => continue,
                Some(known) if known.rest == now.rest => {
                    news.is_urgent |= now.count >= known.count.saturating_mul(2);
                    news.counts.push(Count { id, count: now.count, last_seen_ms: problem.last_seen_ms });
                }
                _ => {
                    news.is_urgent = true;
                    news.problems.push(problem);
                }
            }
            news.known.push((id, now));
        }
        news
    }

    /// Appends what differs from the files. Returns `false` if the file has no room for it.
    pub(super) fn append(&mut self, folder: &Path, list: u64, at_ms: u64, news: News) -> io::Result<bool> {
        let News { problems, counts, known, .. } = news;
        let line = Line { list, at_ms, problems, counts };
        // The newlines end what a kill has cut, and what is left of an older line.
        let text = format!("\n{}\n", serde_json::to_string(&line)?);
        let end = self.bytes + text.len() as u64;
        if end > MAX_BYTES {
            return Ok(false);
        }
        let file = open(&folder.join(NAME), fs::OpenOptions::new().write(true).create(true))?;
        if file.metadata()?.len() == 0 {
            provide(&file);
        }
        file.write_all_at(text.as_bytes(), self.bytes)?;
        self.bytes = end;
        self.known.extend(known);
        Ok(true)
    }
}

/// Gives a new file the blocks of ten minutes of a usual node, so that maps of free blocks are not written with each line. They have
/// zeros, which are no line. A file system that cannot do it allocates them one by one.
#[cfg(target_os = "linux")]
fn provide(file: &fs::File) {
    let _ = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, PROVIDED_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn provide(_: &fs::File) {}

/// Adds the changes to the list of a folder. Returns whether there are any of it.
pub(super) fn add_to(stored: &mut Stored, folder: &Path) -> bool {
    let Ok(text) = read(&folder.join(NAME), MAX_BYTES) else { return false };
    let mut has_changes = false;
    let mut places: HashMap<_, _> =
        stored.problems.iter().enumerate().map(|(at, problem)| (problem.id, at)).collect();
    let mark = stored.mark;
    let lines =
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    for line in lines.filter(|line| line.list == mark) {
        has_changes = true;
        stored.stored_at_ms = line.at_ms;
        for problem in line.problems {
            let at = *places.entry(problem.id).or_insert(stored.problems.len());
            match stored.problems.get_mut(at) {
                Some(place) => *place = problem,
                None => stored.problems.push(problem),
            }
        }
        for Count { id, count, last_seen_ms } in line.counts {
            if let Some(problem) = places.get(&id).and_then(|at| stored.problems.get_mut(*at)) {
                (problem.count, problem.last_seen_ms) = (count, last_seen_ms);
            }
        }
    }
    has_changes
}
