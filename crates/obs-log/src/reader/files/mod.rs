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
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use self::begin::Begin;
pub use self::begin::{Last, Look};
use self::delivered::{Delivered, Memory, head_of};
pub use self::leaving::Leaving;
use self::listing::{Entry, FileId, Stamp};
use self::name::Compression;
pub use self::name::{FileName, Unpacker};
use self::open_file::{BLOCK, OpenFile};
use self::order::Order;
pub use self::piece::Piece;
use self::visit::Visit;
use crate::reader::line_time::LineTime;
use crate::reader::window::Window;

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

    /// Delivers the lines of a file that were not delivered yet, whether or not the file still has a name.
    /// [`read_new`](Reader::read_new) does not deliver them again.
    ///
    /// ```
    /// use obs_log::reader::{Leaving, Piece, Reader};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let line = r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"bus","msg":"joined"}"#;
    /// let file = folder.path().join("2026-05-26.log");
    /// std::fs::write(&file, format!("{line}\n"))?;
    /// let leaving = Leaving::open(&file)?.unwrap();
    /// std::fs::remove_file(&file)?;
    /// let mut lines = 0;
    /// Reader::new(folder.path()).read_leaving(leaving, |_, piece| {
    ///     lines += usize::from(matches!(piece, Piece::Line(_)));
    ///     Ok(())
    /// })?;
    /// assert_eq!(lines, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The same as those of [`read_new`](Reader::read_new).
    pub fn read_leaving(
        &mut self,
        leaving: Leaving,
        mut deliver: impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Leaving { entry, file } = leaving;
        let followed = self.followed.remove(&entry.id);
        if followed.is_none() && (self.begin.excludes(&entry) || self.is_read(&entry)) {
            return Ok(());
        }
        let file = followed.unwrap_or_else(|| OpenFile::of(file, &entry));
        self.visit_opened(&entry, file, false, false, &mut deliver).map(drop)
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
