//! Space on the disk of the log, and the space that the log takes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use obs_facade::doctor::machine::Machine;
use tokio::time::timeout;

/// Maximum wait for the disk. A network mount may hang for minutes.
const PATIENCE: Duration = Duration::from_millis(500);
/// Maximum number of files that are looked at. The log keeps a few files a day for two weeks.
const MAX_FILES: usize = 10_000;

/// Space in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) free: u64,
    pub(crate) total: u64,
    pub(crate) log: u64,
}

/// Disk of the log folder.
pub(crate) struct LogDisk {
    pub(super) folder: PathBuf,
    read: Arc<LastReading>,
}

#[derive(Default)]
struct LastReading {
    space: Mutex<Option<Space>>,
    // One thread at most waits for a disk that hangs, however often the report is asked for.
    is_reading: AtomicBool,
}

impl LogDisk {
    pub(crate) fn new(folder: &Path) -> LogDisk {
        LogDisk { folder: folder.to_owned(), read: Arc::default() }
    }

    /// Returns the space, or that of the last reading if the disk does not answer soon; `None` if it never has.
    pub(crate) async fn space(&self) -> Option<Space> {
        // Relaxed: the flag alone decides who reads, and the space has a lock.
        if !self.read.is_reading.swap(true, Ordering::Relaxed) {
            let (folder, read) = (self.folder.clone(), self.read.clone());
            let reading = tokio::task::spawn_blocking(move || {
                let space = read_space(&folder).ok();
                *read.space.lock().unwrap_or_else(PoisonError::into_inner) = space;
                read.is_reading.store(false, Ordering::Relaxed);
            });
            let _ = timeout(PATIENCE, reading).await;
        }
        *self.read.space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_space(folder: &Path) -> io::Result<Space> {
    let volume = Machine::default().volumes.of(folder)?;
    let sizes = fs::read_dir(folder)?.take(MAX_FILES).map(|entry| {
        let Ok(entry) = entry else { return 0 };
        // The memory of waiting lines is a hidden file of a fixed size. It is no part of the log yet.
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // Without following a link, as `latest.log` is one.
        entry.metadata().map_or(0, |file| if file.is_file() && !is_hidden { file.len() } else { 0 })
    });
    Ok(Space { free: volume.available_bytes, total: volume.total_bytes, log: sizes.sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_log_is_the_sum_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("2026-11-28.log"), "12345").unwrap();
        fs::write(folder.path().join("2026-11-27.log.gz"), "123").unwrap();
        fs::write(folder.path().join(".handover-1"), [0; 4096]).unwrap();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("2026-11-28.log", folder.path().join("latest.log")).unwrap();
        let disk = LogDisk::new(folder.path());
        let space = disk.space().await.unwrap();
        assert_eq!(space.log, 8);
        assert!(space.free > 0 && space.free <= space.total);
        folder.close().unwrap();
        assert_eq!(disk.space().await, None, "a folder that is gone has no space");
    }
}
