//! Visits of a look to the files of a folder: which lines of each are delivered.

use std::collections::BTreeSet;
use std::io;

use chrono::Utc;

use super::delivered::{self, Mark, Start, head_of};
use super::listing::{self, Entry, FileId};
use super::name::{Compression, FileName};
use super::open_file::{End, OpenFile};
use super::piece::Piece;
use super::{Reader, Truncated};

/// Maximum number of files that are followed at once. The latest ones are, and fewer days are kept.
pub(super) const FOLLOWED: usize = 64;

/// Outcome of a visit to a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Visit {
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
    /// Visits the `entries` that were not visited yet. Without following, it also visits copies that have grown since.
    pub(super) fn visit_all(
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

    pub(super) fn is_read(&self, entry: &Entry) -> bool {
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
    pub(super) fn visit_opened(
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
}
