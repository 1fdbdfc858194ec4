//! A folder's modification time, preserved while files are created and removed in it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Restores the folder's modification time when it is dropped, because the doctor changes nothing.
///
/// SQLite creates `-wal` and `-shm` beside an idle log and removes them again. `-shm`, which holds no data, stays beside a
/// `-wal` that a crash has left.
pub(super) struct FolderTime {
    path: PathBuf,
    before: Option<State>,
}

struct State {
    folder: File,
    modified: SystemTime,
    names: BTreeSet<OsString>,
}

impl FolderTime {
    pub(super) fn keep(path: &Path) -> Self {
        Self { path: path.to_owned(), before: State::of(path).ok() }
    }
}

impl Drop for FolderTime {
    fn drop(&mut self) {
        let Some(before) = &self.before else { return };
        // A different set of names means that another process changed the folder, so the new time is right.
        if State::of(&self.path).is_ok_and(|now| now.names == before.names && now.modified != before.modified)
        {
            // Fails on a folder of another user, whose time then stays new.
            let _ = before.folder.set_modified(before.modified);
        }
    }
}

impl State {
    fn of(path: &Path) -> io::Result<Self> {
        let folder = File::open(path)?;
        let modified = folder.metadata()?.modified()?;
        let mut names: BTreeSet<_> =
            fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.retain(|name| !name.as_encoded_bytes().ends_with(b"-shm"));
        Ok(Self { folder, modified, names })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_is_restored_unless_a_file_remains() {
        let dir = tempfile::tempdir().unwrap();
        let time = || fs::metadata(dir.path()).unwrap().modified().unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let file = dir.path().join("events.sqlite-wal");
        File::open(dir.path()).unwrap().set_modified(long_ago).unwrap();

        let kept = FolderTime::keep(dir.path());
        fs::write(&file, "").unwrap();
        fs::remove_file(&file).unwrap();
        assert_ne!(time(), long_ago);
        drop(kept);
        assert_eq!(time(), long_ago);

        let kept = FolderTime::keep(dir.path());
        fs::write(&file, "").unwrap();
        drop(kept);
        assert_ne!(time(), long_ago);
    }
}
