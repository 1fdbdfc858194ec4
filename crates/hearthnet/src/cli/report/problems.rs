//! Problems that the node keeps on disk: errors grouped by cause.

use std::path::Path;

use obs_facade::history::ErrorKind;
use obs_facade::history::problems::{FILE_NAME, Stored};

/// Maximum length in bytes. The node writes less than 4 MB.
const MAX_BYTES: usize = 8 << 20;

/// Reads the files in the folder of the history: the list, and what changed since it was written.
pub(super) fn read(history: &Path) -> Result<String, String> {
    let path = history.join(FILE_NAME);
    let stored = Stored::read(history).map_err(|error| match error.kind() {
        ErrorKind::Missing => {
            format!("{} does not exist; a node writes it when it has a problem", path.display())
        }
        _ => error.to_string(),
    })?;
    match serde_json::to_string(&stored) {
        Ok(text) if text.len() <= MAX_BYTES => Ok(text),
        Ok(_) => Err(format!("{} has more than 8 MiB", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
