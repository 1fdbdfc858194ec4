//! File of the problems, which outlives the process.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind as IoErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::handle::{Problems, sort};
use super::problem::Problem;
use crate::error::{Error, ErrorKind};

/// Name of the file in the folder of the history.
pub const FILE_NAME: &str = "problems.json";
/// Name of the file while it is written.
const UNFINISHED: &str = "problems.json.new";
/// Name of a file that could not be read.
const DAMAGED: &str = "problems.json.damaged";

/// Version of the form of the file. It goes up when a field changes its meaning or goes away.
const FORMAT: u32 = 1;
/// Maximum size of the file in bytes. All problems with the longest texts, each character an escape, are smaller.
const MAX_BYTES: u64 = 16 << 20;

/// Target of the lines of the history.
const TARGET: &str = "hearthnet.history";

/// Time between two writes. Counts alone wait for longer, so that a frequent error does not wear the disk.
const PAUSE: Duration = Duration::from_secs(60);
const PAUSE_OF_COUNTS: Duration = Duration::from_secs(600);

/// Problems of a file, and the time at which they were stored.
///
/// ```
/// use obs_history::ErrorKind;
/// use obs_history::problems::Stored;
///
/// let error = Stored::read(std::path::Path::new("/nonexistent")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Missing);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stored {
    format: u32,
    /// Time in milliseconds since 1970.
    pub stored_at_ms: u64,
    /// Problems in the order of [`Problems::list`].
    pub problems: Vec<Problem>,
}

/// The part of every format that tells the format.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

impl Stored {
    /// Reads the file in a folder.
    ///
    /// # Errors
    ///
    /// There is none, a later version wrote it, or it cannot be read.
    pub fn read(folder: &Path) -> Result<Stored, Error> {
        let path = folder.join(FILE_NAME);
        let error = |kind, problem: String, advice: &'static str| Err(Error::new(kind, "", problem, advice));
        let text = match read(&path) {
            Ok(text) => text,
            Err(fault) if fault.kind() == IoErrorKind::NotFound => {
                let problem = format!("there are no stored problems in {}", folder.display());
                return error(ErrorKind::Missing, problem, "");
            }
            Err(fault) if fault.kind() == IoErrorKind::InvalidData => {
                return error(ErrorKind::Unreadable, format!("{}: {fault}", path.display()), "");
            }
            Err(fault) => {
                let problem = format!("{} cannot be read: {fault}", path.display());
                return error(ErrorKind::Unavailable, problem, "see whether this user may read it");
            }
        };
        match serde_json::from_slice::<Head>(&text) {
            Ok(head) if head.format > FORMAT => {
                let problem = format!("a later version wrote {} (format {})", path.display(), head.format);
                error(ErrorKind::Newer, problem, "update this program")
            }
            _ => match serde_json::from_slice::<Stored>(&text) {
                Ok(mut stored) => {
                    sort(&mut stored.problems);
                    Ok(stored)
                }
                Err(fault) => {
                    error(ErrorKind::Unreadable, format!("{} is damaged: {fault}", path.display()), "")
                }
            },
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Without waiting for the other end of a pipe that somebody may have put there.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(IoErrorKind::InvalidData, "it is no file"));
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(IoErrorKind::InvalidData, "it is too large for a list of problems"));
    }
    Ok(text)
}

/// Writer of the file. It logs the beginning and the end of a fault, each once, by the logger `hearthnet.history`.
///
/// ```
/// use std::time::Instant;
/// use obs_history::problems::{Occurrence, ProblemFile, Problems, Stored};
///
/// # let place = tempfile::tempdir()?;
/// # let folder = place.path().join("history");
/// let problems = Problems::new();
/// let error = Occurrence { at_ms: 1_000, count: 1, is_error: true, example: &"timeout", trace_id: None };
/// problems.observe_trace("llm.chat", "timeout", &error);
/// let mut file = ProblemFile::new(&folder);
/// file.restore(&problems, 1_000);
/// file.write(&problems, 1_000);
/// assert_eq!(Stored::read(&folder).unwrap().problems.len(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ProblemFile {
    folder: PathBuf,
    /// Changes of problems and of counts that the file has.
    stored: (u64, u64),
    tried_at: Option<Instant>,
    is_failing: bool,
    /// Whether a later version of the program wrote the file, which is left alone.
    is_newer: bool,
    stats: ProblemFileStats,
}

