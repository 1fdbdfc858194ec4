//! File that is about to leave the folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::listing::{Entry, FileId, Stamp};
use super::name::FileName;

/// Open log file that is about to be removed. See [`Reader::read_leaving`](super::Reader::read_leaving).
#[derive(Debug)]
pub struct Leaving {
    pub(super) entry: Entry,
    pub(super) file: File,
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
