//! Log files of a folder, one after the other, and what is added to them.
//!
//! A file is known by its device and inode and by its content, because logrotate renames files, copies them, empties them
//! and compresses them while they are read. Each line is given once, from whichever file has it.
//!
//! A followed file is kept open: its writer goes on writing to it after a rename, another process may have a line for
//! yesterday still, and one that was killed has its lines written by the next start, whatever day they are of.

mod given;
mod listing;
mod name;
mod open_file;
mod order;
mod piece;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use chrono::Utc;

use self::given::{Given, Mark, Memory, Start, head_of};
use self::listing::{Entry, FileId, Stamp};
use self::name::Compression;
pub(crate) use self::name::FileName;
use self::open_file::{BLOCK, End, OpenFile};
use self::order::Order;
pub(crate) use self::piece::Piece;

/// Number of files that are followed at once, the latest ones: more than days are kept.
const FOLLOWED: usize = 64;
/// Number of times that one look lists the folder because names change while it opens files. It ends a look at a folder
/// whose names never stay.
const LISTINGS: usize = 1000;
/// Number of times that a single look reads what has come to the folder meanwhile: copies that were being made.
const ROUNDS: usize = 3;

/// A place in the log files of a folder.
pub(crate) struct Reader {
    dir: PathBuf,
    /// Whether the folder could be read before.
    was_there: bool,
    /// Files that may get more.
    followed: BTreeMap<FileId, OpenFile>,
    /// Files that are not open. They have nothing new as long as they are as they were then; without a stamp, ever.
    read: BTreeMap<FileId, Option<Stamp>>,
    truncated: BTreeMap<FileId, Truncated>,
    /// Files that were in the folder when it was last listed.
    listed: BTreeSet<FileId>,
    memory: Memory,
    order: Order,
    buffer: Vec<u8>,
}

/// A file whose content is gone.
struct Truncated {
    given: Option<Given>,
    /// Another file has what was written behind that.
    is_found: bool,
}

/// Outcome of a visit to a file.
#[derive(Debug, PartialEq, Eq)]
enum Visit {
    Done,
    /// A name has changed, or a copy may have been made: the folder has to be listed again.
    Changed,
}

impl Reader {
    pub(crate) fn new(dir: &Path) -> Reader {
        Reader {
            dir: dir.to_owned(),
            was_there: false,
            followed: BTreeMap::new(),
            read: BTreeMap::new(),
            truncated: BTreeMap::new(),
            listed: BTreeSet::new(),
            memory: Memory::default(),
            order: Order::default(),
            buffer: vec![0; BLOCK],
        }
    }

