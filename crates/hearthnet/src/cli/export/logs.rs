//! Log files for the archive.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Seek as _, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::archive::{Content, Entry};
use crate::cli::log::filter::{Filter, Tally, Verdict};
use crate::cli::log::period::Period;
use crate::cli::log::progress::Progress;
use obs_facade::log::reader::{self, Piece, Reader};

/// Log files, and those that cannot be opened.
#[derive(Default)]
pub(super) struct Logs {
    pub(super) entries: Vec<Entry>,
    pub(super) unopened: Vec<(String, io::Error)>,
}

/// Copies the lines of the period into temporary files without a name, one for each log file. The lines of a compressed
/// file are copied as plain text.
pub(super) fn select(log_dir: &Path, period: &Period) -> io::Result<Logs> {
    let (filter, mut tally) = (Filter::new().window(period.window()), Tally::default());
    let mut reader = Reader::of(log_dir, filter.window.clone());
    let mut progress = Progress::new(io::stderr().is_terminal(), reader.length()?);
    let mut logs = Logs::default();
    let mut copies: Vec<(String, BufWriter<File>)> = Vec::new();
    reader.read_new(false, |name, piece| {
        let line = match piece {
            Piece::Line(line) => line,
            Piece::Passed(bytes) => {
                if progress.is_due(bytes) {
                    progress.show();
                }
                return Ok(());
            }
            Piece::Unopened(error) => {
                logs.unopened.push((name.to_string(), error));
                return Ok(());
            }
            _ => return Ok(()),
        };
        if !matches!(filter.judge(line, &mut tally), Verdict::Shown(_) | Verdict::Damaged) {
            return Ok(());
        }
        let name = name.unpacked();
        // The lines of a file follow each other, so that it is the last one.
        let at = match copies.iter().rposition(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                copies.push((name.to_owned(), BufWriter::new(tempfile::tempfile()?)));
                copies.len() - 1
            }
        };
        copies[at].1.write_all(line)?;
        copies[at].1.write_all(b"\n")
    })?;
    progress.hide();
    for (name, copy) in copies {
        let mut file = copy.into_inner().map_err(io::IntoInnerError::into_error)?;
        let length = file.stream_position()?;
        file.rewind()?;
        let content = Content::File { path: log_dir.join(&name), file, length };
        logs.entries.push(Entry { path: format!("log/{name}"), modified: Utc::now(), content });
    }
    Ok(logs)
}

/// Opens the log files in `log_dir` as they are now.
pub(super) fn open(log_dir: &Path) -> io::Result<Logs> {
    let mut logs = Logs::default();
    for name in reader::names(log_dir)? {
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
