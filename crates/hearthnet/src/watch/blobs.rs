//! Size of the blobs folder.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use obs_facade::exception;
use obs_facade::metrics::standard;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::LOG;

// More often than scrapers usually ask.
const INTERVAL: Duration = Duration::from_secs(5);

/// Updates the gauge of the blobs folder at an interval. The interval grows with the time that a walk takes.
pub(crate) async fn watch(folder: PathBuf) {
    loop {
        let (folder, begun) = (folder.clone(), Instant::now());
        match spawn_blocking(move || size(folder)).await {
            Ok(Ok(bytes)) => standard::blob_storage_bytes().with([]).set(bytes as f64),
            Ok(Err(error)) => exception!(LOG, &error; "the blobs folder cannot be read"),
            Err(_) => {}
        }
        // Walking a large folder takes about a twentieth of the time at most.
        sleep(INTERVAL.max(begun.elapsed() * 20)).await;
    }
}

/// Returns the size of all files below `folder`. Links are not followed.
fn size(folder: PathBuf) -> std::io::Result<u64> {
    // A list instead of recursion: a deep tree must not overflow the stack.
    let (mut folders, mut bytes) = (vec![folder.clone()], 0);
    while let Some(next) = folders.pop() {
        let entries = match next.read_dir() {
            Ok(entries) => entries,
            // A folder below may be removed during the walk.
            Err(_) if next != folder => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if found.is_file() => bytes += found.len(),
                _ => {}
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_the_sum_of_all_files() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("ab/cd")).unwrap();
        std::fs::write(home.path().join("ab/cd/blob"), [0; 1000]).unwrap();
        std::fs::write(home.path().join("blob"), [0; 24]).unwrap();
        assert_eq!(size(home.path().to_owned()).unwrap(), 1024);
        assert!(size(home.path().join("absent")).is_err());
    }
}
