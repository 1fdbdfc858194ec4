//! The one repair that is safe to make: taking others' rights from the device key.

use std::fmt;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::key_file::{self, expected_owner};
use crate::config::Config;
use crate::machine::RealFiles;
use crate::text::{shell, tilde};

const KEY_MODE: u32 = 0o600;

/// A repair that is ready to be made, such as `chmod 600` on the device key.
///
/// [`Repair::find`] opens the key and looks at it; [`Repair::apply`] changes the file that was looked at, by its
/// descriptor, whatever has become of the path meanwhile. Symbolic links are not followed, and a file that is not
/// plainly the node's own key (another owner, several names) is not touched.
///
/// ```no_run
/// use obs_doctor::{Config, Repair};
/// if let Some(repair) = Repair::find(&Config::default())? {
///     println!("{repair}"); // chmod 600 ~/.local/share/hearthnet/keys/device.ed25519 (it has mode 0644)
///     repair.apply()?;
/// }
/// # Ok::<(), obs_doctor::RepairError>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is repaired before `apply`"]
pub struct Repair {
    file: File,
    path: PathBuf,
    mode: u32,
    owner: u32,
}

/// Why the key's mode is wrong and not repaired here.
///
/// ```
/// use obs_doctor::{Config, Repair};
/// // Nothing there is nothing to repair, and no error.
/// assert!(Repair::find(&Config::new("/nosuch")).unwrap().is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairError {
    path: String,
    why: String,
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not repaired: {}", self.path, self.why)
    }
}

impl std::error::Error for RepairError {}

impl Repair {
    /// The repair that the device key of `config` needs; `None` when its mode is right or no key is there.
    ///
    /// # Errors
    /// The mode is wrong, or cannot be seen, and a repair is not safe; says what to look at.
    pub fn find(config: &Config) -> Result<Option<Self>, RepairError> {
        let path = key_file::seed_path(&config.keys_dir);
        let owner = expected_owner(&RealFiles, &config.keys_dir);
        let refuse = |why: String| RepairError { path: tilde(&path), why };
        let file = match open(&path) {
            Ok(file) => file,
            Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(err) => return Err(refuse(explain(&err))),
        };
        let meta = file.metadata().map_err(|err| refuse(explain(&err)))?;
        let mode = meta.permissions().mode() & 0o7777;
        if is_right(mode) {
            return Ok(None);
        }
        is_plainly_ours(&meta, owner).map_err(refuse)?;
        Ok(Some(Self { file, path, mode, owner }))
    }

    /// Makes the repair.
    ///
    /// # Errors
    /// The file is no longer plainly ours, or the system refuses the change.
    pub fn apply(self) -> Result<(), RepairError> {
        let refuse = |why: String| RepairError { path: tilde(&self.path), why };
        let meta = self.file.metadata().map_err(|err| refuse(explain(&err)))?;
        is_plainly_ours(&meta, self.owner).map_err(refuse)?;
        self.file.set_permissions(Permissions::from_mode(KEY_MODE)).map_err(|err| refuse(explain(&err)))
    }
}

/// As a shell command, with what is wrong.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chmod {KEY_MODE:o} {} (it has mode {:04o})", shell(&self.path), self.mode)
    }
}

/// As `keys_present` judges it: 0600 and 0400 are right.
fn is_right(mode: u32) -> bool {
    mode & 0o077 == 0 && mode & 0o400 != 0
}

/// To read, or else to write: a key that its owner may not read is one of those to repair. Nothing is written.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let open = |access| openat(CWD, path, access | flags, Mode::empty()).map_err(io::Error::from);
    let opened = open(OFlags::RDONLY).or_else(|err| match err.kind() {
        ErrorKind::PermissionDenied => open(OFlags::WRONLY).map_err(|_| err),
        _ => Err(err),
    });
    opened.map(File::from)
}

/// Whoever has write access to the folder could put another file there for root to change.
fn is_plainly_ours(meta: &Metadata, owner: u32) -> Result<(), String> {
    if !meta.is_file() {
        return Err("it is not a file".to_owned());
    }
    if meta.uid() != owner {
        return Err(format!("it belongs to uid {}, not to uid {owner}", meta.uid()));
    }
    if meta.nlink() > 1 {
        return Err("the file has other names (hard links), so it may be more than the key".to_owned());
    }
    Ok(())
}

fn explain(err: &io::Error) -> String {
    if key_file::is_loop(err) {
        return "it is a symbolic link, which is not followed: run `chmod 600` on the file it leads to"
            .to_owned();
    }
    match err.kind() {
        ErrorKind::PermissionDenied => "this user may not change it: run `chmod 600` as its owner".to_owned(),
        _ => err.to_string(),
    }
}
