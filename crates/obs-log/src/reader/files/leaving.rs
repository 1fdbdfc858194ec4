//! File that is about to leave the folder, and the rest of its lines.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Reader;
use super::listing::{Entry, FileId, Stamp};
use super::name::FileName;
use super::open_file::OpenFile;
use super::piece::Piece;

/// Open log file that is about to be removed. See [`Reader::read_leaving`].
#[derive(Debug)]
pub struct Leaving {
    entry: Entry,
    file: File,
}

impl Leaving {
    /// Opens the file at `path` while it is still there. `None` if it is no log file.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Option<Leaving>> {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(FileName::parse);
        let Some(name) = name else { return Ok(None) };
        // Opening a pipe with this name must not block.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        let entry = Entry { name, id: FileId::of(&metadata), stamp: Stamp::of(&metadata) };
        Ok(metadata.is_file().then_some(Leaving { entry, file }))
    }
}

impl Reader {
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
}
