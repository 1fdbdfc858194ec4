//! Size of the blobs folder.

use std::fs::{DirEntry, ReadDir};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use obs_facade::exception;
use obs_facade::metrics::standard;

use super::{LOG, beat};

/// Time that a look may take. Walking a large folder takes a twentieth of the time at most, and goes on at the next beat.
const SLICE: Duration = Duration::from_millis(beat::INTERVAL.as_millis() as u64 / 20);

/// Gauge of the size of the blobs folder.
pub(crate) struct Blobs {
    folder: PathBuf,
    /// Walk that has begun.
    walk: Option<Walk>,
}

impl Blobs {
    pub(crate) fn new(folder: PathBuf) -> Blobs {
        Blobs { folder, walk: None }
    }

    /// Walks for a while, and updates the gauge when the walk is at its end. May block on the disk.
    pub(crate) fn look(&mut self) {
        match self.go_on(Instant::now() + SLICE) {
            Ok(Some(bytes)) => standard::blob_storage_bytes().with([]).set(bytes as f64),
            Ok(None) => {}
            Err(error) => exception!(LOG, &error; "the blobs folder cannot be read"),
        }
    }

    /// Walks until `end`. Returns the size of all files, once the walk is at its end.
    fn go_on(&mut self, end: Instant) -> io::Result<Option<u64>> {
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => Walk { open: self.folder.read_dir()?, folders: Vec::new(), bytes: 0 },
        };
        while walk.step() {
            if Instant::now() >= end {
                self.walk = Some(walk);
                return Ok(None);
            }
        }
        Ok(Some(walk.bytes))
    }
}

/// Walk through a folder. Links are not followed.
struct Walk {
    open: ReadDir,
    // A list instead of recursion: a deep tree must not overflow the stack.
    folders: Vec<PathBuf>,
    bytes: u64,
}

impl Walk {
    /// Takes the next entry. Returns whether there was one.
    fn step(&mut self) -> bool {
        match self.open.next() {
            Some(entry) => self.add(entry),
            None => match self.folders.pop() {
                // A folder may be removed during the walk.
                Some(next) => drop(next.read_dir().map(|open| self.open = open)),
                None => return false,
            },
        }
        true
    }

    fn add(&mut self, entry: io::Result<DirEntry>) {
        let Ok(entry) = entry else { return };
        match entry.metadata() {
            Ok(found) if found.is_dir() => self.folders.push(entry.path()),
            Ok(found) if found.is_file() => self.bytes += found.len(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Blobs) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("ab/cd")).unwrap();
        std::fs::write(home.path().join("ab/cd/blob"), [0; 1000]).unwrap();
        std::fs::write(home.path().join("blob"), [0; 24]).unwrap();
        let blobs = Blobs::new(home.path().to_owned());
        (home, blobs)
    }

    #[test]
    fn the_size_is_the_sum_of_all_files() {
        let (home, mut blobs) = home();
        let far = Instant::now() + Duration::from_secs(3600);
        assert_eq!(blobs.go_on(far).unwrap(), Some(1024));
        std::fs::write(home.path().join("another"), [0; 6]).unwrap();
        assert_eq!(blobs.go_on(far).unwrap(), Some(1030), "a new walk");
        assert!(Blobs::new(home.path().join("absent")).go_on(far).is_err());
    }

    #[test]
    fn a_walk_without_time_goes_on_at_the_next_look() {
        let (_home, mut blobs) = home();
        let past = Instant::now();
        let mut looks = 1;
        let bytes = loop {
            match blobs.go_on(past).unwrap() {
                Some(bytes) => break bytes,
                None => looks += 1,
            }
        };
        // Two files and two folders, and the end of the first two folders.
        assert_eq!((bytes, looks), (1024, 7));
    }
}