/// Counters of a [`ProblemFile`].
///
/// ```
/// assert_eq!(obs_history::problems::ProblemFile::new("/nonexistent").stats().writes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProblemFileStats {
    /// Number of times that the file was written.
    pub writes: u64,
    /// Number of failed attempts.
    pub write_errors: u64,
}

impl ProblemFile {
    /// Creates a writer of the file in a folder. It touches nothing.
    pub fn new(folder: impl Into<PathBuf>) -> ProblemFile {
        ProblemFile {
            folder: folder.into(),
            stored: (0, 0),
            tried_at: None,
            is_failing: false,
            is_newer: false,
            stats: ProblemFileStats::default(),
        }
    }

    /// Returns the folder of the file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the counters.
    #[must_use]
    pub fn stats(&self) -> ProblemFileStats {
        self.stats
    }

    /// Puts the stored problems into the table. A file that cannot be read is logged and moved aside; one of a later
    /// version is logged and left alone.
    pub fn restore(&mut self, problems: &Problems, now_ms: u64) {
        match Stored::read(&self.folder) {
            Ok(stored) => {
                let (changes, counts) = problems.changes();
                let is_unchanged = (changes, counts) == (0, 0);
                problems.restore(stored.problems, now_ms);
                if is_unchanged {
                    self.stored = problems.changes();
                }
            }
            Err(error) if error.kind() == ErrorKind::Missing => {}
            Err(error) if error.kind() == ErrorKind::Newer => {
                self.is_newer = true;
                let problem = error.problem();
                log::warn!(target: TARGET, "problems are not kept over a restart: {problem}; it is left alone");
            }
            Err(error) if error.kind() == ErrorKind::Unreadable => {
                let aside = self.folder.join(DAMAGED);
                let moved = fs::rename(self.folder.join(FILE_NAME), &aside);
                let kept = if moved.is_ok() { "it is kept as" } else { "it could not be moved to" };
                let problem = error.problem();
                log::warn!(target: TARGET, "the problems begin anew: {problem}; {kept} {}", aside.display());
            }
            Err(error) => log::warn!(target: TARGET, "the problems begin anew: {error}"),
        }
    }

    /// Writes the file if a problem or a state changed and the last write is a minute ago, or if a count changed and it is ten
    /// minutes ago.
    pub fn write_if_due(&mut self, problems: &Problems, now_ms: u64) {
        let (changes, counts) = problems.changes();
        let is_over = |pause| self.tried_at.is_none_or(|at| at.elapsed() >= pause);
        let is_due = match (changes != self.stored.0, counts != self.stored.1) {
            (true, _) => is_over(PAUSE),
            (false, true) => is_over(PAUSE_OF_COUNTS) || self.is_failing && is_over(PAUSE),
            (false, false) => false,
        };
        if is_due {
            self.write(problems, now_ms);
        }
    }

    /// Writes the file if anything changed.
    pub fn write(&mut self, problems: &Problems, now_ms: u64) {
        let now = problems.changes();
        if now == self.stored || self.is_newer {
            return;
        }
        self.tried_at = Some(Instant::now());
        let stored = Stored { format: FORMAT, stored_at_ms: now_ms, problems: problems.list() };
        let written = write(&self.folder, &stored);
        let path = self.folder.join(FILE_NAME);
        match written {
            Ok(()) => {
                self.stored = now;
                self.stats.writes += 1;
                if std::mem::take(&mut self.is_failing) {
                    log::info!(target: TARGET, "the problems are stored in {} again", path.display());
                }
            }
            Err(error) => {
                self.stats.write_errors += 1;
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = path.display();
                    log::warn!(
                        target: TARGET,
                        "the problems cannot be stored in {path}, and it is tried again each minute: {error}"
                    );
                }
            }
        }
    }
}

/// Replaces the file. A kill leaves the old one or the new one. It is not synced, like all of the history.
fn write(folder: &Path, stored: &Stored) -> io::Result<()> {
    let text = serde_json::to_vec(stored)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let unfinished = folder.join(UNFINISHED);
    // What a killed process left, or a link of somebody else.
    let _ = fs::remove_file(&unfinished);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    let written = file.and_then(|mut file| file.write_all(&text));
    let replaced = written.and_then(|()| fs::rename(&unfinished, folder.join(FILE_NAME)));
    if replaced.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    replaced
}
