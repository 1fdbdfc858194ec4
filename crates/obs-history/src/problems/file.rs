//! Files of the problems, which outlive the process: the list, and what changed since it was written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind as IoErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::changes::{self, Changes};
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

/// Time from the first change to a write, and between two writes: what a kill loses. A failed call makes a problem and a line, which
/// are written together. A shorter time would wake the writer more often while there are errors, and write more blocks.
const PAUSE: Duration = Duration::from_secs(2);
/// Time after a write for which the counts of known problems wait, as long as none of them has doubled. Each write is a block of a disk
/// and an entry of a journal, which a failing call a minute would cost each minute.
const PAUSE_OF_COUNTS: Duration = Duration::from_secs(300);
/// Time between two writes of the list. Each makes a new file, which costs a disk several blocks.
const PAUSE_OF_LIST: Duration = Duration::from_secs(600);
/// The same if there are more changes than fit beside the list, and the time after which a failed write is tried again.
const RETRY: Duration = Duration::from_secs(60);

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
    /// Number that no other list has, so that changes are those of this list alone. A time could be that of another one, where the
    /// clock is set back. 0 in a list of an earlier version, which has no changes.
    #[serde(default)]
    pub(super) mark: u64,
    /// Whether there are changes since the list.
    #[serde(skip)]
    has_changes: bool,
}

/// The part of every format that tells the format.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

impl Stored {
    /// Reads the files in a folder.
    ///
    /// # Errors
    ///
    /// There is none, a later version wrote it, or it cannot be read.
    pub fn read(folder: &Path) -> Result<Stored, Error> {
        let path = folder.join(FILE_NAME);
        let error = |kind, problem: String, advice: &'static str| Err(Error::new(kind, "", problem, advice));
        let text = match read(&path, MAX_BYTES) {
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
                    stored.has_changes = changes::add_to(&mut stored, folder);
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

/// Reads a file that has at most `max_bytes`.
pub(super) fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open(path, OpenOptions::new().read(true))?;
    let mut text = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(io::Error::new(IoErrorKind::InvalidData, "it is too large for a list of problems"));
    }
    Ok(text)
}

/// Opens a regular file, never a link.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Without waiting for the other end of a pipe that somebody may have put there.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits();
    let file = options.mode(0o600).custom_flags(flags as i32).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(IoErrorKind::InvalidData, "it is no file")),
    }
}

/// Writer of the files. It logs the beginning and the end of a fault, each once, by the logger `hearthnet.history`.
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
    /// Number of changes that the files have.
    stored: u64,
    /// Number of changes that the list has.
    listed: u64,
    /// Mark of the list that this process wrote. Changes are never appended to one of before, in which problems may have other
    /// numbers.
    list: Option<u64>,
    changes: Changes,
    /// Time of the last attempt to write anything.
    tried_at: Option<Instant>,
    /// Time at which this writer first saw that there are changes to write.
    seen_at: Option<Instant>,
    /// Time of the last attempt to write the list.
    list_tried_at: Option<Instant>,
    /// Whether there was no room for the last changes.
    is_full: bool,
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
    /// Number of times that the list or changes of it were written.
    pub writes: u64,
    /// Number of failed attempts.
    pub write_errors: u64,
}

impl ProblemFile {
    /// Creates a writer of the file in a folder. It touches nothing.
    pub fn new(folder: impl Into<PathBuf>) -> ProblemFile {
        ProblemFile {
            folder: folder.into(),
            stored: 0,
            listed: 0,
            list: None,
            changes: Changes::default(),
            tried_at: None,
            seen_at: None,
            list_tried_at: None,
            is_full: false,
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
                let is_unchanged = problems.changes() == 0;
                problems.restore(stored.problems, now_ms);
                if is_unchanged {
                    self.stored = problems.changes();
                    self.listed = if stored.has_changes { 0 } else { self.stored };
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

    /// Writes what changed, two seconds after the first call that finds a change, or a minute after a write that failed. Counts alone
    /// wait for five minutes, unless one has doubled. Returns the time that is left until then; `None` if all is written.
    ///
    /// Mostly it appends to a file beside the list. The list is written as a whole every ten minutes, and each minute if there
    /// are more changes than that file takes.
    pub fn write_if_due(&mut self, problems: &Problems, now_ms: u64) -> Option<Duration> {
        if self.seen_at.is_none() && problems.has_told() {
            self.seen_at = Some(Instant::now());
        }
        let failed_at = self.tried_at.filter(|_| self.is_failing);
        // Not asked for changes before it is time, because each further one would be told then.
        if let Some(left) = left_of(RETRY, failed_at).or_else(|| left_of(PAUSE, self.seen_at)) {
            return Some(left);
        }
        self.seen_at = None;
        let now = problems.changes();
        if now == self.stored || self.is_newer {
            return None;
        }
        let left = match self.list {
            Some(list) if self.has_list() && self.until_list().is_some() => {
                self.append(problems, list, now, now_ms)
            }
            _ => {
                self.write_list(problems, now, now_ms);
                None
            }
        };
        if self.is_full { self.until_list() } else { left }
    }

    /// Returns the time until the list is written again. `None` if it is time.
    fn until_list(&self) -> Option<Duration> {
        left_of(if self.is_full { RETRY } else { PAUSE_OF_LIST }, self.list_tried_at)
    }

    /// Whether the list is in its place. Changes of one that was removed would be lost.
    fn has_list(&self) -> bool {
        self.folder.join(FILE_NAME).exists()
    }

    /// Writes the list if anything changed, or if it was removed. For an orderly end.
    pub fn write(&mut self, problems: &Problems, now_ms: u64) {
        let now = problems.changes();
        let is_gone = self.list.is_some() && !self.has_list();
        if (now != self.listed || is_gone) && !self.is_newer {
            self.write_list(problems, now, now_ms);
        }
        if self.list.is_some() && !self.is_failing {
            Changes::remove(&self.folder);
        }
    }

    fn write_list(&mut self, problems: &Problems, now: u64, now_ms: u64) {
        self.list_tried_at = Some(Instant::now());
        let mark = RandomState::new().hash_one(now);
        let problems = problems.list();
        let stored = Stored { format: FORMAT, stored_at_ms: now_ms, problems, mark, has_changes: false };
        let written = write(&self.folder, &stored);
        if written.is_ok() {
            self.changes.begin(&stored.problems);
            (self.listed, self.list, self.is_full) = (now, Some(mark), false);
        }
        self.note(written, now);
    }

    /// Appends what changed. Returns the time that is left if it can wait.
    fn append(&mut self, problems: &Problems, list: u64, now: u64, now_ms: u64) -> Option<Duration> {
        let news = self.changes.news(problems.list());
        if !news.is_urgent
            && let Some(left) = left_of(PAUSE_OF_COUNTS, self.tried_at)
        {
            return Some(left);
        }
        let appended = self.changes.append(&self.folder, list, now_ms, news);
        self.is_full = matches!(appended, Ok(false));
        match appended.map(drop) {
            Ok(()) if self.is_full && self.until_list().is_some() => {}
            Ok(()) if self.is_full => self.write_list(problems, now, now_ms),
            appended => self.note(appended, now),
        }
        None
    }

    /// Counts an attempt, and logs the beginning and the end of a fault.
    fn note(&mut self, written: io::Result<()>, now: u64) {
        self.tried_at = Some(Instant::now());
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

/// Returns what is left of a pause since a time. `None` if it is over.
fn left_of(pause: Duration, since: Option<Instant>) -> Option<Duration> {
    pause.checked_sub(since?.elapsed()).filter(|left| !left.is_zero())
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
