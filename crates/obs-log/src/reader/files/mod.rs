//! Reader of the log files of a folder.
//!
//! A file is identified by its device and inode and by its content, because logrotate renames, copies, empties and
//! compresses files while they are read. Each line is delivered once, whichever files hold it.
//!
//! A followed file stays open: its writer goes on after a rename, another process may still write a line for
//! yesterday, and the next start writes the lines of a killed process into the file of their day.

mod begin;
mod delivered;
mod leaving;
mod listing;
mod name;
mod open_file;
mod order;
mod piece;
mod position;
mod seek;
mod source;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chrono::Utc;

use self::begin::Begin;
pub use self::begin::{Last, Look};
use self::delivered::{Delivered, Mark, Memory, Start, head_of};
pub use self::leaving::Leaving;
use self::listing::{Entry, FileId, Stamp};
use self::name::Compression;
pub use self::name::{FileName, Unpacker};
use self::open_file::{BLOCK, End, OpenFile};
use self::order::Order;
pub use self::piece::Piece;
use crate::reader::line_time::LineTime;
use crate::reader::window::Window;

/// Maximum number of files that are followed at once. The latest ones are, and fewer days are kept.
const FOLLOWED: usize = 64;
/// Maximum number of listings in one look, for a folder whose names never stay the same.
const LISTINGS: usize = 1000;
/// Maximum number of passes of a single look. Later passes read copies that were being made.
const ROUNDS: usize = 3;

/// Position in the log files of a folder.
///
/// ```
/// use obs_log::reader::{Piece, Reader};
///
/// # let folder = tempfile::tempdir()?;
/// # let line = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"bus","msg":"joined"}"#;
/// let file = folder.path().join("2026-05-26.log");
/// std::fs::write(&file, format!("{line}\n"))?;
/// let mut reader = Reader::new(folder.path());
/// let mut lines = 0;
/// let mut look = |_: &_, piece: Piece<'_>| {
///     lines += usize::from(matches!(piece, Piece::Line(_)));
///     Ok(())
/// };
/// reader.read_new(true, &mut look)?;
/// std::fs::write(&file, format!("{line}\n{line}\n"))?; // one line more
/// reader.read_new(true, &mut look)?;
/// assert_eq!(lines, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Reader {
    dir: PathBuf,
    /// Whether the folder could be read before.
    was_there: bool,
    /// Open files that may grow.
    followed: BTreeMap<FileId, OpenFile>,
    /// Files that are not open, with the stamp of the last read. A file with the same stamp has nothing new. A file
    /// without a stamp never has.
    read: BTreeMap<FileId, Option<Stamp>>,
    truncated: BTreeMap<FileId, Truncated>,
    /// Files that were in the last listing.
    listed: BTreeSet<FileId>,
    memory: Memory,
    /// Place in a file that is not followed at which a look was interrupted. The end of the next look at the file replaces it.
    interrupted: Option<Delivered>,
    /// Contents of a stored position that were not seen again yet.
    resumed: Vec<Delivered>,
    order: Order,
    begin: Begin,
    buffer: Vec<u8>,
}

/// File that was truncated.
struct Truncated {
    delivered: Option<Delivered>,
    /// Whether another file holds the rest of the lost content.
    is_found: bool,
}

/// Outcome of a visit to a file.
#[derive(Debug, PartialEq, Eq)]
enum Visit {
    Done,
    /// A name has changed, or a copy may have been made. The folder must be listed again.
    Changed,
}

/// Outcome of a look at a plain file.
#[derive(Debug, PartialEq, Eq)]
enum Plain {
    Read,
    Truncated,
    /// Nothing was read, because the folder must be listed again.
    Unread,
}

/// Place at which the read of a content begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// First line that is wanted of a content that no other file has.
    New,
    /// Place up to which the content was delivered.
    Behind,
    /// The content was delivered.
    Nothing,
}

impl Reader {
    /// Creates a reader of all lines of the folder.
    #[must_use]
    pub fn new(dir: &Path) -> Reader {
        Reader::of(dir, Window::default())
    }

