//! Order in which the files of a folder are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::delivered::{first_time, head_of, plain_head};
use super::listing::{Entry, FileId};
use super::name::Compression;
use super::open_file::OpenFile;
use super::source::Source;
use crate::reader::line_time::LineTime;

/// Sorts files by day, and within a day by the time of their first line.
///
/// Names are not enough. `2026-05-26.1.log` is the second part of a day or, with `extension .log`, the latest
/// rotation, and numbers and dates may be mixed. Names decide for files without a time.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Times of the first lines that were read.
    times: BTreeMap<FileId, LineTime>,
    /// Files that are not the only one of their day.
    compared: BTreeSet<FileId>,
}

impl Order {
    /// Sorts the files. The ones in `open` are not opened again.
    pub(super) fn sort(&mut self, dir: &Path, entries: &mut [Entry], open: &BTreeMap<FileId, OpenFile>) {
        let listed: BTreeSet<_> = entries.iter().map(|entry| entry.id).collect();
        self.times.retain(|id, _| listed.contains(id));
        self.compared.clear();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for of_day in entries.chunk_by_mut(|a, b| a.name.day() == b.name.day()) {
            if of_day.len() > 1 {
                self.compared.extend(of_day.iter().map(|entry| entry.id));
                self.sort_day(dir, of_day, open);
            }
        }
    }

    /// Forgets the first line of a file that was truncated.
    pub(super) fn forget(&mut self, id: FileId) {
        self.times.remove(&id);
    }

    /// Returns whether a file begins with another line than the one by which it was sorted.
    ///
    /// The copy of its former lines may have been listed before it had any, and be sorted behind it.
    pub(super) fn is_outdated(&self, id: FileId, source: &mut Source) -> bool {
        self.compared.contains(&id) && self.times.get(&id).copied() != first_time(&head_of(source))
    }

    fn sort_day(&mut self, dir: &Path, entries: &mut [Entry], open: &BTreeMap<FileId, OpenFile>) {
        // The file that is written comes first. If it was truncated before, the copy has lines by the time it is read.
        let (own, copies): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.name.is_own());
        for entry in own.into_iter().chain(copies) {
            if !self.times.contains_key(&entry.id)
                && let Some(time) = time_of(dir, entry, open.get(&entry.id))
            {
                self.times.insert(entry.id, time);
            }
        }
        if entries.iter().all(|entry| !may_have_lines(entry) || self.times.contains_key(&entry.id)) {
            // The sort is stable, so that names decide between files that begin in the same millisecond. A file
            // without lines comes last, because it gets the next line.
            entries.sort_by_cached_key(|entry| {
                let time = self.times.get(&entry.id).copied();
                (time.is_none(), time)
            });
        }
    }
}

fn may_have_lines(entry: &Entry) -> bool {
    entry.stamp.length > 0 && is_readable(entry)
}

fn is_readable(entry: &Entry) -> bool {
    !matches!(entry.name.compression(), Some(Compression::Foreign(_)))
}

fn time_of(dir: &Path, entry: &Entry, open: Option<&OpenFile>) -> Option<LineTime> {
    if let Some(open) = open {
        // Its name may have gone, or be that of another file.
        return open.mark.first_time().or_else(|| first_time(&plain_head(open.source.file())));
    }
    let mut file = is_readable(entry).then(|| OpenFile::open(dir, entry).ok().flatten()).flatten()?;
    first_time(&head_of(&mut file.source))
}
