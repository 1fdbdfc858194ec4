//! The one safe repair: removing other users' rights to the device key.

use std::fmt;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::key_file::{self, expected_owner};
use crate::config::Config;
use crate::machine::RealFiles;
use crate::text::{shell_path, tilde};

/// Mode of a repaired key.
const KEY_MODE: u32 = 0o600;

/// Repair of the device key's mode, such as `chmod 600`, ready to be applied.
///
/// [`Repair::find`] opens the key and inspects it. [`Repair::apply`] changes that file through its descriptor, even if the
/// path has changed meanwhile. Symbolic links are not followed. A file with another owner or several names is not changed.
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

/// Reason why a wrong mode of the key was not repaired.
///
/// ```
/// use obs_doctor::{Config, Repair};
/// // A missing key needs no repair and is not an error.
/// assert!(Repair::find(&Config::new("/nosuch")).unwrap().is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairError {
    path: String,
    problem: String,
    advice: &'static str,
}

impl RepairError {
    /// Path of the key.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.path
    }

    /// Description of the reason, without the path and the advice.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Description of a remedy.
    #[must_use]
    pub fn advice(&self) -> &str {
        self.advice
    }
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not repaired: {}; {}", self.path, self.problem, self.advice)
    }
}

impl std::error::Error for RepairError {}

impl Repair {
    /// Returns the repair that the device key of `config` needs; `None` if its mode is right or there is no key.
    ///
    /// # Errors
    /// The mode is wrong or cannot be read, and a repair would not be safe.
    pub fn find(config: &Config) -> Result<Option<Self>, RepairError> {
        let path = key_file::seed_path(&config.keys_dir);
        let owner = expected_owner(&RealFiles, &config.keys_dir);
        let refuse = |(problem, advice)| RepairError { path: tilde(&path), problem, advice };
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
        check_ours(&meta, owner).map_err(refuse)?;
        Ok(Some(Self { file, path, mode, owner }))
    }

    /// Applies the repair.
    ///
    /// # Errors
    /// The file has another owner or several names by now, or the system refuses the change.
    pub fn apply(self) -> Result<(), RepairError> {
        let refuse = |(problem, advice)| RepairError { path: tilde(&self.path), problem, advice };
        let meta = self.file.metadata().map_err(|err| refuse(explain(&err)))?;
        // Checked again: minutes may have passed since `find` while a person decided.
        check_ours(&meta, self.owner).map_err(refuse)?;
        self.file.set_permissions(Permissions::from_mode(KEY_MODE)).map_err(|err| refuse(explain(&err)))
    }
}

/// Shows the repair as a shell command, with the wrong mode.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chmod {KEY_MODE:o} {} (it has mode {:04o})", shell_path(&self.path), self.mode)
    }
}

/// Returns whether the check `keys_present` accepts the mode, as it does 0600 and 0400.
fn is_right(mode: u32) -> bool {
    mode & 0o077 == 0 && mode & 0o400 != 0
}

/// Opens the key for reading, or else for writing, because a key without the owner's read right is to be repaired too.
/// Nothing is written.
fn open(path: &Path) -> io::Result<File> {
    // NOFOLLOW, so that root never changes the target of a link that a user placed. NONBLOCK, so that a FIFO does not
    // block.
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let open = |access| openat(CWD, path, access | flags, Mode::empty()).map_err(io::Error::from);
    let opened = open(OFlags::RDONLY).or_else(|err| match err.kind() {
        ErrorKind::PermissionDenied => open(OFlags::WRONLY).map_err(|_| err),
        _ => Err(err),
    });
    opened.map(File::from)
}

/// Checks that the file is a regular file of `owner` with one name.
///
/// A user with write access to the folder could otherwise make root change the mode of any file.
fn check_ours(meta: &Metadata, owner: u32) -> Result<(), Refusal> {
    let refusal = if !meta.is_file() {
        ("it is not a file".to_owned(), "restore the key from a backup")
    } else if meta.uid() != owner {
        (format!("it belongs to uid {}, not to uid {owner}", meta.uid()), "run `chown` on it as root first")
    } else if meta.nlink() > 1 {
        (
            "the file has other names (hard links)".to_owned(),
            "check what the other names are, and remove them",
        )
    } else {
        return Ok(());
    };
    Err(refusal)
}

/// Problem and advice of a [`RepairError`].
type Refusal = (String, &'static str);

fn explain(err: &io::Error) -> Refusal {
    if key_file::is_loop(err) {
        return ("it is a symbolic link, which is not followed".to_owned(), "run `chmod 600` on its target");
    }
    match err.kind() {
        ErrorKind::PermissionDenied => {
            ("this user may not change it".to_owned(), "run `chmod 600` as its owner")
        }
        _ => (err.to_string(), "look for disk errors (`dmesg`)"),
    }
}
