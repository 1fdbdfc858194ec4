//! Changes since the list of the problems was written.
//!
//! A line is a JSON object: the problems that are new or whose texts or states changed, and the counts of the others that went
//! on. All of it is as it is now and not what was added, so that a line which is read twice counts nothing twice. What a kill or a
//! full disk has cut is no JSON, and is left out.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::{Stored, open, read};
use super::problem::{Problem, ProblemId};

/// Name of the file in the folder of the history.
const NAME: &str = "problems.json.changes";
/// Maximum size in bytes. It holds thousands of lines of a usual node. Reading it takes some milliseconds.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Line {
    /// Time of the list that the line belongs to. Lines of another list are left out.
    list_at_ms: u64,
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

/// What the list and the changes have.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: HashMap<ProblemId, Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    count: u64,
    /// Hash of all but the count and the time of the last error.
    rest: u64,
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
    /// Notes that the files have these problems.
    pub(super) fn note(&mut self, problems: &[Problem]) {
        self.known = problems.iter().map(|problem| (problem.id, Known::of(problem))).collect();
    }

    /// Removes the changes of a list that was replaced.
    pub(super) fn remove(folder: &Path) {
        // One that stays belongs to no list and is left out.
        let _ = fs::remove_file(folder.join(NAME));
    }

    /// Appends what differs from the files. Returns `false` if the file has no room for it.
    pub(super) fn append(
        &mut self,
        folder: &Path,
        list_at_ms: u64,
        at_ms: u64,
        problems: Vec<Problem>,
    ) -> io::Result<bool> {
        let mut line = Line { list_at_ms, at_ms, problems: Vec::new(), counts: Vec::new() };
        let mut news = Vec::new();
        for problem in problems {
            let (id, now) = (problem.id, Known::of(&problem));
            match self.known.get(&id) {
                Some(known) if *known == now => continue,
                Some(known) if known.rest == now.rest => {
                    line.counts.push(Count { id, count: now.count, last_seen_ms: problem.last_seen_ms });
                }
                _ => line.problems.push(problem),
            }
            news.push((id, now));
        }
        let text = serde_json::to_string(&line)?;
        let has_room = append(&folder.join(NAME), &text)?;
        if has_room {
            self.known.extend(news);
        }
        Ok(has_room)
    }
}

fn append(path: &Path, line: &str) -> io::Result<bool> {
    let mut file = open(path, fs::OpenOptions::new().append(true).create(true))?;
    let before = file.metadata()?.len();
    if before.saturating_add(line.len() as u64) > MAX_BYTES {
        return Ok(false);
    }
    // The newline before it ends a line that a kill has cut.
    let written = file.write_all(format!("\n{line}\n").as_bytes());
    if written.is_err() {
        let _ = file.set_len(before);
    }
    written.map(|()| true)
}

/// Adds the changes to the list of a folder. Returns whether there are any.
pub(super) fn add_to(stored: &mut Stored, folder: &Path) -> bool {
    let Ok(text) = read(&folder.join(NAME), MAX_BYTES + 2) else { return false };
    let list_at_ms = stored.stored_at_ms;
    let mut places: HashMap<_, _> =
        stored.problems.iter().enumerate().map(|(at, problem)| (problem.id, at)).collect();
    let lines =
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    for line in lines.filter(|line| line.list_at_ms == list_at_ms) {
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
    !text.is_empty()
}
