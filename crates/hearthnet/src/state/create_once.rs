//! Files and folders that are created only if they do not exist.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::publish::{self, is_unsupported, where_supported};
use crate::failure::Failure;

/// Outcome of a step that creates something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    Created,
    Kept,
}

/// Users who may read a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// Owner only.
    Private,
    /// All users.
    Public,
}

/// Creates the folder `path` and its parents, accessible to the owner only.
pub(crate) fn folder(path: &Path) -> Result<Creation, Failure> {
    if path.is_dir() {
        return Ok(Creation::Kept);
    }
    private_folders(path).map_err(|error| Failure::io("make the folder", path, &error))?;
    Ok(Creation::Created)
}

#[cfg(unix)]
fn private_folders(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    // Keys and events are below. Other users of the machine must not list them.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_folders(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)
}

/// Creates a file with `content` at `path` in one step. A reader, or the next start after a crash, finds the whole
/// file or none. An existing file is never changed.
pub(crate) fn file(path: &Path, content: &[u8], access: Access) -> Result<Creation, Failure> {
    with(path, access, |temporary| {
        temporary.as_file_mut().write_all(content).map_err(|error| Failure::io("write", path, &error))
    })
}

/// Creates a file like [`file()`], with content written by `fill`.
pub(crate) fn with(
    path: &Path,
    access: Access,
    fill: impl FnOnce(&mut tempfile::NamedTempFile) -> Result<(), Failure>,
) -> Result<Creation, Failure> {
    // A dangling link counts as existing. Following it would write outside the folder.
    if path.symlink_metadata().is_ok() {
        return Ok(Creation::Kept);
    }
    let parent = path.parent().unwrap_or(Path::new("."));
    folder(parent)?;
    let failed = |error: &std::io::Error| Failure::io("write", path, error);
    let mut temporary =
        tempfile::Builder::new().prefix(".new-").tempfile_in(parent).map_err(|error| failed(&error))?;
    fill(&mut temporary)?;
    where_supported(set_mode(temporary.as_file(), access)).map_err(|error| failed(&error))?;
    // Content first, name second. A crash must not leave a named file without content.
    sync(temporary.as_file()).map_err(|error| failed(&error))?;
    match publish::publish(temporary.into_temp_path(), path) {
        Ok(()) => sync_folder(parent).map(|()| Creation::Created).map_err(|error| failed(&error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Creation::Kept),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(unix)]
fn set_mode(file: &fs::File, access: Access) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &fs::File, _access: Access) -> std::io::Result<()> {
    Ok(())
}

/// Makes the content of `file` durable, as far as its file system can.
fn sync(file: &fs::File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(error) if is_unsupported(&error) => where_supported(file.sync_data()),
        synced => synced,
    }
}

/// Returns whether the content of files in `folder` can be made durable. It tries on a file of its own, because
/// closing one of SQLite's files would release the locks that this process holds on it.
pub(super) fn can_sync(folder: &Path) -> bool {
    let refused = |done: std::io::Result<()>| done.is_err_and(|error| is_unsupported(&error));
    tempfile::tempfile_in(folder).map_or(true, |file| !refused(file.sync_all()) && !refused(file.sync_data()))
}

/// Makes a new name in `folder` durable, as far as its file system can.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    where_supported(fs::File::open(folder).and_then(|folder| folder.sync_all()))
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once_and_then_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/seed");
        assert_eq!(file(&path, b"first", Access::Private).unwrap(), Creation::Created);
        assert_eq!(file(&path, b"second", Access::Private).unwrap(), Creation::Kept);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[cfg(unix)]
    #[test]
    fn private_files_are_accessible_to_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("keys/seed");
        file(&path, b"", Access::Private).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let public = home.path().join("keys/pub");
        file(&public, b"", Access::Public).unwrap();
        assert_eq!(mode(&public), 0o644);
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let (link, target) = (home.path().join("seed"), home.path().join("elsewhere"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert_eq!(file(&link, b"secret", Access::Private).unwrap(), Creation::Kept);
        assert!(!target.exists());
    }

    #[test]
    fn a_failed_fill_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.sqlite");
        assert!(with(&path, Access::Private, |_| Err(Failure::error("no"))).is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
