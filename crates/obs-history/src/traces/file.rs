//! File of the history of traces: opened or made, and joined with its hand-over file.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::PathBuf;

use rustix::fs::fstatvfs;

use super::disk::{Refused, allocate, judge, open};
use super::flush::Flush;
use super::format::{Head, Layout};
use super::handover::{Handover, Places};
use super::map::Map;
use super::owner;
use super::ring::Ring;
use super::scan::Earlier;

/// Name of the file in the folder of the history.
const NAME: &str = "traces.ring";
/// Name that a file has until its records are in one of another size.
const FORMER: &str = "traces.ring.former";

/// Folder of the history, and the size of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) max_bytes: u64,
}

/// File that is open.
pub(super) struct Opened {
    /// `None` if the file can only be read.
    pub(super) ring: Option<Ring>,
    pub(super) flush: Option<Flush>,
    /// Files with records of earlier runs.
    pub(super) earlier: Vec<Earlier>,
    /// Hand-over file of this run.
    pub(super) handover: Option<Handover>,
    /// Files whose records are to be moved, after which they are removed.
    pub(super) former: Vec<PathBuf>,
    /// Whether the last process did not end in order, and its hand-over file is gone.
    pub(super) is_memory_gone: bool,
    /// Fault that a person should know and that keeps nothing from being recorded.
    pub(super) remark: Option<String>,
    /// Holds the lock.
    pub(super) lock: File,
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }

    fn former(&self) -> PathBuf {
        self.dir.join(FORMER)
    }

    /// Whether the name of the file leads to this one, and not to another or to none.
    pub(super) fn leads_to(&self, file: &File) -> bool {
        let same =
            |there: fs::Metadata, ours: fs::Metadata| (there.dev(), there.ino()) == (ours.dev(), ours.ino());
        match (fs::symlink_metadata(self.path()), file.metadata()) {
            (Ok(there), Ok(ours)) => same(there, ours),
            // A folder that this user may not look into any more still has the file.
            (Err(error), _) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
            (Ok(_), Err(_)) => true,
        }
    }

    /// Makes the file again that was removed or replaced under this process. It has the key of the one before, so that the
    /// hand-over file stays that of the file. Its next record has the position `cursor`.
    pub(super) fn make_again(&self, layout: Layout, cursor: u64) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut file = self.open_alone()?;
        match judge(&file)?.0 {
            Head::Newer => Err(Refused::Newer)?,
            // A copy of this file, such as one from a backup.
            Head::Valid(found) if found == layout => allocate(&file, layout.file_bytes(), true)?,
            Head::Valid(_) => {
                // Another history. The next opening reads it.
                fs::rename(self.path(), self.former())?;
                file = self.open_alone()?;
                self.prepare(&file, layout, cursor, true)?;
            }
            Head::Empty | Head::Damaged => self.prepare(&file, layout, cursor, true)?,
        }
        owner::note(&file)?;
        owner::note_open(&file, true)?;
        Ok(file)
    }

    /// Opens the file and takes its lock.
    fn open_alone(&self) -> Result<File, Refused> {
        let file = open(&self.path(), true)?;
        self.take(&file)?;
        Ok(file)
    }

    fn take(&self, file: &File) -> Result<(), Refused> {
        // Another process may have put a file of another size in its place before we had the lock.
        let is_ours = owner::take(file)? && self.leads_to(file);
        if is_ours { Ok(()) } else { Err(Refused::InUse) }
    }

    /// Opens the file, or makes it. Takes a few milliseconds, unless it `may_write` all of a file.
    pub(super) fn open(&self, may_write: bool) -> Result<Opened, Refused> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = self.path();
        let file = match open(&path, true) {
            Ok(file) => file,
            Err(error) => return self.open_to_read(error),
        };
        self.take(&file)?;
        let (head, cursor) = judge(&file)?;
        let wanted = Layout::for_bytes(self.max_bytes, random_key());
        match head {
            Head::Newer => Err(Refused::Newer),
            Head::Empty => self.make(file, wanted, 0, may_write, None),
            Head::Damaged => {
                let remark = format!("{} was damaged and is begun anew", path.display());
                self.make(file, wanted, 0, may_write, Some(remark))
            }
            Head::Valid(layout) if layout.ring_bytes != wanted.ring_bytes => {
                fs::rename(&path, self.former())?;
                let mut cursor = Earlier::new(file, layout, u64::MAX)?.end_of(cursor)?;
                for (_, file, handover) in Places::new(&self.dir, layout.key).found(layout.key) {
                    cursor = cursor.max(Earlier::end_in(file, handover)?);
                }
                let file = self.open_alone()?;
                self.make(file, wanted, cursor, may_write, None)
            }
            Head::Valid(layout) => {
                let cursor = Earlier::new(file.try_clone()?, layout, u64::MAX)?.end_of(cursor)?;
                allocate(&file, layout.file_bytes(), may_write)?;
                self.map(file, layout, cursor, None)
            }
        }
    }

    /// Reads a file in a folder that cannot be written.
    fn open_to_read(&self, error: io::Error) -> Result<Opened, Refused> {
        let file = open(&self.path(), false).map_err(|_| error)?;
        match judge(&file)? {
            (Head::Newer, _) => Err(Refused::Newer),
            (Head::Valid(layout), _) => {
                let earlier = self.earlier(&file, layout)?;
                let (former, remark) = (Vec::new(), None);
                Ok(Opened {
                    ring: None,
                    flush: None,
                    earlier,
                    handover: None,
                    former,
                    is_memory_gone: false,
                    remark,
                    lock: file,
                })
            }
            (Head::Empty | Head::Damaged, _) => Err(io::Error::from(io::ErrorKind::PermissionDenied).into()),
        }
    }

    /// Opens the files with records, and changes nothing.
    pub(super) fn open_earlier(&self) -> io::Result<Vec<Earlier>> {
        let file = open(&self.path(), false)?;
        match judge(&file)? {
            (Head::Valid(layout), _) => self.earlier(&file, layout),
            (Head::Newer, _) => Err(io::Error::other("it is of a later version")),
            (Head::Empty | Head::Damaged, _) => {
                Err(io::Error::other("it is no file of this program, or damaged"))
            }
        }
    }

    /// Returns the file, and those that a process has left beside it.
    fn earlier(&self, file: &File, layout: Layout) -> io::Result<Vec<Earlier>> {
        let mut earlier = vec![Earlier::new(file.try_clone()?, layout, u64::MAX)?];
        for (_, file, handover) in Places::new(&self.dir, layout.key).found(layout.key) {
            earlier.push(Earlier::new(file, handover, u64::MAX)?);
        }
        Ok(earlier)
    }

    /// Makes a new file in the place of what is there.
    fn make(
        &self,
        file: File,
        layout: Layout,
        cursor: u64,
        may_write: bool,
        remark: Option<String>,
    ) -> Result<Opened, Refused> {
        self.prepare(&file, layout, cursor, may_write)?;
        self.map(file, layout, cursor, remark)
    }

    /// Gives a file its blocks and its header.
    fn prepare(&self, file: &File, layout: Layout, cursor: u64, may_write: bool) -> Result<(), Refused> {
        // Content of another kind goes, so that all of the new file is zero without a write of zeros.
        file.set_len(0)?;
        allocate(file, layout.file_bytes(), may_write)?;
        if free_bytes(file)? < layout.file_bytes() {
            // The log must not get short of room for the sake of the history.
            file.set_len(0)?;
            return Err(
                io::Error::new(io::ErrorKind::StorageFull, "it would take the room of the log").into()
            );
        }
        file.write_all_at(&layout.header(cursor), 0)?;
        Ok(file.set_len(layout.file_bytes())?)
    }

    /// Joins the file, which has the records before `written`, with its hand-over file.
    fn map(
        &self,
        file: File,
        layout: Layout,
        written: u64,
        remark: Option<String>,
    ) -> Result<Opened, Refused> {
        owner::note(&file)?;
        let places = Places::new(&self.dir, layout.key);
        let mut left = places.found(layout.key);
        let is_memory_gone = left.is_empty() && owner::was_left_open(&file);
        let mut cursor = written;
        for (_, file, handover) in &left {
            cursor = cursor.max(Earlier::end_in(file.try_clone()?, *handover)?);
        }
        let mut earlier = vec![Earlier::new(file.try_clone()?, layout, cursor)?];
        let small = layout.of_handover();
        let handover = places.open(small, cursor, &file, &self.path())?;
        owner::note_open(&file, true)?;
        let length = usize::try_from(small.file_bytes()).map_err(io::Error::other)?;
        let ring = Ring::new(Map::of(&handover.file, length)?, small, cursor);
        let mut former = Vec::new();
        // There if a file got another size, and the process was killed before all was moved.
        if let Ok(file) = open(&self.former(), false)
            && let (Head::Valid(layout), _) = judge(&file)?
        {
            earlier.push(Earlier::new(file, layout, cursor)?);
            former.push(self.former());
            left.extend(Places::new(&self.dir, layout.key).found(layout.key));
        }
        for (of, file, layout) in left {
            earlier.push(Earlier::new(file, layout, cursor)?);
            // A file in the other place than today's.
            if of != handover.path {
                former.push(of);
            }
        }
        let flush = Flush::new(self.clone(), file.try_clone()?, layout, written, [handover.begin, cursor])?;
        Ok(Opened {
            ring: Some(ring),
            flush: Some(flush),
            earlier,
            handover: Some(handover),
            former,
            is_memory_gone,
            remark,
            lock: file,
        })
    }
}

fn random_key() -> [u64; 2] {
    use std::hash::{BuildHasher, RandomState};
    [0, 1].map(|number: u8| RandomState::new().hash_one(number))
}

/// Returns the free bytes of the file's disk for this user.
fn free_bytes(file: &File) -> io::Result<u64> {
    let disk = fstatvfs(file)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
