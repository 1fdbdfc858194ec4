//! Position in the day files up to which their lines were exported, stored beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the file. Readers of the log pass over names that begin with a dot.
const NAME: &str = ".otlp-position";

/// Maximum length of the file in bytes. A position of 32 contents has less.
const MAX_BYTES: u64 = 64 << 10;

/// Position up to which lines were exported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Position {
    /// Time from which lines are exported, in Unix milliseconds.
    pub(super) since_ms: i64,
    /// Time of the last line that was exported; empty before the first one. A reader's position names a limited number of
    /// files: what is not in it and is older than this was exported too.
    #[serde(default)]
    pub(super) exported: String,
    /// Position of the reader.
    pub(super) reader: String,
}

impl Position {
    pub(super) fn since(since_ms: i64) -> Position {
        Position { since_ms, exported: String::new(), reader: String::new() }
    }
}

/// File with the position.
///
/// It is written in place and without a sync: one page that the system writes with its next ones. A process that is killed
/// leaves it whole. After a loss of power it may be old, so that lines are exported again, or damaged, so that the export
/// begins anew.
pub(super) struct Stored {
    path: PathBuf,
}

impl Stored {
    pub(super) fn new(folder: &Path) -> Stored {
        Stored { path: folder.join(NAME) }
    }

    /// Returns the position; `None` if there is none or it is damaged.
    pub(super) fn read(&self) -> Option<Position> {
        let mut text = Vec::new();
        File::open(&self.path).ok()?.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        let line = text.split(|byte| *byte == b'\n').next()?;
        serde_json::from_slice(line).ok()
    }

    /// Writes the position. A disk that takes nothing costs lines that are exported twice after a restart, and nothing else.
    pub(super) fn write(&self, position: &Position) {
        let Ok(mut text) = serde_json::to_vec(position) else { return };
        text.push(b'\n');
        // Bytes of a longer position before follow the newline and are not read.
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        let _ = file.and_then(|mut file| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&text)
        });
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored::new(folder.path());
        assert_eq!(stored.read(), None);
        for reader in ["a".repeat(5_000), "b".to_owned()] {
            let exported = "2026-05-26T08:14:22.281Z".to_owned();
            let position = Position { reader, exported, ..Position::since(1_779_783_262_281) };
            stored.write(&position);
            assert_eq!(stored.read(), Some(position));
        }
        for damaged in [&b""[..], b"{", b"\n", b"{\"since_ms\":1}\n", &[0xff; 100]] {
            fs::write(folder.path().join(NAME), damaged).unwrap();
            assert_eq!(stored.read(), None);
        }
    }
}
