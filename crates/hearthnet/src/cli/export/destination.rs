//! Place where the archive is written.

use std::fs::Permissions;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::interrupt;
use crate::cli::output::not_written;
use crate::failure::Failure;

pub(in crate::cli) enum Destination {
    Stdout,
    File { path: PathBuf, force: bool },
}

impl Destination {
    /// Chooses the place. `name` is that of the archive, without its ending.
    pub(in crate::cli) fn choose(
        out: Option<&Path>,
        name: &str,
        force: bool,
    ) -> Result<Destination, Failure> {
        let file = format!("{name}.tar.gz");
        let path = match out {
            Some(out) if out == Path::new("-") && io::stdout().is_terminal() => {
                return Err(Failure::usage("an archive is not for a terminal; name a file, or use a pipe"));
            }
            Some(out) if out == Path::new("-") => return Ok(Destination::Stdout),
            Some(folder) if folder.is_dir() => folder.join(file),
            Some(path) => path.to_owned(),
            None => PathBuf::from(file),
        };
        // A link that leads nowhere is something that exists too.
        match path.symlink_metadata() {
            Ok(found) if !found.is_file() && !found.is_symlink() => Err(Failure::error(format!(
                "{} is not a file; choose another name with `--out`",
                path.display()
            ))),
            Ok(_) if !force => Err(exists(&path)),
            _ => Ok(Destination::File { path, force }),
        }
    }

    pub(in crate::cli) fn is_stdout(&self) -> bool {
        matches!(self, Destination::Stdout)
    }

    /// Writes by `fill`, and returns its result and the path of the file. After a failure there is no file.
    pub(in crate::cli) fn write<T>(
        self,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<(T, Option<PathBuf>), Failure> {
        match self {
            Destination::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                let filled = fill(&mut out).and_then(|filled| out.flush().map(|()| filled));
                Ok((filled.map_err(|error| not_written(&error))?, None))
            }
            Destination::File { path, force } => {
                // An archive has what other users of the machine may not read.
                let filled = to_file(&path, force, 0o600, fill)?;
                Ok((filled, Some(path)))
            }
        }
    }
}

fn exists(path: &Path) -> Failure {
    Failure::error(format!(
        "{} exists; choose another name with `--out`, or replace it with `--force`",
        path.display()
    ))
}

/// Writes a file with this `mode` by `fill`, and replaces an existing one if `force` is set. Readers see the old file or the
/// whole new one.
pub(super) fn to_file<T>(
    path: &Path,
    force: bool,
    mode: u32,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, Failure> {
    let failed = |error: &io::Error| Failure::io("write", path, error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(".hearthnet-export-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    // The temporary file is removed when it is dropped, and by an interruption too.
    interrupt::remove(temporary.path());
    let mut out = BufWriter::with_capacity(256 << 10, temporary.as_file());
    let filled = fill(&mut out).and_then(|filled| out.flush().map(|()| filled));
    let filled = filled.map_err(|error| failed(&error))?;
    drop(out);
    // Content first, name second: a crash must not leave a named file that is not whole.
    temporary.as_file().sync_all().map_err(|error| failed(&error))?;
    let named = match force {
        true => temporary.persist(path).map(drop),
        false => temporary.persist_noclobber(path).map(drop),
    };
    match named {
        Ok(()) => Ok(filled),
        // Another process has taken the name meanwhile.
        Err(lost) if lost.error.kind() == ErrorKind::AlreadyExists => Err(exists(path)),
        Err(lost) => Err(failed(&lost.error)),
    }
}