    /// Gives all lines that were not given yet, with the name of their file. What stands at the end without a newline
    /// is a line too, unless there may be more of it because the files are `growing`: the last of them is, then.
    pub(crate) fn read_new(
        &mut self,
        growing: bool,
        mut give: impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut visited, mut rounds) = (BTreeSet::new(), 0);
        for _ in 0..LISTINGS {
            let entries = self.entries()?;
            if self.visit_all(&entries, growing, &mut visited, &mut give)? == Visit::Changed {
                continue;
            }
            rounds += 1;
            // A followed folder is looked at again soon.
            if growing || rounds == ROUNDS {
                break;
            }
        }
        Ok(())
    }

    /// The files of the folder and those that were followed out of it, in the order of their lines.
    fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let mut entries = loop {
            match listing::list(&self.dir) {
                // A folder that was there and is gone may come back.
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

    /// Visits those of `entries` that were not visited before; without following also copies that have grown since.
    fn visit_all(
        &mut self,
        entries: &[Entry],
        growing: bool,
        visited: &mut BTreeSet<FileId>,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        for (at, entry) in entries.iter().enumerate() {
            let may_be_copied = !growing && !entry.name.is_own();
            if self.is_read(entry) || visited.contains(&entry.id) && !may_be_copied {
                continue;
            }
            let (is_last, truncated) = (at + 1 == entries.len(), self.truncated.len());
            let outcome = self.visit(entry, growing, is_last, give)?;
            if outcome == Visit::Done {
                visited.insert(entry.id);
            }
            if self.truncated.len() > truncated {
                // They begin with other lines now, so they have another place.
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

    /// Gives what is new in a file.
    fn visit(
        &mut self,
        entry: &Entry,
        growing: bool,
        is_last: bool,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        if let Some(Compression::Foreign(unpacker)) = entry.name.compression() {
            self.read.insert(entry.id, None);
            give(&entry.name, Piece::Packed(unpacker))?;
            return Ok(Visit::Done);
        }
        if let Some(mut file) = self.followed.remove(&entry.id) {
            (file.name, file.stamp) = (entry.name.clone(), entry.stamp);
            return self.visit_plain(entry, file, growing, is_last, give);
        }
        let file = match self.open(entry) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Visit::Changed),
            Err(error) => {
                self.read.insert(entry.id, None);
                give(&entry.name, Piece::Unopened(error))?;
                return Ok(Visit::Done);
            }
        };
        if file.source.is_gzip() {
            self.read.insert(entry.id, Some(entry.stamp));
            self.read_packed(file, give)?;
            return Ok(Visit::Done);
        }
        self.visit_plain(entry, file, growing, is_last, give)
    }

    fn visit_plain(
        &mut self,
        entry: &Entry,
        mut file: OpenFile,
        growing: bool,
        is_last: bool,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<Visit> {
        let is_begun = file.mark.offset > 0;
        let has_more = is_begun || self.find_start(&mut file, give)?;
        // A copy is made before its original is truncated. So if there is none that was not there before, the original
        // has not lost lines that come before those of its beginning.
        let may_be_truncated = !is_begun && (is_last || file.is_followed);
        if may_be_truncated && !listing::has_only(&self.dir, &self.listed).unwrap_or(true) {
            self.order.forget(entry.id);
            file.restart_at(Mark::default());
            if file.is_followed {
                self.followed.insert(entry.id, file);
            }
            return Ok(Visit::Changed);
        }
        self.say_truncated(entry.id, &file, give)?;
        if has_more {
            // A copy that is being made gets lines that its original gives. So only a content of its own is followed; what
            // comes to the others is found by their stamps.
            file.is_followed |= growing && entry.name.is_own() && file.mark.offset == 0;
            // An empty file has no beginning that would tell that it was truncated before the read.
            if file.mark.has_beginning()
                && file.read_new(growing && is_last, &mut self.buffer, give)? == End::Truncated
            {
                self.note_truncated(entry.id, file);
                return Ok(Visit::Changed);
            }
        }
        if file.is_followed && !file.is_removed()? {
            self.followed.insert(entry.id, file);
            while self.followed.len() > FOLLOWED {
                self.close_oldest();
            }
        } else {
            self.memory.add(file.given());
            self.read.insert(entry.id, Some(entry.stamp));
            // Another file may get the inode before the next look.
            if file.is_removed()? {
                self.read.remove(&entry.id);
                self.order.forget(entry.id);
            }
        }
        Ok(Visit::Done)
    }

    /// Gives the lines of a gzip file. Each of its members may have been a file of its own that was given.
    fn read_packed(
        &mut self,
        mut file: OpenFile,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            if self.find_start(&mut file, give)? {
                let end = file.read_new(false, &mut self.buffer, give)?;
                self.memory.add(file.given());
                if end == End::Damaged {
                    return Ok(());
                }
            } else if file.source.pass(u64::MAX).is_err() {
                return Ok(());
            }
            file.restart_at(Mark::default());
            match file.source.next_member() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return give(&file.name, Piece::Unreadable(error)),
            }
        }
    }

    /// Goes to the place where the lines begin that were not given from another file. Returns `false` when there are none.
    fn find_start(
        &mut self,
        file: &mut OpenFile,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let head = head_of(&mut file.source);
        self.catch_up(file.name.day(), &head, give)?;
        let followed = self.followed.values().filter_map(OpenFile::given);
        let followed = followed.filter(|given| given.begins_like(file.name.day(), &head));
        let given = self.memory.like(file.name.day(), &head).cloned().chain(followed).collect();
        match given::start(&mut file.source, given) {
            Start::New => {
                file.source.go_to(0)?;
                file.restart_at(Mark::of(head));
                Ok(true)
            }
            Start::Nowhere => Ok(false),
            Start::Behind(given, mark) => {
                for truncated in self.truncated.values_mut() {
                    truncated.is_found |= truncated.given.as_ref() == Some(&given);
                }
                file.restart_at(mark);
                Ok(true)
            }
        }
    }

    /// Reads followed files that begin like a new one. The new one may be a copy of them that was made a moment ago.
    fn catch_up(
        &mut self,
        day: &str,
        head: &[u8],
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let begins_like = |file: &OpenFile| file.given().is_some_and(|given| given.begins_like(day, head));
        let originals: Vec<_> = self.followed.extract_if(.., |_, file| begins_like(file)).collect();
        for (id, mut file) in originals {
            match file.read_new(true, &mut self.buffer, give)? {
                End::Truncated => self.note_truncated(id, file),
                _ => {
                    self.followed.insert(id, file);
                }
            }
        }
        Ok(())
    }

    /// Keeps a truncated file until the folder has been searched for a copy of what it had.
    fn note_truncated(&mut self, id: FileId, mut file: OpenFile) {
        let given = file.given();
        // A look between the two steps of `copytruncate` has seen the copy already.
        let is_found = given.as_ref().is_some_and(|given| self.memory.has(given)) || file.mark.offset == 0;
        self.memory.add(given.clone());
        self.order.forget(id);
        self.truncated.insert(id, Truncated { given, is_found });
        file.restart_at(Mark::default());
        self.followed.insert(id, file);
    }

    fn say_truncated(
        &mut self,
        id: FileId,
        file: &OpenFile,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.truncated.remove(&id) {
            Some(truncated) if !truncated.is_found => {
                give(&file.name, Piece::Truncated(file.seen, Utc::now()))
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

    /// Closes a followed file if too few descriptors were the reason of `error`.
    fn makes_room_after(&mut self, error: &io::Error) -> bool {
        [libc::EMFILE, libc::ENFILE].map(Some).contains(&error.raw_os_error()) && self.close_oldest()
    }

    /// Closes the oldest followed file. What comes to it later is found by its stamp.
    fn close_oldest(&mut self) -> bool {
        let oldest = self.followed.iter().min_by(|(_, a), (_, b)| a.name.cmp(&b.name)).map(|(id, _)| *id);
        let Some((id, file)) = oldest.and_then(|id| self.followed.remove_entry(&id)) else { return false };
        self.memory.add(file.given());
        self.read.insert(id, Some(file.stamp));
        true
    }
}
