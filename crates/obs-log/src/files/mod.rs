//! Day files of a folder, one a day of UTC, whatever else happens to the folder.

pub(crate) mod attributes;
#[cfg(feature = "compress")]
mod compress;
pub(crate) mod group;
mod latest;
pub(crate) mod lockless;
pub(crate) mod name;
pub(crate) mod open;
mod removal;
mod reserve;
mod retention;

use std::fs::{self, DirBuilder};
use std::io::{self, IoSlice};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{Access, AtFlags, CWD, accessat};

pub use self::removal::{RemovalHook, set_removal_hook};

use self::group::Group;
use self::latest::Latest;
use self::name::{DayFileName, LAST_PART, names_in};
use self::open::{FilePosition, Interrupted, OpenDay};
use self::retention::Retention;
use crate::config::Config;
use crate::config::error::{Error, ErrorKind};
use crate::process::stderr;

/// Day files of one folder. At most one is open.
#[derive(Debug)]
pub(crate) struct DayFiles {
    dir: PathBuf,
    /// Maximum size of a file, after which the day's next part follows.
    max_bytes: u64,
    /// Finished days are compressed.
    compress: bool,
    /// Link to today's file; `None` without one.
    latest: Option<Latest>,
    /// Group that may read what is made.
    group: Option<Group>,
    open: Option<OpenDay>,
    retention: Retention,
    /// Number of torn lines that were found at the end of files.
    torn: u64,
}

impl DayFiles {
    pub(crate) fn new(dir: &Path) -> DayFiles {
        DayFiles {
            dir: dir.to_owned(),
            max_bytes: u64::MAX,
            compress: false,
            latest: None,
            group: None,
            open: None,
            retention: Retention::default(),
            torn: 0,
        }
    }

    /// Returns the day files of a configuration.
    pub(crate) fn of(config: &Config) -> DayFiles {
        let max_bytes = config.max_bytes.unwrap_or(u64::MAX);
        let latest = config.latest_link.then(Latest::default);
        DayFiles { max_bytes, compress: config.compress, latest, ..DayFiles::new(&config.dir) }
    }

