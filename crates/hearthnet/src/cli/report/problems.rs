//! Problems that the node keeps on disk: errors grouped by cause.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use obs_facade::history::problems::FILE_NAME;

/// Maximum length in bytes. The node writes less than 4 MB.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the file in the folder of the history.
pub(super) fn read(history: &Path) -> Result<String, String> {
    let path = history.join(FILE_NAME);
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            format!("{} does not exist; a node writes it when it has a problem", path.display())
        }
        _ => format!("cannot read {}: {error}", path.display()),
    };
    let mut text = String::new();
    let file = File::open(&path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    match text.len() as u64 {
        ..=MAX_BYTES => Ok(text),
        _ => Err(format!("{} has more than 8 MiB", path.display())),
    }
}
