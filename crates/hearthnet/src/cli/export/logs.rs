//! Log files for the archive.

use std::fs::File;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::archive::{Content, Entry};
use crate::cli::log::files;

/// Log files, and those that cannot be opened.
#[derive(Default)]
pub(super) struct Logs {
    pub(super) entries: Vec<Entry>,
    pub(super) unopened: Vec<(String, io::Error)>,
}

/// Opens the log files in `log_dir` as they are now.
pub(super) fn open(log_dir: &Path) -> io::Result<Logs> {
    let mut logs = Logs::default();
    for name in files::names(log_dir)? {
        match entry(log_dir, &name) {
            Ok(entry) => logs.entries.push(entry),
            // The retention has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => logs.unopened.push((name, error)),
        }
    }
    Ok(logs)
}

fn entry(log_dir: &Path, name: &str) -> io::Result<Entry> {
    let path = log_dir.join(name);
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    let modified = metadata.modified().map_or_else(|_| Utc::now(), DateTime::<Utc>::from);
    let content = Content::File { path, file, length: metadata.len() };
    Ok(Entry { path: format!("log/{name}"), modified, content })
}