    /// Lets `group` read what is made from now on.
    pub(crate) fn readable_by(mut self, group: Option<Group>) -> DayFiles {
        self.group = group;
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder if need be and opens the file of `today`, so that an error is known before anything is logged. If the
    /// disk is full or the process may open no more files at the moment, the writer opens it later.
    pub(crate) fn prepare(&mut self, today: i32) -> Result<(), Error> {
        check_named(&self.dir)?;
        match self.begin_day(today) {
            // Not the folder's fault. The writer tries again, and says so when a line has to wait.
            Err(error) if is_shortage(&error) => Ok(()),
            result => result.map_err(|error| folder_error(&self.dir, &error)),
        }
    }

    /// Opens the file of `day`, removes files that are too old, and compresses those of earlier days.
    pub(crate) fn begin_day(&mut self, day: i32) -> io::Result<()> {
        self.open = Some(self.take_file_of(day)?);
        self.tidy(day);
        self.link_latest(day);
        Ok(())
    }

    /// Points `latest.log` to the open file if it is that of `today`. Costs nothing if it does so already.
    pub(crate) fn link_latest(&mut self, today: i32) {
        let open = self.open.as_ref().map(|open| open.name).filter(|name| name.day == today);
        if let (Some(name), Some(latest)) = (open, &mut self.latest) {
            latest.point_to(&self.dir, name);
        }
    }

    /// Removes old files and compresses finished days, if the day has changed since the last call or the clock is believed
    /// by now.
    pub(crate) fn tidy(&mut self, today: i32) {
        if self.retention.look(today, Instant::now()) {
            self.remove_old();
            #[cfg(feature = "compress")]
            if self.compress {
                compress::in_background(&self.dir, today);
            }
        }
    }

    /// Closes the open file if it is no longer the one under its name: renamed, deleted, or its folder is gone.
    pub(crate) fn notice_changes(&mut self) {
        self.open.take_if(|open| !open.is_in_place(&self.dir));
    }

    /// Closes the open file if its day has a later part by now.
    pub(crate) fn go_to_last_part(&mut self) {
        let last = self.open.as_ref().map(|open| self.last_part(open.name.day));
        self.open.take_if(|open| last != Some(open.name));
    }

    /// Appends `lines`, which are whole, to the file of `day`. Calls `before` with their position.
    pub(crate) fn append(
        &mut self,
        day: i32,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(FilePosition),
    ) -> Result<(), Interrupted> {
        let result = self.append_once(day, lines, before);
        match result {
            // The file was removed since the last look and is made again, or it may no longer be written and another part is
            // opened.
            Err(interrupted) if interrupted.removed || interrupted.is_refused() => {
                self.open = None;
                self.append_once(day, lines, before)
            }
            result => result,
        }
    }

    fn append_once(
        &mut self,
        day: i32,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(FilePosition),
    ) -> Result<(), Interrupted> {
        let bytes = lines.iter().map(|piece| piece.len() as u64).sum();
        let mut open = self.take_file_of(day)?;
        while is_full(open.size()?, bytes, self.max_bytes) && open.name.part < LAST_PART {
            open = self.open_part(self.next_part(open.name))?;
        }
        let result = open.append(lines, before, &mut self.torn);
        open.reserve(self.max_bytes);
        self.open = Some(open);
        result
    }

    /// Returns the path of the file for the next line of `day`.
    pub(crate) fn path_of(&self, day: i32) -> PathBuf {
        let open = self.open.as_ref().map(|open| open.name).filter(|name| name.day == day);
        self.dir.join(open.unwrap_or(DayFileName::first_of(day)).to_string())
    }

    /// Returns the number of torn lines that were found since the last call.
    pub(crate) fn take_torn(&mut self) -> u64 {
        std::mem::take(&mut self.torn)
    }

    fn take_file_of(&mut self, day: i32) -> io::Result<OpenDay> {
        if let Some(open) = self.open.take().filter(|open| open.name.day == day) {
            return Ok(open);
        }
        // Before the file exists, so that retention never takes a file of this process for an old one.
        self.retention.note_open(day);
        make_folder(&self.dir, self.group)?;
        // The folder may have been removed, with the link in it.
        self.latest = self.latest.take().map(|_| Latest::default());
        self.open_part(self.last_part(day))
    }

    /// Opens the file of this name. If it exists and may not be written, because it is immutable or belongs to another user,
    /// opens the next part instead.
    fn open_part(&self, name: DayFileName) -> io::Result<OpenDay> {
        let mut part = name;
        let mut refusal = None;
        loop {
            let path = self.dir.join(part.to_string());
            match OpenDay::open(&self.dir, part, self.group) {
                Err(error) if part.part < LAST_PART && is_refused(&path, &error) => {
                    refusal.get_or_insert((path, error));
                    part = self.next_part(part);
                }
                Err(error) => return Err(error),
                Ok(open) => {
                    if let Some((path, error)) = refusal {
                        stderr::say(format!("cannot write {}: {error}; lines go to {part}", path.display()));
                    }
                    return Ok(open);
                }
            }
        }
    }

    fn last_part(&self, day: i32) -> DayFileName {
        let of_day = |name: &DayFileName| name.day == day && !name.compressed;
        let mut parts: Vec<_> = names_in(&self.dir).filter(of_day).collect();
        parts.sort();
        // The last part that is a file, because a folder may have the name of a later one.
        parts.into_iter().rfind(|name| !self.is_blocked(*name)).unwrap_or(DayFileName::first_of(day))
    }

    fn next_part(&self, name: DayFileName) -> DayFileName {
        let mut next = name.next_part();
        while next.part < LAST_PART && self.is_blocked(next) {
            next = next.next_part();
        }
        next
    }

    /// Whether a folder, a symbolic link or something else that is not a file has this name.
    fn is_blocked(&self, name: DayFileName) -> bool {
        let there = self.dir.join(name.to_string()).symlink_metadata();
        there.is_ok_and(|there| !there.is_file())
    }

    /// Removes the files of days that are too old. A file that cannot be removed is tried again the next day.
    fn remove_old(&self) {
        let names: Vec<_> = names_in(&self.dir).filter(|name| self.is_ours(*name)).collect();
        let days = names.iter().map(|name| name.day).collect();
        let old = self.retention.too_old(&days);
        for name in names.iter().filter(|name| old.contains(&name.day)) {
            let path = self.dir.join(name.to_string());
            removal::announce(&path);
            let _ = fs::remove_file(path);
        }
    }

    /// Whether the file ages here: it is regular, and compressed only if this process compresses.
    fn is_ours(&self, name: DayFileName) -> bool {
        let there = self.dir.join(name.to_string()).symlink_metadata();
        (self.compress || !name.compressed) && there.is_ok_and(|there| there.is_file())
    }
}

fn is_full(size: u64, bytes: u64, max_bytes: u64) -> bool {
    size > 0 && size.saturating_add(bytes) > max_bytes
}

/// Whether the error is a limit of the process, the machine or the disk, which may pass.
fn is_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC, libc::EDQUOT];
    error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

/// Whether there is a file at `path` that this process may not write.
fn is_refused(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && path.symlink_metadata().is_ok()
}

fn make_folder(dir: &Path, group: Option<Group>) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let missing: Vec<_> = dir.ancestors().take_while(|folder| !folder.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // The group needs all of them on its way to the files.
    if let Some(group) = group {
        missing.iter().rev().for_each(|folder| group.share_folder(folder));
    }
    Ok(())
}

/// Checks that [`DayFiles::prepare`] could use the folder, and changes nothing.
pub(crate) fn check_folder(dir: &Path) -> Result<(), Error> {
    check_named(dir)?;
    may_write(dir).map_err(|error| folder_error(dir, &error))
}

/// Refuses the empty path. It would stand for the working directory, which may change.
fn check_named(dir: &Path) -> Result<(), Error> {
    if !dir.as_os_str().is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Folder, "no folder is named", "name a folder for the day files"))
}

/// Whether this user may write `dir`, or make it in the nearest folder above that exists. Fails as the system would.
fn may_write(dir: &Path) -> io::Result<()> {
    for folder in dir.ancestors() {
        match folder.metadata() {
            // A link that leads nowhere has the name of the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_symlink() => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(there) if !there.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
            Ok(_) => return Ok(accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?),
        }
    }
    Ok(())
}

fn folder_error(dir: &Path, error: &io::Error) -> Error {
    let dir = dir.display();
    let (problem, advice) = match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            (format!("{dir} is not a folder"), "name another folder or remove what is there")
        }
        // Attributes give `EPERM`, where permissions alone give `EACCES`.
        _ if error.raw_os_error() == Some(libc::EPERM) => (
            format!("{dir} cannot be written ({error})"),
            "remove its attributes with `chattr -i` or name another folder",
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (format!("{dir} cannot be written ({error})"), "give this user the folder or name another one")
        }
        _ => (format!("{dir} cannot be used ({error})"), "name another folder or repair this one"),
    };
    Error::new(ErrorKind::Folder, problem, advice)
}

#[cfg(test)]
mod tests;