    /// Creates a reader of the lines of a window. It delivers some lines beside the window too.
    #[must_use]
    pub fn of(dir: &Path, window: Window) -> Reader {
        Reader {
            dir: dir.to_owned(),
            was_there: false,
            followed: BTreeMap::new(),
            read: BTreeMap::new(),
            truncated: BTreeMap::new(),
            listed: BTreeSet::new(),
            memory: Memory::default(),
            interrupted: None,
            resumed: Vec::new(),
            order: Order::default(),
            begin: Begin::new(window),
            buffer: vec![0; BLOCK],
        }
    }

    /// Makes the reader begin near the last lines that are wanted. It may deliver more lines. With `growing`, the end of
    /// a file without a newline is not counted.
    ///
    /// # Errors
    ///
    /// If the folder or a file cannot be read.
    pub fn begin_at(&mut self, mut last: Last<'_>, growing: bool) -> io::Result<()> {
        for entry in self.entries()?.into_iter().rev() {
            let is_foreign = matches!(entry.name.compression(), Some(Compression::Foreign(_)));
            if is_foreign || self.begin.excludes(&entry) {
                continue;
            }
            // A file that cannot be opened is reported when it is read.
            if let Ok(Some(mut file)) = self.open(&entry) {
                self.begin.search(&entry, &mut file.source, &mut last, growing)?;
            }
        }
        Ok(())
    }

    /// Looks at the lines of the window from the newest back until `look` returns `false`: files in the order of their lines,
    /// the last one first, and each plain file from its end. It delivers some lines beside the window too, and leaves out what
    /// cannot be opened.
    ///
    /// # Errors
    ///
    /// If the folder or a plain file cannot be read.
    pub fn look_back(&mut self, mut look: impl FnMut(Look<'_>) -> bool) -> io::Result<()> {
        for entry in self.entries()?.into_iter().rev() {
            let is_foreign = matches!(entry.name.compression(), Some(Compression::Foreign(_)));
            if is_foreign || self.begin.excludes(&entry) {
                continue;
            }
            if let Ok(Some(mut file)) = self.open(&entry)
                && !self.begin.look_back(&entry, &mut file.source, &mut look)?
            {
                break;
            }
        }
        Ok(())
    }

    /// Returns the length of all files in bytes.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn length(&self) -> io::Result<u64> {
        Ok(listing::list(&self.dir)?.iter().map(|entry| entry.stamp.length).sum())
    }

