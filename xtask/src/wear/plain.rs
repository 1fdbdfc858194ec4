//! Plain append of the node's lines.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

/// Copies each line of the node's log to a file of the same name, soon after it was written.
pub(super) struct Plain {
    from: PathBuf,
    to: PathBuf,
    files: BTreeMap<String, Open>,
    bytes: u64,
    lines: u64,
}

struct Open {
    to: File,
    copied: u64,
}

impl Plain {
    pub(super) fn new(from: PathBuf, to: PathBuf) -> Plain {
        Plain { from, to, files: BTreeMap::new(), bytes: 0, lines: 0 }
    }

    /// Returns the bytes of all lines.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends what is new.
    pub(super) fn follow(&mut self) -> Result<(), String> {
        self.copy().map_err(|error| format!("the plain append fails: {error}"))
    }

    fn copy(&mut self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.from)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // The link to today's file is no file.
            if !name.ends_with(".log") || !entry.file_type()?.is_file() {
                continue;
            }
            if !self.files.contains_key(&name) {
                let to = OpenOptions::new().append(true).create(true).open(self.to.join(&name))?;
                self.files.insert(name.clone(), Open { to, copied: 0 });
            }
            let Some(open) = self.files.get_mut(&name) else { continue };
            // Without a look at the content where there is nothing new.
            if entry.metadata()?.len() == open.copied {
                continue;
            }
            let mut from = File::open(entry.path())?;
            from.seek(SeekFrom::Start(open.copied))?;
            let mut new = Vec::new();
            from.read_to_end(&mut new)?;
            open.to.write_all(&new)?;
            open.copied += new.len() as u64;
            self.bytes += new.len() as u64;
            self.lines += new.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        Ok(())
    }
}