    /// Returns the time of the first line. `None` if there is no line with a time.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn first_time(&mut self) -> io::Result<Option<LineTime>> {
        for entry in self.entries()? {
            if let Ok(Some(mut file)) = self.open(&entry)
                && let Some(time) = delivered::first_time(&head_of(&mut file.source))
            {
                return Ok(Some(time));
            }
        }
        Ok(None)
    }

    /// Delivers all lines that were not delivered yet, with the name of their file. The end of a file without a
    /// newline is a line too, except in the last file if the files are `growing`: the rest of it may follow.
    ///
    /// # Errors
    ///
    /// If the folder or a plain file cannot be read, or the error that `deliver` returned. What concerns one file alone is a
    /// [`Piece`]. The next call goes on after the piece that was delivered last, so that an error of `deliver` interrupts a look
    /// and loses nothing.
    pub fn read_new(
        &mut self,
        growing: bool,
        mut deliver: impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut visited, mut rounds) = (BTreeSet::new(), 0);
        for _ in 0..LISTINGS {
            let entries = self.entries()?;
            if self.visit_all(&entries, growing, &mut visited, &mut deliver)? == Visit::Changed {
                continue;
            }
            rounds += 1;
            // The next look at a followed folder comes soon.
            if growing || rounds == ROUNDS {
                break;
            }
        }
        Ok(())
    }

    /// Returns the files of the folder, and the followed ones that have left it, in the order of their lines.
    fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let mut entries = loop {
            match listing::list(&self.dir) {
                // The folder existed before and may return.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.was_there => break Vec::new(),
                Err(error) if self.makes_room_after(&error) => {}
                entries => break entries?,
            }
        };
        self.was_there = true;
        let listed: BTreeSet<_> = entries.iter().map(|entry| entry.id).collect();
        self.read.retain(|id, _| listed.contains(id));
        self.listed.clone_from(&listed);
        let names: BTreeSet<_> = entries.iter().map(|entry| entry.name.to_string()).collect();
        entries.retain(|entry| {
            let is_foreign = matches!(entry.name.compression(), Some(Compression::Foreign(_)));
            !(is_foreign && names.contains(entry.name.unpacked()))
        });
        for (id, file) in self.followed.iter().filter(|(id, _)| !listed.contains(id)) {
            // Before the file that may have its name now.
            entries.insert(0, Entry { name: file.name.clone(), id: *id, stamp: file.stamp });
        }
        self.order.sort(&self.dir, &mut entries, &self.followed);
        Ok(entries)
    }

    /// Visits the `entries` that were not visited yet. Without following, it also visits copies that have grown since.
    fn visit_all(
        &mut self,
        entries: &[Entry],
        growing: bool,
        visited: &mut BTreeSet<FileId>,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        for (at, entry) in entries.iter().enumerate() {
            let may_be_copied = !growing && !entry.name.is_own();
            if self.is_read(entry) || visited.contains(&entry.id) && !may_be_copied {
                continue;
            }
            let (is_last, truncated) = (at + 1 == entries.len(), self.truncated.len());
            let outcome = self.visit(entry, growing, is_last, deliver)?;
            if outcome == Visit::Done {
                visited.insert(entry.id);
            }
            if self.truncated.len() > truncated {
                // These files begin with other lines now, which changes their order.
                visited.retain(|id| !self.truncated.contains_key(id));
                return Ok(Visit::Changed);
            }
            if outcome == Visit::Changed {
                return Ok(Visit::Changed);
            }
        }
        Ok(Visit::Done)
    }

    fn is_read(&self, entry: &Entry) -> bool {
        self.read.get(&entry.id).is_some_and(|stamp| stamp.is_none_or(|stamp| stamp == entry.stamp))
    }

    /// Delivers the new lines of a file.
    fn visit(
        &mut self,
        entry: &Entry,
        growing: bool,
        is_last: bool,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        if self.begin.excludes(entry) && !self.followed.contains_key(&entry.id) {
            self.read.insert(entry.id, Some(entry.stamp));
            deliver(&entry.name, Piece::Passed(entry.stamp.length))?;
            return Ok(Visit::Done);
        }
        if let Some(Compression::Foreign(unpacker)) = entry.name.compression() {
            self.read.insert(entry.id, None);
            deliver(&entry.name, Piece::Packed(unpacker))?;
            return Ok(Visit::Done);
        }
        if let Some(mut file) = self.followed.remove(&entry.id) {
            (file.name, file.stamp) = (entry.name.clone(), entry.stamp);
            return self.visit_plain(entry, file, growing, is_last, deliver);
        }
        let file = match self.open(entry) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Visit::Changed),
            Err(error) => {
                self.read.insert(entry.id, None);
                deliver(&entry.name, Piece::Unopened(error))?;
                return Ok(Visit::Done);
            }
        };
        self.visit_opened(entry, file, growing, is_last, deliver)
    }

    /// Delivers the new lines of a file that was not open before.
    fn visit_opened(
        &mut self,
        entry: &Entry,
        file: OpenFile,
        growing: bool,
        is_last: bool,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        if !file.source.is_gzip() {
            return self.visit_plain(entry, file, growing, is_last, deliver);
        }
        self.read_packed(entry.id, file, deliver)?;
        self.read.insert(entry.id, Some(entry.stamp));
        Ok(Visit::Done)
    }

    fn visit_plain(
        &mut self,
        entry: &Entry,
        mut file: OpenFile,
        growing: bool,
        is_last: bool,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        let before = file.mark.offset;
        let outcome = self.read_plain(entry, &mut file, growing, is_last, deliver);
        match outcome {
            Ok(Plain::Read) => {
                self.keep(entry, file)?;
                return Ok(Visit::Done);
            }
            Ok(Plain::Truncated) => self.note_truncated(entry.id, file),
            Ok(Plain::Unread) | Err(_) if file.is_followed => {
                self.forget_continued(&mut file);
                self.followed.insert(entry.id, file);
            }
            Err(_) if file.mark.offset > before => self.note_interrupted(&mut file),
            Ok(Plain::Unread) | Err(_) => {}
        }
        outcome.map(|_| Visit::Changed)
    }

    fn read_plain(
        &mut self,
        entry: &Entry,
        file: &mut OpenFile,
        growing: bool,
        is_last: bool,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Plain> {
        let is_begun = file.mark.offset > 0;
        let start = if is_begun { Found::Behind } else { self.find_start(entry.id, file, deliver)? };
        // A copy is made before its original is truncated. If no new copy exists, the original has lost no lines that
        // precede its beginning.
        let may_be_truncated = !is_begun && (is_last || file.is_followed);
        if !is_begun && self.order.is_outdated(entry.id, &mut file.source)
            || may_be_truncated && !listing::has_only(&self.dir, &self.listed).unwrap_or(true)
        {
            self.order.forget(entry.id);
            file.restart_at(Mark::default());
            return Ok(Plain::Unread);
        }
        self.report_truncated(entry.id, file, deliver)?;
        if start != Found::Nothing {
            // A copy in progress receives lines that its original delivers. Therefore only a content of its own is
            // followed. Stamps show new lines of the others.
            file.is_followed |= growing && entry.name.is_own() && start == Found::New;
            // An empty file has no beginning that could show a truncation before the read.
            if file.mark.has_beginning()
                && file.read_new(growing && is_last, &mut self.buffer, deliver)? == End::Truncated
            {
                return Ok(Plain::Truncated);
            }
        }
        Ok(Plain::Read)
    }

    /// Keeps a plain file, or what was delivered of it, for the next look.
    fn keep(&mut self, entry: &Entry, mut file: OpenFile) -> io::Result<()> {
        self.forget_continued(&mut file);
        if file.is_followed && !file.is_removed()? {
            self.followed.insert(entry.id, file);
            while self.followed.len() > FOLLOWED {
                self.close_oldest();
            }
            return Ok(());
        }
        self.memory.add(file.delivered());
        self.read.insert(entry.id, Some(entry.stamp));
        // Another file may get the inode before the next look.
        if file.is_removed()? {
            self.read.remove(&entry.id);
            self.order.forget(entry.id);
            self.begin.forget(entry.id);
        }
        Ok(())
    }

    /// Remembers how far a file was delivered that is opened again at the next look.
    fn note_interrupted(&mut self, file: &mut OpenFile) {
        self.forget_continued(file);
        let delivered = file.delivered();
        self.memory.add(delivered.clone());
        self.interrupted = delivered;
    }

    /// Forgets the place from which a file was read on. A position has a limited number of contents, and each interruption and
    /// each restart would add one.
    fn forget_continued(&mut self, file: &mut OpenFile) {
        if let Some(continued) = file.continued.take() {
            self.memory.remove(&continued);
        }
    }

    /// Delivers the lines of a gzip file. Each of its members may have been a file of its own that was delivered.
    fn read_packed(
        &mut self,
        id: FileId,
        mut file: OpenFile,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            if self.find_start(id, &mut file, deliver)? != Found::Nothing {
                let end = file.read_new(false, &mut self.buffer, deliver);
                if end.is_err() {
                    self.note_interrupted(&mut file);
                } else {
                    self.forget_continued(&mut file);
                    self.memory.add(file.delivered());
                }
                if end? == End::Damaged {
                    return Ok(());
                }
            } else if file.source.pass(u64::MAX).is_err() {
                return Ok(());
            }
            file.restart_at(Mark::default());
            match file.source.next_member() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return deliver(&file.name, Piece::Unreadable(error)),
            }
        }
    }

    /// Goes to the first line that is wanted and was not delivered from another file.
    fn find_start(
        &mut self,
        id: FileId,
        file: &mut OpenFile,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Found> {
        let head = head_of(&mut file.source);
        self.catch_up(file.name.day(), &head, deliver)?;
        let followed = self.followed.values().filter_map(OpenFile::delivered);
        let followed = followed.filter(|delivered| delivered.begins_like(file.name.day(), &head));
        let delivered = self.memory.like(file.name.day(), &head).cloned().chain(followed).collect();
        // A compressed file has no places to begin at.
        let (wanted, end) = match file.source.is_gzip() {
            true => (0, None),
            false => self.begin.range(id, &mut file.source)?,
        };
        file.end = end;
        match delivered::start(&mut file.source, delivered) {
            Start::New if wanted > 0 => {
                let mark = Mark::behind(&mut file.source, head, wanted)?;
                file.restart_at(mark);
                Ok(Found::New)
            }
            Start::New => {
                file.source.go_to(0)?;
                file.restart_at(Mark::of(head));
                Ok(Found::New)
            }
            Start::Nowhere => Ok(Found::Nothing),
            Start::Behind(delivered, mark) => {
                for truncated in self.truncated.values_mut() {
                    truncated.is_found |= truncated.delivered.as_ref() == Some(&delivered);
                }
                let mark = match wanted > mark.offset {
                    true => Mark::behind(&mut file.source, head, wanted)?,
                    false => mark,
                };
                file.restart_at(mark);
                // No other file has the rest of a content that an earlier reader has begun.
                let resumed = self.resumed.len();
                self.resumed.retain(|resumed| *resumed != delivered);
                let is_resumed = self.resumed.len() < resumed;
                if is_resumed || self.interrupted.as_ref() == Some(&delivered) {
                    file.continued = Some(delivered);
                }
                Ok(if is_resumed { Found::New } else { Found::Behind })
            }
        }
    }

    /// Reads followed files that begin like a new one, which may be a copy that was made a moment ago.
    fn catch_up(
        &mut self,
        day: &str,
        head: &[u8],
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let begins_like =
            |file: &OpenFile| file.delivered().is_some_and(|delivered| delivered.begins_like(day, head));
        let originals: Vec<_> = self.followed.extract_if(.., |_, file| begins_like(file)).collect();
        let mut outcome = Ok(());
        for (id, mut file) in originals {
            let end =
                if outcome.is_ok() { file.read_new(true, &mut self.buffer, deliver) } else { Ok(End::Read) };
            match end {
                Ok(End::Truncated) => self.note_truncated(id, file),
                end => {
                    self.followed.insert(id, file);
                    outcome = outcome.and(end.map(drop));
                }
            }
        }
        outcome
    }

    /// Keeps a truncated file until the folder has been searched for a copy of its content.
    fn note_truncated(&mut self, id: FileId, mut file: OpenFile) {
        let delivered = file.delivered();
        // A look between the two steps of `copytruncate` has already seen the copy.
        let is_found =
            delivered.as_ref().is_some_and(|delivered| self.memory.has(delivered)) || file.mark.offset == 0;
        self.memory.add(delivered.clone());
        self.order.forget(id);
        self.begin.forget(id);
        self.truncated.insert(id, Truncated { delivered, is_found });
        file.restart_at(Mark::default());
        self.followed.insert(id, file);
    }

    fn report_truncated(
        &mut self,
        id: FileId,
        file: &OpenFile,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.truncated.remove(&id) {
            Some(truncated) if !truncated.is_found => {
                deliver(&file.name, Piece::Truncated(file.seen, Utc::now()))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, entry: &Entry) -> io::Result<Option<OpenFile>> {
        loop {
            match OpenFile::open(&self.dir, entry) {
                Err(error) if self.makes_room_after(&error) => {}
                opened => return opened,
            }
        }
    }

    /// Closes a followed file if `error` is a lack of descriptors.
    fn makes_room_after(&mut self, error: &io::Error) -> bool {
        [libc::EMFILE, libc::ENFILE].map(Some).contains(&error.raw_os_error()) && self.close_oldest()
    }

    /// Closes the oldest followed file. Its stamp will show new lines.
    fn close_oldest(&mut self) -> bool {
        let oldest = self.followed.iter().min_by(|(_, a), (_, b)| a.name.cmp(&b.name)).map(|(id, _)| *id);
        let Some((id, file)) = oldest.and_then(|id| self.followed.remove_entry(&id)) else { return false };
        self.memory.add(file.delivered());
        self.read.insert(id, Some(file.stamp));
        true
    }
}

/// Returns the names of the log files in `dir`, in the order of their lines.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// for name in ["2026-05-27.log", "2026-05-26.log.gz", "notes.txt"] {
///     std::fs::write(folder.path().join(name), "")?;
/// }
/// assert_eq!(obs_log::reader::names(folder.path())?, ["2026-05-26.log.gz", "2026-05-27.log"]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If the folder cannot be read.
pub fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<_> = listing::list(dir)?.into_iter().map(|entry| entry.name).collect();
    names.sort();
    Ok(names.iter().map(FileName::to_string).collect())
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("dir", &self.dir)
            .field("followed", &self.followed.len())
            .finish_non_exhaustive()
    }
}
